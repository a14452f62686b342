"""Settings that are read anew: what of them takes effect at once, and who holds to it."""

import ast
import gc
import io
import sys
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatserv.bootstrap import Prepared
from chatserv.config import Config, Logging, Monitoring, Security, Server
from chatserv.limits import Limits
from chatserv.live_settings import WAIT_FOR_RESTART, Changes, LiveSettings
from chatserv.log_file import Sink
from chatserv.logs import LogFiles
from chatserv.monitor.process import MonitorService
from chatserv.net import keys
from chatserv.net.watch import Watch
from chatserv.tap import make
from chatserv.wire import messages
from tests.support.server import WireServer
from tests.support.sessions import rsa_key

CODE = Path(__file__).parents[1] / "chatserv"
KEPT = {
    "composition: crypto_queue",  # told of new ones
    "factory: unauthenticated_connections",
    "factory: unauthenticated_per_network",
    "sendq: sendq_soft_bytes",  # one a connection
    "sendq: sendq_hard_bytes",
    "watch: session_max_seconds",
    "command_runner: commands_in_flight",
}
FOLLOWERS = {LogFiles, Sink, MonitorService}  # are told, and keep a table that says the same
KEYS = {f"{table}.{name}" for table, struct in get_type_hints(Config).items() for name in struct.__struct_fields__}


def _holders(left: object) -> set[type]:
    """The classes of ours that hold to an object, by themselves or by their attributes' dictionary."""
    found = gc.get_referrers(left)
    found += [owner for each in found if type(each) is dict for owner in gc.get_referrers(each)]
    return {type(each) for each in found if type(each).__module__.startswith("chatserv.")}


class ReplacingTests(SynchronousTestCase):
    """New settings in the place of the old ones."""

    def setUp(self) -> None:
        """Default settings."""
        self.settings = LiveSettings(Config())
        self.told: list[Config] = []
        self.settings.subscribe(self.told.append)

    def test_applied(self) -> None:
        """What has changed takes effect, is named in the order of the code, and whoever wants to know is told once."""
        new = Config(limits=Limits(idle_seconds=5, open_invites=3), logging=Logging(level="DEBUG"))
        self.assertEqual(
            Changes(("logging.level", "limits.idle_seconds", "limits.open_invites")), self.settings.replace(new)
        )
        self.assertEqual(new, self.settings.config)
        self.assertIs(new.limits.idle_seconds, self.settings.limits.idle_seconds)
        self.assertEqual([new], self.told)

    def test_nothing_new(self) -> None:
        """The same settings again change nothing, and nobody is told."""
        before = self.settings.config
        self.assertEqual(Changes(), self.settings.replace(Config()))
        self.assertIs(before, self.settings.config)
        self.assertEqual([], self.told)

    def test_waiting(self) -> None:
        """What waits for a restart is named each time, stays as it is, and is forgotten once it is taken back."""
        new = Config(server=Server(port=6000, max_connections=7))
        changes = self.settings.replace(new)
        self.assertEqual(Changes(("server.max_connections",), ("server.port",)), changes)
        self.assertEqual((5000, 7), (self.settings.config.server.port, self.settings.config.server.max_connections))
        self.assertEqual(Changes((), ("server.port",)), self.settings.replace(new))
        self.assertEqual(Changes(("server.max_connections",)), self.settings.replace(Config()))

    def test_every_waiting_key(self) -> None:
        """Each of the keys that wait is one, and does wait."""
        self.assertEqual(set(), WAIT_FOR_RESTART - KEYS)
        for key in WAIT_FOR_RESTART:
            table, _, name = key.partition(".")
            default = getattr(getattr(Config(), table), name)
            values = (True, "127.0.0.1", 4500, 4, 4.5, ("tcp:1",), "localhost:1")
            value = next(each for each in values if type(each) is type(default) and each != default)
            struct = msgspec.structs.replace(getattr(Config(), table))
            msgspec.structs.force_setattr(struct, name, value)
            changes = self.settings.replace(msgspec.structs.replace(Config(), **{table: struct}))
            self.assertEqual(((), (key,)), (changes.applied, changes.waits_for_restart))

    def test_a_table_that_does_not_fit(self) -> None:
        """Where new values only fit together with one that waits, the whole table waits; others do not."""
        smaller = Limits(line_bytes=20_480, envelope_bytes=12_000, sendq_hard_bytes=30_000, sendq_soft_bytes=10_000)
        changes = self.settings.replace(Config(limits=smaller, security=Security(registration="open")))
        self.assertEqual(("security.registration",), changes.applied)
        self.assertEqual(
            ("limits.line_bytes", "limits.sendq_soft_bytes", "limits.sendq_hard_bytes"), changes.waits_for_restart
        )
        self.assertEqual(Limits(), self.settings.limits)


class FollowingTests(SynchronousTestCase):
    """A server goes by the settings that hold now."""

    def setUp(self) -> None:
        """A server with one who is logged in."""
        self.server = WireServer()
        self.ann = self.server.join("ann")

    def change(self, **limits: Any) -> Changes:
        """Reads settings with these limits."""
        config = self.server.context.config
        return self.server.context.settings.replace(msgspec.structs.replace(config, limits=Limits(**limits)))

    def test_nobody_keeps_old_ones(self) -> None:
        """Once settings are replaced, nobody holds the old limits but connections that began with them."""
        old, config = self.server.context.config.limits, self.server.config
        self.change(history_events=3)
        self.server.config = self.server.context.config
        del config
        gc.collect()
        self.assertEqual({Watch}, _holders(old))

    def test_a_whole_server(self) -> None:
        """The same of everything that a start puts together; what was prepared before it is asked for nothing but that."""
        self.patch(keys, "generate_rsa", lambda: rsa_key("server"))
        self.patch(sys, "stdout", io.StringIO())
        service = make(Config(server=Server(listen=("tcp:0:interface=127.0.0.1",))), Path(self.mktemp()))
        self.addCleanup(service._prepared.state.release)
        old, old_config = service.settings.limits, service.settings.config
        new = msgspec.structs.replace(old_config, limits=Limits(rooms=7), monitoring=Monitoring(interval=7))
        service.settings.replace(new)
        self.assertEqual({Config}, _holders(old))
        self.assertEqual({Prepared}, _holders(old_config))
        for table in Config.__struct_fields__:
            self.assertEqual({Config}, _holders(getattr(old_config, table)) - FOLLOWERS, table)

    def test_bounds_that_are_kept(self) -> None:
        """Nothing that is made once keeps a number of the limits that can change, unless it is told of new ones."""
        found = set()
        for file in CODE.rglob("*.py"):
            if {"client", "testing"} & set(file.relative_to(CODE).parts):
                continue
            for function in ast.walk(ast.parse(file.read_text())):
                if isinstance(function, ast.FunctionDef) and function.name in {"__init__", "of", "compose"}:
                    reads = (each for each in ast.walk(function) if isinstance(each, ast.Attribute))
                    names = {each.attr for each in reads if ast.unparse(each.value).endswith("limits")}
                    found |= {f"{file.stem}: {name}" for name in names if f"limits.{name}" not in WAIT_FOR_RESTART}
        self.assertEqual(KEPT, found)

    def test_commands(self) -> None:
        """A command finds the limit of now: no more invites than it says, and again more when it is raised."""
        self.change(history_events=2)
        for number in range(3):
            self.ann.say(f"line {number}")
        history = self.ann.ask(messages.History, room=self.server.lobby, before=1000, limit=10)
        self.assertEqual(2, len(history.events))
        self.change(history_events=3)
        self.assertEqual(3, len(self.ann.ask(messages.History, room=self.server.lobby, before=1000, limit=10).events))

    def test_places(self) -> None:
        """Places before login, and sessions, are as many as the settings say now; nobody is put out for it."""
        server, anteroom = self.server, self.server.factory.anteroom
        self.change(unauthenticated_connections=1, unauthenticated_per_network=1)
        self.assertEqual((1, 1), (anteroom.most, anteroom.per_network))
        self.assertIsNotNone(server.connect())
        self.assertIsNone(server.connect())
        small = msgspec.structs.replace(server.context.config, server=Server(max_connections=1))
        server.context.settings.replace(small)
        self.assertTrue(server.hub.full)
        self.assertTrue(self.ann.authenticated)
