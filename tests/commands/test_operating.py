"""Operations from inside the chat."""

import json
from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.roles import Role
from chatserv.local_errors import NotDone
from chatserv.wire import messages
from chatserv.wire.replies import RESULT_CHARACTERS
from tests.support.server import WireServer


class OperateTests(SynchronousTestCase):
    """``operate``, by Alice, who administers, and Bob, who does not."""

    def setUp(self) -> None:
        """A server that carries operations out, and notes them."""
        self.server = WireServer()
        self.alice = self.server.join("alice", role=Role.ADMIN)
        self.asked: list[tuple[str, Mapping[str, str], str]] = []
        self.answer: Mapping[str, Any] = {"result": {"sessions": 2}, "code": 0}
        self.server.context.desk.operate = self.operate

    async def operate(self, name: str, arguments: Mapping[str, str], who: str) -> Mapping[str, Any]:
        """Does nothing."""
        self.asked.append((name, arguments, who))
        if name == "refuse":
            raise NotDone("there is no room for it")
        return self.answer

    def test_result(self) -> None:
        """What came of it comes back as JSON; who asks is known by their session."""
        reply = self.alice.ask(messages.Operate, name="status", arguments={"a": "b"})
        self.assertEqual({"result": {"sessions": 2}, "code": 0}, json.loads(reply.result))
        self.assertEqual([("status", {"a": "b"}, "alice")], self.asked)

    def test_refused(self) -> None:
        """A refusal comes back in words."""
        reply = self.alice.ask(messages.Operate, name="refuse")
        self.assertEqual({"error": {"code": "not_done", "text": "there is no room for it"}}, json.loads(reply.result))

    def test_others(self) -> None:
        """Nobody else reaches it."""
        self.assertEqual("forbidden", self.server.join("bob").ask(messages.Operate, name="status").code)
        self.assertEqual([], self.asked)

    def test_longest(self) -> None:
        """A result as long as may be fits an answer; a longer one is refused."""
        self.answer = {"result": "a" * (RESULT_CHARACTERS - len(json.dumps({"result": "", "code": 0}))), "code": 0}
        self.assertEqual(RESULT_CHARACTERS, len(self.alice.ask(messages.Operate, name="status").result))
        self.answer = {**self.answer, "result": "a" + self.answer["result"]}
        self.assertEqual("too_large", self.alice.ask(messages.Operate, name="status").code)
