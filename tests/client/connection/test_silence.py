"""A server that says nothing: asked soon, and left, where there is another machine."""

import socket

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.connection.silence import ANSWER_SECONDS, ASK_SECONDS, LEAST_SECONDS, Silence, give_up_soon


class SilenceTests(SynchronousTestCase):
    """An open session."""

    def setUp(self) -> None:
        """It begins."""
        self.clock = Clock()
        self.told: list[str] = []
        self.silence = Silence(self.clock.callLater, self.clock.seconds)
        self.silence.begin(lambda: self.told.append("ask"), lambda: self.told.append("gone"))

    def test_asked_once(self) -> None:
        """After 15 s it is asked, after 5 more it is gone, and nothing comes after that."""
        self.clock.advance(ASK_SECONDS - 0.1)
        self.assertEqual([], self.told)
        self.clock.advance(0.1)
        self.assertEqual(["ask"], self.told)
        self.clock.advance(ANSWER_SECONDS - 0.1)
        self.assertEqual(["ask"], self.told)
        self.clock.advance(0.1)
        self.assertEqual(["ask", "gone"], self.told)
        self.clock.advance(100)
        self.assertEqual((["ask", "gone"], []), (self.told, self.clock.getDelayedCalls()))

    def test_clocks_that_differ(self) -> None:
        """Where the timer comes a rounding too early, it comes again a moment later, and not in the same one for ever."""
        waits: list[float] = []
        now = [0.0]
        silence = Silence(lambda seconds, _: waits.append(seconds), lambda: now[0])
        silence.begin(lambda: None, lambda: None)
        now[0] = ASK_SECONDS - 1e-12
        silence._look()
        self.assertEqual([ASK_SECONDS, LEAST_SECONDS], waits)

    def test_answers(self) -> None:
        """Whatever it says begins the silence anew: who answers is asked again 15 s later."""
        for _ in range(3):
            self.clock.advance(ASK_SECONDS)
            self.clock.advance(ANSWER_SECONDS / 2)
            self.silence.heard()
        self.assertEqual(["ask"] * 3, self.told)
        self.clock.pump([ANSWER_SECONDS / 2, ASK_SECONDS - ANSWER_SECONDS / 2])
        self.assertEqual(["ask"] * 4, self.told)

    def test_talks(self) -> None:
        """Who says something every few seconds is never asked, and has one timer."""
        for _ in range(30):
            self.clock.advance(ASK_SECONDS - 1)
            self.silence.heard()
            self.assertEqual(1, len(self.clock.getDelayedCalls()))
        self.assertEqual([], self.told)

    def test_dead(self) -> None:
        """Who says nothing for five seconds after we have said something is dead, should the connection end; no other."""
        self.clock.advance(ANSWER_SECONDS * 2)
        self.assertFalse(self.silence.dead)
        self.silence.said()
        self.clock.advance(ANSWER_SECONDS - 0.1)
        self.silence.said()
        self.assertFalse(self.silence.dead)
        self.clock.advance(0.1)
        self.assertTrue(self.silence.dead)
        self.silence.heard()
        self.assertFalse(self.silence.dead)

    def test_over(self) -> None:
        """After the end of the session nothing is asked."""
        self.silence.end()
        self.silence.end()
        self.clock.advance(100)
        self.assertEqual(([], []), (self.told, self.clock.getDelayedCalls()))


class KernelTests(SynchronousTestCase):
    """`give_up_soon`."""

    def test_five_seconds(self) -> None:
        """The kernel gives up what is not confirmed in five seconds, below TLS too; other transports are left alone."""
        with socket.socket() as one, socket.socket() as other:
            plain, tls = Transport(one), Transport(None, Transport(other))
            for each in (plain, tls, Transport(None), object()):
                give_up_soon(each)
            for each in (one, other):
                self.assertEqual(5000, each.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))


class Transport:
    """A transport over a socket, or over another one."""

    def __init__(self, over: socket.socket | None, below: "Transport | None" = None) -> None:
        self.socket, self.transport = over, below
