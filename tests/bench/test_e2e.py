"""What the benchmark of the end-to-end part counts: its bytes, not its times."""

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from bench.accounts import SharedKeys
from bench.e2e import BATCHES, BODY, Keys, commit_figures, message_figures
from bench.rooms import POLICY, World
from bench.timing import LEAST, Laps, Timed, figures, repeat, timed
from bench.vault import Server, vault_figures
from chatserv.crypto.envelope import ENVELOPE_BYTES_MIN
from chatserv.crypto.merkle import HASH_BYTES
from chatserv.crypto.prekeys import SIGNED_PREKEY_BYTES
from chatserv.crypto.wraps import WRAP_BYTES
from tests.support.sessions import rsa_key

NAME_BYTES = len("benchaaaa")
ENTRY_BYTES = 4 + 1 + NAME_BYTES + 16 + 32
MEMBER_BYTES = 1 + NAME_BYTES + 1 + 1 + 8
COMMIT_HEAD_BYTES = 2 + 2 + 16 + 4 + 32 + 32 + 4  # up to the committer's leaf
COMMIT_TAIL_BYTES = 8 + 32 + 32 + 32  # from the log's size to the confirmation
OPS_BYTES = (3 + 1 + NAME_BYTES + 2) + (3 + ENTRY_BYTES)  # a SetMember and an Add
COMMIT_BYTES = 4 + COMMIT_HEAD_BYTES + 4 + OPS_BYTES + 4 + COMMIT_TAIL_BYTES + 64


def keys() -> Keys:
    """RSA keys that the tests share."""
    return Keys(rsa_key("server"), SharedKeys(rsa_key("identity of bench"), rsa_key("device of bench")))


class FigureCase(SynchronousTestCase):
    """Figures that hold, whatever the machine."""

    def check(self, line: dict[str, object], exact: Mapping[str, object], times: str) -> None:
        """The line has these values, these times, and nothing else; each time is above zero."""
        measured = {f"{name}_us" for name in times.split()}
        self.assertEqual(line.keys(), exact.keys() | measured | {"repetitions"})
        self.assertEqual({name: line[name] for name in exact}, exact)
        for name in measured | {"repetitions"}:
            value = line[name]
            assert isinstance(value, int | float)
            self.assertGreater(value, 0)


class MessageTests(FigureCase):
    """A message in memory and on disk."""

    def test_message(self) -> None:
        """A message of 100 bytes has the smallest envelope there is."""
        exact = {"scenario": "message", "text_bytes": 100, "envelope_bytes": ENVELOPE_BYTES_MIN}
        self.check(message_figures(keys(), 0), exact, "send receive")

    def test_vault(self) -> None:
        """A batch goes from one device's outbox into the other's archive, message by message or all at once."""
        server = Server(keys().server, keys().accounts(3))
        for batch in BATCHES:
            exact = {
                "scenario": "vault",
                "devices": 3,
                "batch": batch,
                "text_bytes": 100,
                "envelope_bytes": ENVELOPE_BYTES_MIN,
            }
            line = vault_figures(server, keys().shared, batch, BODY, None, 0)
            self.check(line, exact, "keep seal acknowledge receive live")


class CommitTests(FigureCase):
    """A commit that adds a device."""

    def test_bytes(self) -> None:
        """What goes up and down is what the structures say."""
        for devices in (2, 3, 10):
            exact = {
                "scenario": "commit",
                "devices": devices,
                "prekey_bytes": (devices - 1) * SIGNED_PREKEY_BYTES,
                "uploaded_bytes": (devices - 1) * WRAP_BYTES + COMMIT_BYTES,
                "received_bytes": COMMIT_BYTES + WRAP_BYTES + (devices - 2).bit_length() * HASH_BYTES,
                "commit_bytes": COMMIT_BYTES,
                "state_bytes": 4 + len(POLICY.encode()) + 4 + devices * MEMBER_BYTES + 4 + devices * ENTRY_BYTES,
            }
            self.check(commit_figures(keys(), devices, 0), exact, "committer server receiver")


class WorldTests(SynchronousTestCase):
    """The log that commits name."""

    def test_roots(self) -> None:
        """There is a root for each size of the log, and none beyond."""
        world = World.of(keys().server_id, keys().accounts(2))
        self.assertEqual((world.facts.size, world.root_at(4)), (4, world.root))
        self.assertEqual(len({world.root_at(size) for size in range(5)}), 5)
        self.assertIsNone(world.root_at(5))


class TimingTests(SynchronousTestCase):
    """Repetitions and medians."""

    def test_median(self) -> None:
        """A median in microseconds, of one of the equal things that a repetition did."""
        self.assertEqual(Timed.of([9_000_000, 1_000_000, 2_000_000], 4), Timed(500.0, 3))

    def test_least(self) -> None:
        """However little time there is, something is done a few times."""
        done: list[int] = []
        repeat(lambda: done.append(1), 0)
        self.assertEqual(len(done), LEAST)
        self.assertEqual(timed(lambda: done.append(1), 0).repetitions, LEAST)
        self.assertEqual(len(done), 2 * LEAST + 1)

    def test_laps(self) -> None:
        """Each step has its figure; the repetitions are those of the step that has the fewest."""
        laps = Laps()
        for name in ("one", "one", "other"):
            with laps.lap(name):
                pass
        line = figures(laps.timed())
        self.assertEqual((line.keys(), line["repetitions"]), ({"one_us", "other_us", "repetitions"}, 1))
