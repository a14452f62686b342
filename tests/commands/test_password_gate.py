"""How many passwords may be tried and whose turn it is, with a clock of its own."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.password_gate import PasswordGate
from chatserv.config import Config
from chatserv.errors import Busy, RateLimited
from chatserv.limits import Limits
from chatserv.live_settings import LiveSettings
from chatserv.net.effects import reactor_effects

OFFICE = "192.0.2.7"


def street(number: int) -> str:
    """An address in a block of its own."""
    return f"10.{number // 256}.{number % 256}.1"


class GateCase(SynchronousTestCase):
    """A gate."""

    def setUp(self) -> None:
        """With the default limits."""
        self.make()

    def make(self, **limits: Any) -> None:
        """One with other limits."""
        self.clock = Clock()
        settings = LiveSettings(Config(limits=Limits(**limits)))
        self.gate = PasswordGate(settings, reactor_effects(self.clock, lambda: 0, bytes))

    def ask(
        self, host: str, user: str = "alice", *, familiar: bool = False, alive: Callable[[], bool] = lambda: True
    ) -> "Deferred[None]":
        """Waits for a turn."""
        return Deferred.fromCoroutine(self.gate.turn(user, host, familiar=familiar, alive=alive))

    def guess(self, host: str, user: str = "alice", *, familiar: bool = False) -> "Deferred[None]":
        """Tries a wrong password as soon as it is one's turn."""
        asking = self.ask(host, user, familiar=familiar)
        return asking.addCallback(lambda _: self.gate.tried(user, host, familiar=familiar, held=False))

    def wrong(self, count: int, *, first: int = 0, user: str = "alice") -> None:
        """So many wrong passwords, each from another network."""
        for number in range(first, first + count):
            self.successResultOf(self.guess(street(number), user))

    def refused(self, host: str, kind: type[Exception], user: str = "alice") -> Any:
        """The error of a try from there."""
        return self.failureResultOf(self.ask(host, user), kind).value


class NetworkTests(GateCase):
    """Five failures in five minutes for an account from one network."""

    def test_the_sixth_is_refused_until_the_first_is_five_minutes_old(self) -> None:
        """For this account from this network, and for nothing else."""
        for _ in range(5):
            self.successResultOf(self.guess(OFFICE))
            self.clock.advance(10)
        self.assertEqual(self.refused(OFFICE, RateLimited).after_seconds, 250)
        self.assertRaises(RateLimited, self.gate.check, "alice", OFFICE)
        self.successResultOf(self.ask(OFFICE, "bob"))
        self.successResultOf(self.ask("192.0.2.8"))
        self.clock.advance(250)
        self.successResultOf(self.ask(OFFICE))

    def test_a_right_one_does_not_count(self) -> None:
        """However many there are."""
        for _ in range(100):
            self.successResultOf(self.ask(OFFICE))
            self.gate.tried("alice", OFFICE, familiar=False, held=True)
        self.successResultOf(self.ask(OFFICE))

    def test_a_network_is_a_64(self) -> None:
        """Addresses of one IPv6 network count together."""
        for number in range(5):
            self.successResultOf(self.guess(f"2001:db8::{number + 1}"))
        self.refused("2001:db8::ffff", RateLimited)
        self.successResultOf(self.ask("2001:db8:0:1::1"))

    def test_a_familiar_network_has_the_same_bound(self) -> None:
        """Guessing from the desk beside is no better."""
        for _ in range(5):
            self.successResultOf(self.guess(OFFICE, familiar=True))
        self.failureResultOf(self.ask(OFFICE, familiar=True), RateLimited)


class AccountTests(GateCase):
    """Fifty failures for an account from everywhere, then turns."""

    def test_the_fifty_first_waits(self) -> None:
        """For six seconds, and is not refused; another account waits for nothing."""
        self.wrong(50)
        waiting = self.ask(street(100))
        self.successResultOf(self.ask(street(100), "bob"))
        self.clock.advance(5.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.2)
        self.successResultOf(waiting)

    def test_familiar_networks_neither_wait_nor_count(self) -> None:
        """Whoever comes from where the account has been before is let in at once, whatever others do."""
        self.wrong(50)
        guesser = self.ask(street(60))
        self.successResultOf(self.ask(OFFICE, familiar=True))
        self.assertNoResult(guesser)
        self.make()
        for number in range(60):
            self.successResultOf(self.guess(street(number), familiar=True))
        self.successResultOf(self.ask(street(100)))

    def test_one_after_the_other(self) -> None:
        """A turn that ends in a failure gives the next six seconds later, one that holds at once."""
        self.wrong(50)
        guessers = [self.guess(street(100 + number)) for number in range(3)]
        right = self.ask(street(200))
        right.addCallback(lambda _: self.gate.tried("alice", street(200), familiar=False, held=True))
        after = self.ask(street(201))
        for number in range(3):
            self.clock.advance(6.01)
            self.assertEqual([each.called for each in guessers], [at <= number for at in range(3)])
        self.assertNoResult(right)
        self.clock.advance(6.01)
        self.clock.advance(0)
        self.successResultOf(right)
        self.successResultOf(after)

    def test_whoever_has_failed_before_stands_behind(self) -> None:
        """A guesser who comes back from a network waits behind somebody who comes from a fresh one."""
        self.wrong(50)
        again = self.guess(street(3))
        fresh = self.guess(street(100))
        self.clock.advance(6.01)
        self.assertNoResult(again)
        self.successResultOf(fresh)

    def test_one_of_a_network(self) -> None:
        """A second proof from one that waits already is told to come back."""
        self.wrong(50)
        first = self.ask(OFFICE)
        self.assertEqual(self.refused(OFFICE, Busy).after_seconds, 6)
        self.clock.advance(6.01)
        self.successResultOf(first)

    def test_the_line_is_bounded(self) -> None:
        """Twenty wait; one more from a block of its own is told to come back, with as little to its charge as they."""
        self.wrong(50)
        waiting = [self.guess(street(100 + number)) for number in range(20)]
        self.refused(street(200), Busy)
        self.assertEqual(self.gate.waiting, 20)
        self.clock.pump([1.0] * 61)
        self.assertEqual(sum(each.called for each in waiting), 10)

    def test_nobody_waits_longer_than_the_line_is_long(self) -> None:
        """A guesser at each place, who fails: who came last has their turn after two minutes."""
        self.wrong(50)
        guessers = [self.guess(street(100 + number)) for number in range(19)]
        right = self.ask(street(200))
        self.clock.pump([1.0] * int(Limits().longest_turn_seconds + 1))
        self.successResultOf(right)
        for each in guessers:
            self.successResultOf(each)

    def test_a_full_line_makes_place_for_who_has_failed_less(self) -> None:
        """Those who come again and again go first; they are told so."""
        self.wrong(50)
        guessers = [self.guess(street(number)) for number in range(20)]
        right = self.guess(street(200))
        self.clock.advance(0)
        self.failureResultOf(guessers[19], Busy)
        self.clock.advance(6.01)
        self.successResultOf(right)
        self.assertNoResult(guessers[0])

    def test_a_full_line_makes_place_for_who_has_less_in_it(self) -> None:
        """The newest of the block that has most, if that is more than the newcomer's would have."""
        self.wrong(50)
        crowd = [self.ask(f"10.200.0.{number + 1}") for number in range(20)]
        right = self.ask(street(200))
        self.clock.advance(0)
        self.failureResultOf(crowd[-1], Busy)
        self.assertNoResult(right)
        self.refused("10.200.0.77", Busy)
        for _ in range(20):
            self.clock.advance(6.01)
        self.successResultOf(right)

    def test_who_is_gone_is_passed_over(self) -> None:
        """A connection that has ended takes nobody's turn and nobody's place."""
        self.wrong(50)
        there = [True] * 20
        gone = [self.ask(street(100 + n), alive=lambda n=n: there[n]) for n in range(20)]  # type: ignore[misc]
        there[:] = [False] * 20
        right = self.ask(street(200))
        self.assertEqual(self.gate.waiting, 1)
        self.clock.advance(6.01)
        self.successResultOf(right)
        for each in gone:
            self.assertNoResult(each)

    def test_a_turn_is_no_way_round_the_bound_of_a_network(self) -> None:
        """What has failed meanwhile from there counts when the turn comes."""
        self.wrong(50)
        waiting = self.ask(OFFICE)
        for _ in range(5):
            self.gate.tried("alice", OFFICE, familiar=True, held=False)
        self.clock.advance(6.01)
        self.failureResultOf(waiting, RateLimited)


class TableTests(GateCase):
    """Nothing here grows with the number of those who guess."""

    def test_counters(self) -> None:
        """Names and networks beyond the bound push the oldest out."""
        self.make(counters=3)
        for number in range(10):
            self.wrong(1, first=number, user=f"user{number}")
        gate: Any = self.gate
        self.assertEqual([len(table) for table in (gate._failures, gate._levels, gate._failed)], [3, 3, 3])

    def test_all_lines_together(self) -> None:
        """As many wait as may be connected without having logged in."""
        self.make(unauthenticated_connections=30, password_tries_account=1)
        for user in ("alice", "bob"):
            self.wrong(1, user=user)
        for number in range(20):
            self.ask(street(100 + number))
        for number in range(10):
            self.ask(street(100 + number), "bob")
        self.refused(street(200), Busy, "bob")
        self.assertEqual(self.gate.waiting, 30)

    def test_a_line_that_is_over_leaves_nothing(self) -> None:
        """Neither a timer nor an entry."""
        self.wrong(50)
        waiting = self.ask(OFFICE)
        self.clock.advance(7)
        self.successResultOf(waiting)
        gate: Any = self.gate
        self.assertEqual((gate._lines, self.clock.getDelayedCalls()), ({}, []))
