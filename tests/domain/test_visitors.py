"""What one network may do: connections, new ones, and what comes of misbehaving."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.visitors import NOTE_SECONDS, Fault, Refusal, VisitorLimits, Visitors

LIMITS = VisitorLimits(connections=3, new_connections=6, new_seconds=60, penalty_seconds=15, penalty_most_seconds=40)
HOST, NEAR, OTHER = "2001:db8::1", "2001:db8::ffff:2", "192.0.2.7"


class VisitorCase(SynchronousTestCase):
    """A server with a clock of its own."""

    def setUp(self) -> None:
        """Nobody was there yet."""
        self.clock, self.limits = Clock(), LIMITS
        self.visitors = Visitors(lambda: self.limits, self.clock.seconds, most=100)

    def connect(self, host: str) -> Refusal | None:
        """Somebody tries."""
        refusal = self.visitors.refusal(host)
        if refusal is None:
            self.visitors.came(host)
        return refusal


class ConnectionTests(VisitorCase):
    """Connections at once, and new ones."""

    def test_at_once(self) -> None:
        """As many as the bound, and none more, from one /64; others are not concerned, and who goes makes a place."""
        self.assertEqual(
            [None, None, None, Refusal.TOO_MANY], [self.connect(each) for each in (HOST, NEAR, HOST, NEAR)]
        )
        self.assertIsNone(self.connect(OTHER))
        self.visitors.left(HOST)
        self.assertIsNone(self.connect(NEAR))

    def test_new(self) -> None:
        """As many new ones as the bound, though each goes at once; then one more for each that the time gives back."""
        for _ in range(LIMITS.new_connections):
            self.assertIsNone(self.connect(OTHER))
            self.visitors.left(OTHER)
        self.assertEqual(Refusal.TOO_FAST, self.connect(OTHER))
        self.clock.advance(LIMITS.new_seconds / LIMITS.new_connections)
        self.assertIsNone(self.connect(OTHER))
        self.assertEqual(Refusal.TOO_FAST, self.connect(OTHER))
        self.assertIsNone(self.connect(HOST))

    def test_mapped(self) -> None:
        """IPv4 inside IPv6 is the same network."""
        for host in (OTHER, f"::ffff:{OTHER}", OTHER):
            self.assertIsNone(self.connect(host))
        self.assertEqual(Refusal.TOO_MANY, self.connect(f"::ffff:{OTHER}"))

    def test_exempt(self) -> None:
        """The machine itself, a socket without addresses, and trusted networks may do as they like."""
        self.visitors.trust(["192.0.2.0/24", "2001:db8::/32"])
        for host in ("127.0.0.1", "::1", "local", OTHER, HOST):
            self.visitors.punish(host, Fault.SILENCE)
            self.assertEqual([None] * 20, [self.connect(host) for _ in range(20)])
        self.visitors.trust([])
        self.assertEqual(Refusal.TOO_MANY, [self.connect(OTHER) for _ in range(2)][-1])

    def test_other_bounds(self) -> None:
        """Bounds that are changed go for the next connection."""
        self.connect(OTHER)
        self.limits = replace(LIMITS, connections=1)
        self.assertEqual(Refusal.TOO_MANY, self.connect(OTHER))
        self.limits = replace(LIMITS, connections=9)
        self.assertIsNone(self.connect(OTHER))


class PenaltyTests(VisitorCase):
    """What comes of what no honest client does."""

    def test_threshold(self) -> None:
        """Up to the threshold nothing; beyond it nobody comes in from there, until it has worn off."""
        for _ in range(3):
            self.visitors.punish(OTHER, Fault.FAILED_LOGIN)
        self.assertIsNone(self.connect(OTHER))
        self.visitors.punish(OTHER, Fault.FAILED_LOGIN)
        self.assertEqual(Refusal.PENALTY, self.connect(OTHER))
        self.assertIsNone(self.connect(HOST))
        self.clock.advance(4.9)
        self.assertEqual(Refusal.PENALTY, self.connect(OTHER))
        self.clock.advance(0.2)
        self.assertIsNone(self.connect(OTHER))

    def test_most(self) -> None:
        """However much somebody does, after the longest time all is forgotten."""
        for _ in range(1000):
            self.visitors.punish(OTHER, Fault.GARBAGE)
        self.clock.advance(LIMITS.penalty_most_seconds - LIMITS.penalty_seconds)
        self.assertIsNone(self.connect(OTHER))

    def test_bound(self) -> None:
        """Of so many networks penalties are kept; one more, and the one that was heard of longest ago goes."""
        for number in range(101):
            for _ in range(2):
                self.visitors.punish(f"192.0.{number}.1", Fault.SILENCE)
        self.assertEqual(100, len(self.visitors))
        self.assertIsNone(self.visitors.refusal("192.0.0.1"))
        self.assertEqual(Refusal.PENALTY, self.visitors.refusal("192.0.1.1"))

    def test_not_washed_away(self) -> None:
        """Any number of networks that come by, and have done nothing, take nobody's penalty away."""
        for _ in range(2):
            self.visitors.punish(OTHER, Fault.SILENCE)
        for number in range(1000):
            self.connect(f"2001:db8:0:{number:x}::1")
        self.assertEqual(Refusal.PENALTY, self.connect(OTHER))

    def test_block(self) -> None:
        """Who uses up one network after the other is kept out as a whole."""
        for number in range(13):
            self.assertIsNone(self.connect(f"2001:db8:0:{number:x}::1"))
            self.visitors.punish(f"2001:db8:0:{number:x}::1", Fault.SILENCE)
        self.assertEqual(Refusal.PENALTY, self.connect("2001:db8:0:ffff::1"))
        self.assertIsNone(self.connect("2001:db8:1::1"))

    def test_worn_off(self) -> None:
        """What has worn off takes no memory."""
        self.visitors.punish(OTHER, Fault.SILENCE)
        self.clock.advance(1000)
        self.visitors.punish(HOST, Fault.SILENCE)
        self.assertEqual(2, len(self.visitors))

    def test_forgotten_while_connected(self) -> None:
        """Who is forgotten while they are connected is counted all the same."""
        for _ in range(3):
            self.connect(HOST)
        for number in range(100):
            self.visitors.punish(f"192.0.2.{number}", Fault.SILENCE)
        self.assertEqual(Refusal.TOO_MANY, self.connect(HOST))

    def test_notes(self) -> None:
        """One line in a while for each network."""
        self.assertEqual([True, False, True], [self.visitors.notes(each) for each in (HOST, NEAR, OTHER)])
        self.clock.advance(NOTE_SECONDS)
        self.assertTrue(self.visitors.notes(NEAR))

    @given(st.lists(st.tuples(st.sampled_from(["come", "leave", "punish"]), st.integers(0, 3), st.floats(0, 30))))
    def test_anything(self, steps: list[tuple[str, int, float]]) -> None:
        """Whatever happens, no network has more than the bound inside, and the counts fit who is there."""
        self.setUp()
        inside = [0] * 4
        for what, number, seconds in steps:
            host = f"198.51.100.{number}"
            self.clock.advance(seconds)
            if what == "punish":
                self.visitors.punish(host, Fault.SILENCE)
            elif what == "leave" and inside[number]:
                self.visitors.left(host)
                inside[number] -= 1
            elif what == "come" and self.connect(host) is None:
                inside[number] += 1
            self.assertLessEqual(inside[number], LIMITS.connections)
        self.assertEqual({f"198.51.100.{n}": c for n, c in enumerate(inside) if c}, dict(self.visitors._inside))
