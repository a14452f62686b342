"""A node that reaches no store lets its people go where others reach it, and takes them in again later."""

from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.node import BEAT_SECONDS
from chatserv.backplane.reach import AWAY_SECONDS, LEAVE_SECONDS, LOOK_SECONDS, MAX_REMEMBERED, REMEMBER_SECONDS, Reach
from chatserv.errors import Busy
from chatserv.net.effects import reactor_effects


@dataclass
class Said:
    """What a node says of itself."""

    node: bytes = b""
    draining: bool = False
    store_reached: bool = True


class ReachTests(SynchronousTestCase):
    """One node, and another that it hears of."""

    def setUp(self) -> None:
        """The store answers, and so it does to the other one."""
        self.clock, self.state, self.others = Clock(), Said(), [Said()]
        self.told: list[str] = []
        self.there, self.asked = True, 0
        self.hanging: list[Deferred[None]] = []
        self.hangs, self.answers = False, 0
        effects = reactor_effects(self.clock, lambda: 0, bytes)
        self.reach = Reach(
            effects,
            self.ask,
            lambda: self.answers,
            lambda: self.others,
            self.state,
            lambda: self.told.append("leave"),
            lambda: self.told.append("stay"),
        )
        self.reach.start()
        self.addCleanup(self.reach.stop)

    async def ask(self) -> None:
        """A question to the store."""
        self.asked += 1
        if self.hangs:
            self.hanging.append(Deferred())
            await self.hanging[-1]
        if not self.there:
            raise Busy("away")

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.pump([LOOK_SECONDS] * round(seconds / LOOK_SECONDS))

    def test_answers(self) -> None:
        """It is asked about once a second, and nothing comes of it."""
        self.wait(20)
        self.assertEqual((self.state, self.told), (Said(), []))
        self.assertIn(self.asked, range(24, 28))

    def test_refused(self) -> None:
        """The others are told; then people are sent away, once, and taken in again when it is back."""
        self.there = False
        self.wait(AWAY_SECONDS + 1)
        self.assertEqual((self.state, self.told), (Said(draining=False, store_reached=False), []))
        self.wait(LEAVE_SECONDS * 3)
        self.assertEqual((self.state, self.told), (Said(draining=True, store_reached=False), ["leave"]))
        self.there = True
        self.wait(2)
        self.assertEqual((self.state, self.told), (Said(), ["leave", "stay"]))

    def test_silent(self) -> None:
        """Likewise where there is no answer at all; it is not asked again meanwhile."""
        self.hangs = True
        self.wait(LEAVE_SECONDS * 3)
        self.assertEqual((self.told, len(self.hanging)), (["leave"], 1))
        self.hangs = False
        self.hanging[0].callback(None)
        self.wait(1)
        self.assertEqual(self.told, ["leave", "stay"])

    def test_in_a_long_line(self) -> None:
        """Nobody is sent away where the store answers others, however long this question waits; it is reached."""
        self.hangs = True
        for _ in range(20):
            self.wait(1)
            self.answers += 1
            self.assertEqual((self.told, self.state), ([], Said()))
        self.wait(LEAVE_SECONDS + 1)
        self.assertEqual(self.told, ["leave"])
        self.answers += 1
        self.wait(LOOK_SECONDS)
        self.assertEqual((self.told, self.state), (["leave", "stay"], Said()))

    def test_standing_still_itself(self) -> None:
        """A node that had no time to look does not take that for silence of the store."""
        self.hangs = True
        for _ in range(4):
            self.clock.advance(LEAVE_SECONDS)
            self.assertEqual(self.told, [])
        self.wait(LEAVE_SECONDS)
        self.assertEqual(self.told, ["leave"])

    def test_nobody_else_reaches_it(self) -> None:
        """People stay where they are: the other one does not reach it either, or there is none."""
        self.there = False
        self.others[0].store_reached = False
        self.wait(LEAVE_SECONDS * 2)
        self.others[0] = Said(draining=True)
        self.wait(LEAVE_SECONDS * 2)
        self.others.clear()
        self.wait(LEAVE_SECONDS * 2)
        self.assertEqual(self.told, [])
        self.others.append(Said(b"two"))
        self.wait(LOOK_SECONDS)
        self.assertEqual(self.told, ["leave"])

    def test_nobody_is_heard(self) -> None:
        """Who reached it when they were last heard may still do so, for a while."""
        self.others.clear()
        self.wait(REMEMBER_SECONDS - LEAVE_SECONDS - 2)
        self.there = False
        self.wait(LEAVE_SECONDS + 1)
        self.assertEqual(self.told, ["leave"])

    def test_nobody_was_heard_for_long(self) -> None:
        """Then nothing is known of them."""
        self.others.clear()
        self.wait(REMEMBER_SECONDS)
        self.there = False
        self.wait(LEAVE_SECONDS * 2)
        self.assertEqual(self.told, [])

    def test_bound(self) -> None:
        """So many nodes are remembered, and no more."""
        self.others = [Said(bytes([number // 256, number % 256])) for number in range(MAX_REMEMBERED + 5)]
        self.wait(1)
        self.assertEqual(len(self.reach._heard), MAX_REMEMBERED)

    def test_all_at_once(self) -> None:
        """Where the store goes for all nodes, each has said so before another could send people to it."""
        self.assertGreater(LEAVE_SECONDS - LOOK_SECONDS, AWAY_SECONDS + LOOK_SECONDS + BEAT_SECONDS)

    def test_stopped(self) -> None:
        """Nobody is taken in by a node that ends."""
        self.there = False
        self.wait(LEAVE_SECONDS + 1)
        self.hangs = True
        self.wait(2)
        self.reach.stop()
        self.hangs, self.there = False, True
        self.hanging[0].callback(None)
        self.assertEqual(self.told, ["leave"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
