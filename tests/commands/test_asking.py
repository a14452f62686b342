"""One node asks another to do something: it is done there, and the answer comes back, or it is said that none does."""

from collections.abc import Mapping
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.bus_models import Notice, NoticeKind
from chatserv.commands.asking import MOST, MOST_BYTES, MOST_KNOWN, WAIT_SECONDS, Asked, Asking
from chatserv.errors import Busy
from chatserv.local_errors import NotDone
from chatserv.net.effects import reactor_effects

HERE, THERE = b"here----", b"there---"


class AskingTests(SynchronousTestCase):
    """Two nodes."""

    def setUp(self) -> None:
        """They hear each other at once."""
        self.clock, self.numbers = Clock(), 0
        effects = reactor_effects(self.clock, lambda: 0, self.random)
        self.lost, self.said = False, list[Notice]()
        self.here, self.there = (Asking(effects, node, self.tell) for node in (HERE, THERE))
        self.asked: list[Asked] = []
        self.answer: Any = {"result": {"pid": 7}, "code": 0}
        self.there.perform = self.perform

    def random(self, size: int) -> bytes:
        """Another one each time."""
        self.numbers += 1
        return self.numbers.to_bytes(size, "big")

    def tell(self, notice: Notice) -> None:
        """To both, as on a bus."""
        self.said.append(notice)
        if not self.lost:
            for node in (self.here, self.there):
                node.heard(notice)

    async def perform(self, asked: Asked) -> Mapping[str, Any]:
        """Whatever the test wants."""
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, Deferred):
            await self.answer
            return {}
        found: Mapping[str, Any] = self.answer
        return found

    def ask(self, operation: str = "status") -> "Deferred[dict[str, Any]]":
        """This node asks the other one."""
        return ensureDeferred(self.here.ask(THERE, "socket", "uid 0", operation, {"node": ""}))

    def test_answered(self) -> None:
        """It is carried out there as of who has asked."""
        self.assertEqual(self.successResultOf(self.ask()), {"result": {"pid": 7}, "code": 0})
        self.assertEqual(self.asked, [Asked(HERE, "socket", "uid 0", "status", {"node": ""})])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """The refusal comes back, and so does an answer that is too long."""
        self.answer = NotDone("not here")
        self.assertEqual(self.successResultOf(self.ask())["error"], {"code": "not_done", "text": "not here"})
        self.answer = {"result": "x" * MOST_BYTES}
        self.assertEqual(self.successResultOf(self.ask())["error"]["code"], "too_large")

    def test_lost(self) -> None:
        """Who asked is told that it is not known; an answer that comes later is nobody's."""
        self.lost = True
        done = self.ask()
        self.clock.advance(WAIT_SECONDS)
        self.failureResultOf(done, NotDone)
        self.here.heard(Notice(NoticeKind.ANSWERED, HERE, "", 1, msgspec.msgpack.encode({})))

    def test_bound(self) -> None:
        """So many wait, and no more; and so many are carried out at once."""
        self.answer = Deferred()
        waiting = [self.ask() for _ in range(MOST)]
        self.failureResultOf(self.ask(), Busy)
        self.assertEqual(len(self.asked), MOST)
        question = self.said[0]
        self.there.heard(question)
        self.assertEqual(len(self.asked), MOST)
        self.answer.callback(None)
        self.assertEqual([self.successResultOf(each) for each in waiting], [{}] * MOST)

    def test_said_again(self) -> None:
        """Who only reaches the bus has nothing carried out once more."""
        self.ask("reload")
        for _ in range(3):
            self.there.heard(self.said[0])
        self.assertEqual(len(self.asked), 1)

    def test_most_known(self) -> None:
        """Of one more the oldest is forgotten."""
        body = msgspec.msgpack.encode(Asked(HERE, "socket", "x", "status", {}))
        for number in range(MOST_KNOWN + 1):
            self.there.heard(Notice(NoticeKind.ASKED, THERE, "", number, body))
        self.assertEqual((len(self.asked), len(self.there._known)), (MOST_KNOWN + 1, MOST_KNOWN))

    def test_of_others(self) -> None:
        """What is for another node, cannot be read, or comes while nothing is carried out, is passed over."""
        self.there.perform = None
        for notice in (
            Notice(NoticeKind.ASKED, THERE, "", 1, msgspec.msgpack.encode(Asked(HERE, "socket", "x", "status", {}))),
            Notice(NoticeKind.ASKED, THERE, "", 1, b"\xc1"),
            Notice(NoticeKind.ANSWERED, THERE, "", 1, b""),
            Notice(NoticeKind.ASKED, b"another-", "", 1, b"\xc1"),
        ):
            self.there.heard(notice)
        self.assertEqual((self.asked, self.said), ([], []))
