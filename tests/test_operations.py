"""The page for operators and the examples in ``deploy/`` say what the code does."""

import json
import re
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatserv.config import Config
from chatserv.live_settings import WAIT_FOR_RESTART
from chatserv.settings_loading import load
from chatserv.settings_sources import Sources

RESTART = "Waits for a restart"
ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "operations.rst"
ROW = re.compile(r"^   \* - ``(\w+)\.(\w+)``\n     - ``(.+)``\n     - (.+(?:\n {7}.+)*)\.$", re.MULTILINE)
SETTINGS = [(table, name) for table, struct in get_type_hints(Config).items() for name in struct.__struct_fields__]


class SettingsTableTests(SynchronousTestCase):
    """The tables of settings in ``docs/operations.rst``."""

    def test_keys(self) -> None:
        """Every setting has its row, in the order of the code, and no row is about anything else."""
        rows = [(table, name) for table, name, _, _ in ROW.findall(PAGE.read_text())]
        self.assertEqual(SETTINGS, rows)

    def test_defaults(self) -> None:
        """A file with all the defaults that the page names means the same as no file."""
        settings: dict[str, dict[str, Any]] = {}
        for table, name, default, _ in ROW.findall(PAGE.read_text()):
            settings.setdefault(table, {})[name] = json.loads(default)
        path = Path(self.mktemp()).with_suffix(".json")
        path.write_text(json.dumps(settings))
        loaded = load(Sources(path))
        self.assertEqual((Config(), ()), (loaded.config, loaded.warnings))

    def test_restart(self) -> None:
        """What waits for a restart, and nothing else, says so."""
        said = {f"{table}.{name}" for table, name, _, meaning in ROW.findall(PAGE.read_text()) if RESTART in meaning}
        self.assertEqual(WAIT_FOR_RESTART, said)

    def test_mentions(self) -> None:
        """Wherever the page mentions a setting, there is one."""
        tables = "|".join(get_type_hints(Config))
        for table, name in re.findall(rf"``({tables})\.(\w+)``", PAGE.read_text()):
            self.assertTrue((table, name) in SETTINGS or name in {"log", "crt"}, f"{table}.{name}")


class ExampleTests(SynchronousTestCase):
    """The example settings in ``deploy/``."""

    def test_load(self) -> None:
        """They load without a warning."""
        for name in ("settings.toml", "settings.json"):
            self.assertEqual((), load(Sources(ROOT / "deploy" / name)).warnings)

    def test_defaults(self) -> None:
        """Apart from the number of connections and, in JSON, the list of processes, they name the defaults."""
        for name in ("settings.toml", "settings.json"):
            config = load(Sources(ROOT / "deploy" / name)).config
            server = msgspec.structs.replace(config.server, max_connections=Config().server.max_connections)
            monitoring = msgspec.structs.replace(config.monitoring, show_python_processes=False)
            self.assertEqual(Config(), msgspec.structs.replace(config, server=server, monitoring=monitoring))

    def test_unit(self) -> None:
        """The systemd unit uses options that exist, and does not start again what ends with a settings error."""
        unit = (ROOT / "deploy" / "chatserv.service").read_text()
        self.assertIn("twistd --nodaemon --pidfile= chatserv --config /etc/chatserv/settings.toml", unit)
        self.assertIn("RestartPreventExitStatus=2", unit)

    def test_backup_unit(self) -> None:
        """It is as confined as the server, but for what the server needs of the network."""
        server, backup = (
            (ROOT / "deploy" / name).read_text().splitlines()
            for name in ("chatserv.service", "chatserv-backup.service")
        )
        kinds = "Ambient|Capability|Device|Lock|NoNew|Private|Protect|Remove|Restrict(?!Address|Prevent)|SystemCall"
        confining = [line for line in server if re.match(kinds, line)]
        self.assertGreater(len(confining), 20)
        self.assertEqual([], [line for line in confining if line not in backup])

    def test_user(self) -> None:
        """Units and package name one user who stays: one that systemd makes up would keep root's commands out."""
        for name in ("chatserv.service", "chatserv-backup.service"):
            unit = (ROOT / "deploy" / name).read_text()
            self.assertRegex(unit, "(?m)^User=chatserv$")
            self.assertNotRegex(unit, "(?m)^DynamicUser=")
        self.assertRegex((ROOT / "deploy" / "debian" / "postinst").read_text(), "useradd .* chatserv\n")
