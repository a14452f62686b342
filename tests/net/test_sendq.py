"""The send queue: one write a turn, in order, bounded, and gone when the connection is."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from chatserv.domain.closing import CloseReason
from chatserv.limits import Limits
from chatserv.net import sendq
from chatserv.net.sendq import LIGHT_SECONDS, WRITE_BYTES, SendQueue, TurnFlusher
from chatserv.turnstile import LONG_SECONDS

LIMITS = Limits()
SOFT, HARD = LIMITS.sendq_soft_bytes, LIMITS.sendq_hard_bytes


class Bare:
    """Seals nothing: messages leave as they are."""

    def __init__(self) -> None:
        self.broken = False

    def seal(self, parts: Sequence[bytes]) -> list[bytes]:
        """The parts themselves."""
        if self.broken:
            raise RuntimeError("cannot be sealed")
        return list(parts)

    def close(self, reason: CloseReason) -> bytes:
        """A line that says why."""
        return b"<CLOSE %d>" % reason


class Transport(StringTransport):
    """Keeps each write; says stop after each where ``full``."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.full = False

    def write(self, data: bytes) -> None:
        """One write."""
        self.writes.append(data)
        if self.full and self.producer is not None:
            self.producer.pauseProducing()


class Watching:
    """Remembers what the queue reports; ``on_overflow`` is what the connection would do."""

    def __init__(self) -> None:
        self.reports: list[Any] = []
        self.on_overflow: Callable[[], None] = lambda: None

    def overflowed(self) -> None:
        """The hard limit is passed."""
        self.reports.append("overflowed")
        self.on_overflow()

    def pressed(self, *, above: bool) -> None:
        """The soft limit is passed, one way or the other."""
        self.reports.append("above" if above else "below")

    def ended(self, reason: CloseReason) -> None:
        """CLOSE was written."""
        self.reports.append(reason)

    def fell_behind(self) -> None:
        """There was no place for events."""
        self.reports.append("fell behind")

    def broke(self) -> None:
        """It failed."""
        self.reports.append("broke")


class Rig:
    """A queue and everything around it."""

    def __init__(self, flusher: TurnFlusher | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.flusher = flusher or TurnFlusher(self.clock)
        self.session, self.transport, self.watcher = Bare(), Transport(), Watching()
        self.queue = SendQueue(self.session, self.transport, self.transport.write, self.flusher, LIMITS, self.watcher)  # type: ignore[arg-type]
        self.watcher.on_overflow = self.queue.close

    def put(self, *parts: bytes) -> None:
        """Queues messages."""
        self.queue.queue(parts, sum(map(len, parts)))

    def turn(self) -> None:
        """Ends the turn of the reactor."""
        self.clock.advance(0)

    @property
    def written(self) -> bytes:
        """Everything that left."""
        return b"".join(self.transport.writes)


class SendQueueTests(SynchronousTestCase):
    """What `SendQueue` promises."""

    def setUp(self) -> None:
        """One queue."""
        self.rig = Rig()

    def test_producer(self) -> None:
        """The queue is its transport's streaming producer."""
        self.assertTrue(verifyObject(IPushProducer, self.rig.queue))
        self.assertIs(self.rig.transport.producer, self.rig.queue)
        self.assertTrue(self.rig.transport.streaming)

    def test_one_write_a_turn(self) -> None:
        """Everything queued in a turn leaves at its end, as one write and in order."""
        for at in range(100):
            self.rig.put(b"%d," % at)
        self.assertEqual(self.rig.transport.writes, [])
        self.rig.turn()
        self.assertEqual(self.rig.transport.writes, [b"".join(b"%d," % at for at in range(100))])
        self.assertEqual(self.rig.queue.queued_bytes, 0)

    def test_quiet_turn(self) -> None:
        """A turn without messages writes nothing and leaves nothing in the reactor."""
        self.rig.put(b"one")
        self.rig.turn()
        self.rig.turn()
        self.assertEqual(self.rig.transport.writes, [b"one"])
        self.assertEqual(self.rig.clock.getDelayedCalls(), [])

    def test_much_leaves_in_pieces(self) -> None:
        """More than a write's worth leaves in several writes, so that a full transport can say stop in between."""
        parts = [bytes((at,)) * 10_000 for at in range(9)]
        self.rig.put(*parts)
        self.rig.turn()
        self.assertEqual(self.rig.written, b"".join(parts))
        self.assertTrue(all(len(write) <= WRITE_BYTES for write in self.rig.transport.writes))
        self.assertEqual(len(self.rig.transport.writes), 3)

    def test_one_message_larger_than_a_write(self) -> None:
        """A message larger than a write leaves alone."""
        self.rig.put(b"a" * (WRITE_BYTES + 1), b"b")
        self.rig.turn()
        self.assertEqual([len(write) for write in self.rig.transport.writes], [WRITE_BYTES + 1, 1])

    def test_full_transport_holds(self) -> None:
        """While the transport is full nothing is written; afterwards it goes on where it stopped."""
        self.rig.transport.full = True
        self.rig.put(b"a" * WRITE_BYTES, b"b" * 10)
        self.rig.turn()
        self.assertEqual(len(self.rig.written), WRITE_BYTES)
        self.rig.put(b"c")
        self.rig.turn()
        self.assertEqual(len(self.rig.written), WRITE_BYTES)
        self.assertEqual(self.rig.queue.queued_bytes, 11)
        self.rig.queue.resumeProducing()
        self.assertEqual(self.rig.written[-11:], b"b" * 10 + b"c")

    def test_soft_limit(self) -> None:
        """At the soft limit nothing is reported; one byte more is, once; and again when it is below."""
        self.rig.queue.pauseProducing()
        self.rig.put(b"a" * SOFT)
        self.assertEqual(self.rig.watcher.reports, [])
        self.rig.put(b"b")
        self.rig.put(b"c")
        self.assertEqual(self.rig.watcher.reports, ["above"])
        self.rig.queue.resumeProducing()
        self.assertEqual(self.rig.watcher.reports, ["above", "below"])

    def test_hard_limit(self) -> None:
        """The hard limit can be reached; one byte more is an overflow, and all is dropped."""
        self.rig.queue.pauseProducing()
        self.rig.put(b"a" * HARD)
        self.assertNotIn("overflowed", self.rig.watcher.reports)
        self.rig.put(b"b")
        self.assertIn("overflowed", self.rig.watcher.reports)
        self.rig.put(b"c")
        self.assertEqual(self.rig.watcher.reports.count("overflowed"), 1)
        self.assertEqual((self.rig.queue.queued_bytes, self.rig.written), (0, b""))

    def test_place(self) -> None:
        """There is place for a room's events up to half of the hard limit; the other half is for answers."""
        self.rig.queue.pauseProducing()
        self.rig.put(b"a" * 1000)
        self.assertTrue(self.rig.queue.has_place(HARD // 2 - 1000))
        self.assertFalse(self.rig.queue.has_place(HARD // 2 - 999))
        self.rig.queue.fell_behind()
        self.assertEqual(self.rig.watcher.reports, ["fell behind"])

    def test_stalled(self) -> None:
        """The queue knows since when its transport has been full."""
        self.assertIsNone(self.rig.queue.stalled_since)
        self.rig.clock.advance(5)
        self.rig.queue.pauseProducing()
        self.rig.clock.advance(5)
        self.assertEqual(self.rig.queue.stalled_since, 5)
        self.rig.queue.resumeProducing()
        self.assertIsNone(self.rig.queue.stalled_since)

    def test_writable_at_once(self) -> None:
        """Whoever waits for room below the soft limit does not wait."""
        self.rig.put(b"a" * SOFT)
        self.successResultOf(Deferred.fromCoroutine(self.rig.queue.writable()))

    def test_writable_later(self) -> None:
        """Whoever waits above the soft limit goes on when the queue is below it."""
        self.rig.put(b"a" * (SOFT + 1))
        waiting = Deferred.fromCoroutine(self.rig.queue.writable())
        self.assertNoResult(waiting)
        self.rig.turn()
        self.successResultOf(waiting)

    def test_writable_when_closed(self) -> None:
        """Closing lets everybody go who waits, and nobody waits any more."""
        self.rig.put(b"a" * (SOFT + 1))
        waiting = Deferred.fromCoroutine(self.rig.queue.writable())
        self.rig.queue.close()
        self.successResultOf(waiting)
        self.successResultOf(Deferred.fromCoroutine(self.rig.queue.writable()))

    def test_many_waiters_do_not_overflow(self) -> None:
        """Of many that wait for room, each checks again, so that together they do not fill the queue to its hard limit."""

        async def fill() -> None:
            await self.rig.queue.writable()
            self.rig.put(b"x" * 50_000)

        self.rig.put(b"a" * (SOFT + 1))
        filling = [Deferred.fromCoroutine(fill()) for _ in range(64)]
        for _ in range(64):
            self.rig.turn()
        for deferred in filling:
            self.successResultOf(deferred)
        self.assertNotIn("overflowed", self.rig.watcher.reports)
        self.assertEqual(len(self.rig.written), SOFT + 1 + 64 * 50_000)

    def test_end(self) -> None:
        """``end`` flushes what the turn queues, before and after it, then writes CLOSE and closes."""
        self.rig.put(b"before ")
        self.rig.queue.end(CloseReason.NORMAL)
        self.rig.put(b"after ")
        self.rig.turn()
        self.assertEqual(self.rig.written, b"before after <CLOSE 0>")
        self.assertEqual(self.rig.watcher.reports, [CloseReason.NORMAL])
        self.assertTrue(self.rig.queue.closed)
        self.assertIsNone(self.rig.transport.producer)

    def test_end_of_an_empty_queue(self) -> None:
        """``end`` needs nothing in the queue; only the first reason counts."""
        self.rig.queue.end(CloseReason.REPLACED)
        self.rig.queue.end(CloseReason.DRAINING)
        self.rig.turn()
        self.rig.queue.end(CloseReason.NORMAL)
        self.rig.turn()
        self.assertEqual(self.rig.written, b"<CLOSE 2>")

    def test_end_while_full(self) -> None:
        """``end`` does not wait for a peer that does not read: what it has not taken is dropped, CLOSE is the last."""
        self.rig.queue.pauseProducing()
        self.rig.put(b"unread")
        self.rig.queue.end(CloseReason.DRAINING)
        self.rig.turn()
        self.assertEqual(self.rig.written, b"<CLOSE 1>")

    def test_close_drops(self) -> None:
        """After ``close`` nothing leaves and nothing is kept, whatever comes; closing twice is harmless."""
        self.rig.put(b"one")
        self.rig.queue.close()
        self.rig.put(b"two" * HARD)
        self.rig.queue.end(CloseReason.NORMAL)
        self.rig.queue.close()
        self.rig.turn()
        self.rig.queue.resumeProducing()
        self.assertEqual((self.rig.written, self.rig.watcher.reports, self.rig.queue.queued_bytes), (b"", [], 0))

    def test_transport_is_gone(self) -> None:
        """A transport that stops its producer closes the queue."""
        self.rig.put(b"one")
        self.rig.queue.stopProducing()
        self.assertTrue(self.rig.queue.closed)

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("put"), st.integers(1, 60_000)),
                st.sampled_from([("turn", 0), ("full", 0), ("roomy", 0), ("resume", 0), ("pause", 0)]),
            ),
            max_size=40,
        )
    )
    def test_nothing_lost_or_reordered(self, steps: list[tuple[str, int]]) -> None:
        """However the transport stops and goes on, what was queued leaves in order, and the bytes are counted right."""
        rig = Rig()
        expected = b""
        for at, (step, size) in enumerate(steps):
            if step == "put" and rig.queue.queued_bytes + size <= HARD:
                part = bytes((at,)) * size
                expected += part
                rig.put(part)
            elif step == "turn":
                rig.turn()
            elif step in {"full", "roomy"}:
                rig.transport.full = step == "full"
            elif step == "pause":
                rig.queue.pauseProducing()
            elif step == "resume":
                rig.queue.resumeProducing()
            self.assertEqual(len(rig.written) + rig.queue.queued_bytes, len(expected))
            self.assertTrue(expected.startswith(rig.written))
        rig.transport.full = False
        rig.queue.resumeProducing()
        self.assertEqual(rig.written, expected)
        reports = rig.watcher.reports
        self.assertEqual(reports, ["above", "below"] * (len(reports) // 2))


class TurnFlusherTests(SynchronousTestCase):
    """What `TurnFlusher` promises."""

    def setUp(self) -> None:
        """Three queues of one server."""
        self.clock = Clock()
        self.flusher = TurnFlusher(self.clock)
        self.rigs = [Rig(self.flusher, self.clock) for _ in range(3)]

    def test_one_call_for_all(self) -> None:
        """All queues that a turn fills are flushed by one call of the reactor."""
        for _ in range(5):
            for rig in self.rigs:
                rig.put(b"x")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual([rig.transport.writes for rig in self.rigs], [[b"xxxxx"]] * 3)

    def leaving(self, seconds: float = 0) -> list[Rig]:
        """Whose lines leave, as they do; each takes so long."""
        left: list[Rig] = []

        def sealing(rig: Rig, seal: Callable[[Sequence[bytes]], list[bytes]], parts: Sequence[bytes]) -> list[bytes]:
            left.append(rig)
            self.clock.rightNow += seconds
            return seal(parts)

        for rig in self.rigs:
            self.patch(rig.session, "seal", partial(sealing, rig, rig.session.seal))
        return left

    def test_light_ones_first(self) -> None:
        """Who gets a line does not wait for who gets a hundred; among equals the order is that in which they were filled."""
        self.patch(sendq, "LIGHT_BYTES", 10)
        (heavy, light, other), left = self.rigs, self.leaving()
        heavy.put(b"x" * 11)
        light.put(b"x")
        other.put(b"x" * 10)
        self.clock.advance(0)
        self.assertEqual([light, other, heavy], left)

    def turn(self) -> None:
        """One turn of the reactor, and not what it leaves for the next one."""
        calls, self.clock.calls = self.clock.calls, []
        for call in calls:
            call.func()

    def test_heavy_ones_share_turns(self) -> None:
        """Heavy queues leave for a short while in each turn, in order, with what came meanwhile; light ones come between."""
        self.patch(sendq, "LIGHT_BYTES", 10)
        left = self.leaving(LONG_SECONDS)
        first, second, third = self.rigs
        for rig in self.rigs:
            rig.put(b"x" * 11)
        self.turn()
        self.assertEqual([first], left)
        first.put(b"a line")
        third.put(b"more")
        self.turn()
        self.assertEqual([first, second, first], left)
        self.turn()
        self.assertEqual([first, second, first, third], left)
        self.assertEqual([b"x" * 11 + b"more"], third.transport.writes)
        self.turn()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_light_ones_share_turns(self) -> None:
        """So do light ones where there are many: a turn of the reactor is bounded, and each ends with one of both kinds."""
        self.patch(sendq, "LIGHT_BYTES", 10)
        left = self.leaving(LIGHT_SECONDS)
        first, second, heavy = self.rigs
        heavy.put(b"x" * 11)
        first.put(b"x")
        second.put(b"x")
        self.turn()
        self.assertEqual([first, heavy], left)
        self.turn()
        self.assertEqual([first, heavy, second], left)
        self.turn()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_each_stands_in_line_once(self) -> None:
        """However often a transport takes more by itself meanwhile: no line is longer than there are connections."""
        self.patch(sendq, "LIGHT_BYTES", 10)
        self.leaving(LONG_SECONDS)
        flushed, flush = list[SendQueue](), SendQueue.flush

        def counting(queue: SendQueue) -> None:
            flushed.append(queue)
            flush(queue)

        for _ in range(50):
            for rig in self.rigs:
                rig.queue.pauseProducing()
                rig.queue.resumeProducing()
                rig.put(b"x" * 11)
            self.turn()
        self.patch(SendQueue, "flush", counting)
        while self.clock.getDelayedCalls():
            self.turn()
        self.assertEqual([b"x" * 11] * 50, [*self.rigs[0].transport.writes])
        self.assertLessEqual(len(flushed), len(self.rigs))

    def test_filled_while_flushing(self) -> None:
        """What is queued while queues are flushed leaves in the next turn."""
        first, second, _ = self.rigs
        first.put(b"a" * (SOFT + 1))

        def below(*, above: bool) -> None:
            if not above:
                second.put(b"late")

        first.watcher.pressed = below  # type: ignore[method-assign]
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual(second.transport.writes, [b"late"])

    def test_failure_of_one_leaves_the_others(self) -> None:
        """A queue that cannot be sealed is logged and ended; all others are flushed, now and later."""
        broken = self.rigs[0]
        broken.session.broken = True
        for _ in range(2):
            for rig in self.rigs:
                rig.put(b"x")
            self.clock.advance(0)
        self.assertEqual([rig.written for rig in self.rigs], [b"", b"xx", b"xx"])
        self.assertEqual(broken.watcher.reports, ["broke"])
        self.assertTrue(broken.queue.closed)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
