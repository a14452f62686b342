"""When a person who looks elsewhere is called, and with which words."""

from dataclasses import replace

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import RoomOffered
from clients.shared.notifications import BELL, DESKTOP, MAX_TEXT_CHARACTERS, NONE, PAUSE_SECONDS, TEXT, Notifier
from tests.client.slash_fakes import message


class Shown:
    """A desktop that notes what it is to show."""

    def __init__(self) -> None:
        self.busy = self.stopped = False
        self.shown: list[tuple[str, str]] = []

    def show(self, title: str, body: str) -> None:
        """Shows one."""
        self.shown.append((title, body))

    def stop(self) -> None:
        """Shows no more."""
        self.stopped = True


class NotifierTests(SynchronousTestCase):
    """`clients.shared.notifications.Notifier`."""

    def setUp(self) -> None:
        """A clock, a bell, a desktop."""
        self.reactor = MemoryReactorClock()
        self.desktop = Shown()
        self.rung: list[None] = []

    def notifier(self, style: str = DESKTOP) -> Notifier:
        """One of this style."""
        return Notifier(self.reactor, style, lambda: self.rung.append(None), self.desktop)

    def test_styles(self) -> None:
        """Nothing; the bell alone; who and where; what was said, only where that was asked for."""
        cases: list[tuple[str, int, list[tuple[str, str]]]] = [
            (NONE, 0, []), (BELL, 1, []), (DESKTOP, 1, [("bob mentioned you", "#plans")]),
            (TEXT, 1, [("bob mentioned you", "se<cret")]),
        ]  # fmt: skip
        for style, rings, shown in cases:
            self.desktop.shown.clear()
            self.rung.clear()
            self.notifier(style).tell(message(1, "se<cret", room="plans"))
            self.assertEqual((len(self.rung), self.desktop.shown), (rings, shown))

    def test_offer(self) -> None:
        """An offer says who invites, and where to."""
        self.notifier(TEXT).tell(RoomOffered("plans", "bob"))
        self.assertEqual(self.desktop.shown, [("bob invites you", "#plans")])

    def test_direct(self) -> None:
        """A direct message says who writes, without the text."""
        self.notifier().tell(message(1, "secret", room="@bob"))
        self.assertEqual(self.desktop.shown, [("bob sent you a message", "@bob")])

    def test_identity_changed(self) -> None:
        """Who may be somebody else is not named without a word."""
        self.notifier().tell(replace(message(1, "secret", room="@bob"), identity_changed=True))
        self.assertEqual(self.desktop.shown, [("bob (identity changed: perhaps not them) sent you a message", "@bob")])

    def test_hostile(self) -> None:
        """What others say is no control character, and is cut."""
        self.notifier(TEXT).tell(message(1, "<b>\x1b" + "x" * 5000, sender="-h\n"))
        ((title, body),) = self.desktop.shown
        self.assertTrue(title.startswith("-h\u23ce"))
        self.assertTrue(body.startswith("<b>\ufffdx"))
        self.assertEqual(len(body), MAX_TEXT_CHARACTERS)

    def test_rate(self) -> None:
        """After one there is a pause, and what comes meanwhile is not told."""
        notifier = self.notifier()
        for _ in range(5):
            notifier.tell(message(1))
        self.reactor.advance(PAUSE_SECONDS - 0.1)
        notifier.tell(message(1))
        self.assertEqual((len(self.rung), len(self.desktop.shown)), (1, 1))
        self.reactor.advance(0.2)
        notifier.tell(message(1))
        self.assertEqual((len(self.rung), len(self.desktop.shown)), (2, 2))

    def test_one_at_a_time(self) -> None:
        """As long as one is under way, the bell alone rings."""
        notifier = self.notifier()
        self.desktop.busy = True
        notifier.tell(message(1))
        self.assertEqual((len(self.rung), self.desktop.shown), (1, []))

    def test_no_desktop(self) -> None:
        """Without a desktop the bell rings."""
        notifier = Notifier(self.reactor, DESKTOP, lambda: self.rung.append(None), None)
        notifier.tell(message(1))
        notifier.stop()
        self.assertEqual(len(self.rung), 1)

    def test_stop(self) -> None:
        """At the end nothing more is told."""
        notifier = self.notifier()
        notifier.stop()
        notifier.tell(message(1))
        self.assertEqual((self.rung, self.desktop.shown, self.desktop.stopped), ([], [], True))
