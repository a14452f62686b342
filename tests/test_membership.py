"""A node's part in its cluster."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatserv.cluster_settings import Cluster
from chatserv.config import Config, Store
from chatserv.errors import Busy
from chatserv.live_settings import LiveSettings
from chatserv.local_errors import SettingsError
from chatserv.membership import Membership
from chatserv.net.effects import reactor_effects


class MembershipTests(SynchronousTestCase):
    """`Membership`, of a node that runs nowhere."""

    def make(self, authority: str = "", data: bytes | None = None) -> Membership:
        """One with a store that says how many use it: ``self.users``; ``data`` is in the file of the authority."""
        self.users: int | Busy = 1
        clock, directory = Clock(), Path(self.mktemp())
        directory.mkdir()
        if data is not None:
            (directory / authority).write_bytes(data)
        cluster = Cluster(bus=("nats://127.0.0.1:4222",), authority=authority)
        settings = LiveSettings(Config(store=Store("postgresql://a/b"), cluster=cluster))
        prepared = Mock(state=Mock(path=directory))
        effects = reactor_effects(clock, lambda: 0, bytes)
        return Membership(prepared, settings, effects, Mock(users=self._users), clock)

    async def _users(self) -> int:
        if isinstance(self.users, Busy):
            raise self.users
        return self.users

    def test_unheard(self) -> None:
        """Who shares the database and is not heard twice in a row is told of: it may have another bus."""
        membership = self.make()
        membership.bus._there = True
        membership.backplane.node = Mock(others=[Mock()])
        said: list[Any] = []
        for users in (2, 3, 2, 3, 4, Busy("not now"), 3):
            self.users = users
            with capturedLogs() as logged:
                self.successResultOf(Deferred.fromCoroutine(membership.look()))
            said.append([formatEvent(event) for event in logged])
        expected = "1 of the nodes that share the database are not heard: do all name the same cluster.bus?"
        self.assertEqual([[], [], [], [], [expected], [], [expected]], said)
        membership.bus._there = False
        with capturedLogs() as logged:
            self.successResultOf(Deferred.fromCoroutine(membership.look()))
        self.assertEqual([], logged)

    def test_authority(self) -> None:
        """A file with who vouches for the bus that cannot be used is named with its setting."""
        for data, why in ((None, "No such file"), (b"nothing", "holds no certificates")):
            error = self.assertRaises(SettingsError, self.make, "authority.pem", data)
            self.assertEqual("cluster.authority", error.key)
            self.assertIn(why, str(error))
