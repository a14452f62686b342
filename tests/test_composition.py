"""How the parts of a server begin and end."""

from typing import Any
from unittest.mock import Mock

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.composition import Composition


class CompositionTests(SynchronousTestCase):
    """A node's, with parts that do nothing."""

    def setUp(self) -> None:
        """A store that opens and closes when it is told so."""
        self.opened, self.closed = Deferred[None](), Deferred[None]()
        self.done: list[str] = []
        self.membership = Mock(begin=self.note("begun"), stop=self.note("left"))
        store = Mock(open=lambda: self.wait_for(self.opened), close=lambda: self.wait_for(self.closed))
        self.composition = Composition(store, Mock(), Mock(), Mock(), self.membership)

    def note(self, what: str) -> Any:
        """Notes that it was done."""
        return lambda *_: self.done.append(what)

    async def wait_for(self, told: "Deferred[None]") -> None:
        """Waits."""
        self.done.append("asked")
        await told

    def test_begins_while_the_store_opens(self) -> None:
        """Whoever logs in meanwhile waits for the store, and finds a node that hears the others then."""
        starting = Deferred.fromCoroutine(self.composition.start())
        self.assertEqual(self.done, ["asked", "begun"])
        self.assertNoResult(starting)
        self.opened.callback(None)
        self.successResultOf(starting)

    def test_leaves_when_all_is_said(self) -> None:
        """The others are told of the last commits."""
        stopping = Deferred.fromCoroutine(self.composition.stop())
        self.assertEqual(self.done, ["asked"])
        self.closed.callback(None)
        self.successResultOf(stopping)
        self.assertEqual(self.done, ["asked", "left"])
