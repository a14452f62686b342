"""The page for operators and the examples in ``deploy/`` say what the code does."""

import json
import re
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatserv.config import Config, Loaded, load

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
        self.assertEqual(Loaded(Config()), load(path))

    def test_mentions(self) -> None:
        """Wherever the page mentions a setting, there is one."""
        tables = "|".join(get_type_hints(Config))
        for table, name in re.findall(rf"``({tables})\.(\w+)``", PAGE.read_text()):
            self.assertTrue((table, name) in SETTINGS or name == "log", f"{table}.{name}")


class ExampleTests(SynchronousTestCase):
    """The example settings in ``deploy/``."""

    def test_load(self) -> None:
        """They load without a warning."""
        for name in ("settings.toml", "settings.json"):
            self.assertEqual((), load(ROOT / "deploy" / name).warnings)

    def test_defaults(self) -> None:
        """Apart from the number of connections and, in JSON, the list of processes, they name the defaults."""
        for name in ("settings.toml", "settings.json"):
            config = load(ROOT / "deploy" / name).config
            server = msgspec.structs.replace(config.server, max_connections=Config().server.max_connections)
            monitoring = msgspec.structs.replace(config.monitoring, show_python_processes=False)
            self.assertEqual(Config(), msgspec.structs.replace(config, server=server, monitoring=monitoring))

    def test_unit(self) -> None:
        """The systemd unit uses options that exist, and does not start again what ends with a settings error."""
        unit = (ROOT / "deploy" / "chatserv.service").read_text()
        self.assertIn("twistd --nodaemon --pidfile= chatserv --config /etc/chatserv/settings.toml", unit)
        self.assertIn("RestartPreventExitStatus=2", unit)
