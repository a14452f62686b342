"""People who come to the real server, as few as there can be; what it costs is not looked at."""

from collections.abc import Callable, Iterator

from twisted.trial.unittest import SynchronousTestCase

from bench import logins, server
from bench.accounts import SharedKeys
from bench.idle import idle
from bench.options import Options
from tests.bench.test_e2e import keys

PEOPLE = 12


class LoginTests(SynchronousTestCase):
    """Each part."""

    def run_part(self, part: Callable[[Options], Iterator[dict[str, object]]]) -> list[dict[str, object]]:
        """Its lines."""
        self.patch(SharedKeys, "generate", lambda: keys().shared)
        self.patch(server, "QUIET_SECONDS", 0.05)
        return list(part(Options(members=PEOPLE)))

    def test_storm(self) -> None:
        """All of them log in, at a server that did not start with them."""
        (line,) = self.run_part(logins.storm)
        self.assertEqual((line["scenario"], line["what"], line["logins"]), ("S4", "S4, 12 log in at once", PEOPLE))
        self.assertGreater(float(str(line["server_cpu_ms_per_login"])), 0)

    def test_registrations(self) -> None:
        """So many come while nobody is there, and while others are."""
        self.patch(logins, "NEWCOMERS", 3)
        lines = self.run_part(logins.registrations)
        self.assertEqual([line["online"] for line in lines], [0, PEOPLE])
        for line in lines:
            self.assertGreater(float(str(line["server_cpu_ms_per_registration"])), 0)

    def test_idle(self) -> None:
        """All of them come three times."""
        (line,) = self.run_part(idle)
        self.assertEqual((line["scenario"], line["connections"]), ("S5", PEOPLE))
        self.assertGreater(float(str(line["kib_after_reconnecting"])), 0)
