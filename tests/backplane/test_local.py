"""The backplane of one node."""

from collections.abc import Sequence
from unittest.mock import Mock, call

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.local import LocalBackplane
from chatserv.models import Event, EventKind
from chatserv.node_ports import Backplane

EVENTS = [Event(b"r" * 16, seq, 0, "alice", EventKind.MESSAGE, b"") for seq in (1, 2, 3)]


class LocalBackplaneTests(SynchronousTestCase):
    """What `LocalBackplane` promises."""

    def test_everybody_in_order(self) -> None:
        """Every listener gets every batch, at once and in the order in which they were published."""
        backplane: Backplane = LocalBackplane()
        heard: list[tuple[str, Sequence[Event]]] = []
        backplane.subscribe(lambda events: heard.append(("first", events)))
        backplane.subscribe(lambda events: heard.append(("second", events)))
        backplane.publish(EVENTS[:2])
        backplane.publish(EVENTS[2:])
        self.assertEqual(
            heard, [("first", EVENTS[:2]), ("second", EVENTS[:2]), ("first", EVENTS[2:]), ("second", EVENTS[2:])]
        )

    def test_nobody(self) -> None:
        """What is published before anybody listens is not kept for whoever comes later."""
        backplane, heard = LocalBackplane(), list[Event]()
        backplane.publish(EVENTS[:2])
        backplane.subscribe(heard.extend)
        backplane.publish(EVENTS[2:])
        self.assertEqual(heard, EVENTS[2:])

    def test_log(self) -> None:
        """Leaves go the same way."""
        backplane, log = LocalBackplane(), Mock()
        backplane.subscribe_log(log.take)
        backplane.subscribe_heads(log)
        backplane.publish_log(3, [b"leaf"])
        self.assertEqual(b"head", self.successResultOf(Deferred.fromCoroutine(backplane.keep_head(b"head", b"leaf"))))
        self.successResultOf(Deferred.fromCoroutine(backplane.current()))
        self.assertEqual(log.method_calls, [call.take(3, [b"leaf"])])
