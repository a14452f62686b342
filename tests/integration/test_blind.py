"""What ``make prove-blind`` finds on a server: nothing, and everything where the server leaks."""

import re
import tempfile
from contextlib import ExitStack
from pathlib import Path

from chatserv.testing.blindness.files import OF_A_WINDOW, SECRETS_OF_FILES
from chatserv.testing.blindness.places import LEAKS, LEAKS_OF_NODES
from chatserv.testing.blindness.run import CLEAN, FOUND, LEAKED
from chatserv.testing.display import why_no_window
from tests.integration.test_demo import PlayCase, play
from tests.support.nats import require_program
from tests.support.postgres import require_programs

SECONDS = 600
COUNT = re.compile(r"^(\S[a-z0-9 -]*?)  +(\d+)$", re.MULTILINE)


def played(*options: tuple[str, ...]) -> list[tuple[str, str, int]]:
    """Plays at once, each with its options: what each prints, its errors, and its exit code."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        plays = [stack.enter_context(play(Path(name), "blindness.run", *each)) for each in options]
        try:
            return [(*one.communicate(timeout=SECONDS), one.returncode) for one in plays]
        finally:
            for one in plays:
                one.kill()


class BlindTests(PlayCase):
    """Both runs, at once, since each has a server of its own."""

    def test_blind(self) -> None:
        """The server has nothing of what people wrote; one that leaks is found out in every place."""
        (shown, errors, code), (leaking_shown, leaking_errors, leaking_code) = played((), ("--leak",))
        self.assertEqual((code, errors), (CLEAN, ""), shown)
        self.assertEqual(COUNT.findall(shown), [(place, "0") for place in LEAKS])
        self.assertEqual((leaking_code, leaking_errors), (FOUND, ""), leaking_shown)
        counts = {place: int(count) for place, count in COUNT.findall(leaking_shown)}
        self.assertEqual(counts.keys(), LEAKS.keys())
        self.assertTrue(all(counts.values()), counts)
        for place, encoding in LEAKS.items():
            self.assertIn(f"    {LEAKED[place]}, {encoding}\n", leaking_shown)
        count = len(set(SECRETS_OF_FILES) - OF_A_WINDOW if why_no_window() else SECRETS_OF_FILES)
        self.assertIn(f"-- of files left unsealed, and found: {count} of {count} canaries\n", leaking_shown)

    def test_nodes(self) -> None:
        """Nor have two nodes, their PostgreSQL and what goes over their bus, where what is said in the clear is found."""
        require_programs()
        require_program()
        [(shown, errors, code)] = played(("--store", "cluster"))
        self.assertEqual((code, errors), (CLEAN, ""), shown)
        self.assertEqual(COUNT.findall(shown), [(place, "0") for place in LEAKS_OF_NODES])
