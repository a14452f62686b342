"""What the benchmark of the end-to-end part counts: its bytes, not its times."""

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from bench.__main__ import arguments, scenarios
from bench.accounts import SharedKeys
from bench.e2e import BATCHES, BODY, DEVICES, Commitment, Keys, all_figures, commit_figures, message_figures
from bench.rooms import POLICY, World
from bench.server import BenchError
from bench.timing import LEAST, Laps, Timed, figures, repeat, timed
from bench.vault import Server, vault_figures
from chatserv.crypto.envelope import ENVELOPE_BYTES_MIN
from chatserv.crypto.merkle import HASH_BYTES
from chatserv.crypto.prekeys import SIGNED_PREKEY_BYTES
from chatserv.crypto.wraps import WRAP_BYTES
from chatserv.errors import Reject
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

    def test_parts(self) -> None:
        """The receiver gets a chain of each device from its own wrap, and from no other."""
        work = Commitment(keys(), 4)
        encoded, wraps = work.make()
        outcome, paths = work.validate(encoded, wraps)
        self.assertEqual([entry.leaf for entry in outcome.state.roster], [0, 1, 2, 3])
        self.assertEqual(work.take(encoded, wraps[1], paths[0]).keys(), {0, 1, 2, 3})
        self.assertRaises(Reject, work.take, encoded, wraps[2], paths[1])

    def test_other_wraps(self) -> None:
        """The server's part notices wraps that the commit does not name."""
        work = Commitment(keys(), 3)
        encoded, wraps = work.make()
        self.assertRaises(BenchError, work.validate, encoded, {**wraps, 2: wraps[1]})


class RunTests(SynchronousTestCase):
    """What is run."""

    def test_all(self) -> None:
        """One line for the message, one for each batch, one for each size of a room."""
        self.patch(Keys, "generate", keys)
        lines = [(line["scenario"], line.get("batch", line.get("devices"))) for line in all_figures(None, 0)]
        expected = [("message", None), *(("vault", batch) for batch in BATCHES), *(("commit", n) for n in DEVICES)]
        self.assertEqual(lines, expected)

    def test_parts(self) -> None:
        """Both parts without arguments; one of them if asked for, and the load alone with options of it."""
        self.assertEqual(arguments([]).part, "all")
        self.assertEqual(arguments(["--scenario", "s2"]).part, "delivery")
        self.assertEqual(arguments(["e2e"]).part, "e2e")
        self.assertEqual(scenarios(arguments(["e2e"])), [])
        self.assertEqual(len(scenarios(arguments(["delivery"]))), 3)


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
