"""Rooms that are asked for together are read together."""

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.gathering import Gathering
from chatserv.errors import Busy
from chatserv.net.effects import reactor_effects


class GatheringTests(SynchronousTestCase):
    """What each read is asked for. `tests.backplane.test_stored` tries the rest."""

    def setUp(self) -> None:
        """Reads answer when they are told to."""
        self.reads: list[tuple[list[bytes], Deferred[Mapping[bytes, int]]]] = []
        self.gathering = Gathering(reactor_effects(Clock(), lambda: 0, bytes), self.read)

    def read(self, asked: Sequence[bytes]) -> "Deferred[Mapping[bytes, int]]":
        """Notes what is asked for."""
        self.reads.append((list(asked), Deferred()))
        return self.reads[-1][1]

    def ask(self, *what: bytes) -> list["Deferred[Any]"]:
        """Each is asked for by somebody."""
        return [ensureDeferred(self.gathering.ask(each)) for each in what]

    def test_pages(self) -> None:
        """The first is read at once; those that are asked for meanwhile with the next read, and so on."""
        first, others = self.ask(b"1"), self.ask(b"2", b"3", b"2")
        self.reads[0][1].callback({b"1": 1})
        self.assertEqual([asked for asked, _ in self.reads], [[b"1"], [b"2", b"3", b"2"]])
        late = self.ask(b"4")
        self.reads[1][1].errback(Busy("away"))
        for each in others:
            self.failureResultOf(each, Busy)
        self.reads[2][1].callback({b"4": 4})
        self.assertEqual((self.successResultOf(first[0]), self.successResultOf(late[0])), ({b"1": 1}, {b"4": 4}))
        self.assertEqual(self.reads[2][0], [b"4"])
