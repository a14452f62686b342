"""Who may import whom: what import-linter's contracts in ``pyproject.toml`` cannot say, and that the dearest stand there."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from twisted.trial.unittest import SynchronousTestCase

import chatserv.client
import chatserv.client.errors
import chatserv.client.events
import chatserv.streams

ROOT = Path(__file__).resolve().parents[1]
SERVER = {
    "chatserv.tap",
    "chatserv.service",
    "chatserv.bootstrap",
    "chatserv.net",
    "chatserv.store",
    "chatserv.commands",
}
SERVER |= {
    "chatserv.operations",
    "chatserv.composition",
    "chatserv.cli",
    "chatserv.backplane",
    "chatserv.monitor",
    "chatserv.wire",
    "chatserv.logs",
    "chatserv.state_directory",
}


def imports(path: Path) -> Iterator[tuple[str, str | None]]:
    """Every import of a file, wherever it stands: the module, and the name taken from it or None."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def inside(module: str, package: str) -> bool:
    """Whether the module is the package or in it."""
    return module == package or module.startswith(package + ".")


class ProgramTests(SynchronousTestCase):
    """``clients/``."""

    def test_public_names(self) -> None:
        """A program takes public names of chatserv.client, by name, and of chatserv only the standard streams beside it."""
        public = {
            "chatserv.client": set(chatserv.client.__all__),
            "chatserv.client.events": set(chatserv.client.__all__),
            "chatserv.client.errors": set(chatserv.client.errors.__all__),
            "chatserv.streams": set(vars(chatserv.streams)),
        }
        files = sorted((ROOT / "clients").rglob("*.py"))
        self.assertGreater(len(files), 4)
        for path in files:
            for module, name in imports(path):
                if inside(module, "chatserv"):
                    self.assertIn(module, public, path)
                    self.assertIn(name, public[module], path)

    def test_all(self) -> None:
        """Each public name of chatserv.client exists, and stands there once."""
        names = chatserv.client.__all__
        self.assertEqual([], [name for name in names if not hasattr(chatserv.client, name)])
        self.assertEqual(len(names), len(set(names)))

    def test_events_and_errors(self) -> None:
        """Every event and every public error stands in the small public module of its kind, as the same class."""
        members = {name: getattr(chatserv.client, name) for name in chatserv.client.__all__}
        events = set(get_args(chatserv.client.ClientEvent))
        errors = [each for each in members.values() if isinstance(each, type) and issubclass(each, Exception)]
        self.assertEqual(
            {},
            {
                k: v
                for k, v in members.items()
                if isinstance(v, type) and v in events and getattr(chatserv.client.events, k) is not v
            },
        )
        self.assertEqual(
            [], [each for each in errors if getattr(chatserv.client.errors, each.__name__, None) is not each]
        )


class ServerTests(SynchronousTestCase):
    """``chatserv/``."""

    def test_testing(self) -> None:
        """No module uses chatserv.testing, not even by a string, but itself, and what runs a proof in another process."""
        for path in sorted((ROOT / "chatserv").rglob("*.py")):
            if path == ROOT / "chatserv" / "operations" / "blindness.py":
                self.assertEqual(1, path.read_text().count('"chatserv.testing'))
            elif not path.is_relative_to(ROOT / "chatserv" / "testing"):
                found = [module for module, _ in imports(path) if inside(module, "chatserv.testing")]
                self.assertEqual([], found, path)
                self.assertNotIn('"chatserv.testing', path.read_text(), path)


class ContractTests(SynchronousTestCase):
    """The contracts themselves."""

    def setUp(self) -> None:
        """Reads them."""
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
        self.contracts: list[dict[str, Any]] = settings["contracts"]

    def test_end_to_end(self) -> None:
        """What the server consists of cannot reach crypto.e2e or the client, however far round, with no exception."""
        (contract,) = (one for one in self.contracts if "chatserv.*.e2e" in one.get("forbidden_modules", []))
        self.assertEqual("forbidden", contract["type"])
        self.assertIn("chatserv.client", contract["forbidden_modules"])
        self.assertEqual(set(), SERVER - set(contract["source_modules"]))
        self.assertIn("chatserv.crypto.*", contract["source_modules"])
        for name in ("ignore_imports", "allow_indirect_imports", "as_packages"):
            self.assertNotIn(name, contract)

    def test_every_module(self) -> None:
        """The layers name every module of chatserv."""
        (contract,) = (one for one in self.contracts if one.get("containers") == ["chatserv"])
        self.assertTrue(contract["exhaustive"])
        named = {name.strip(" ()") for layer in contract["layers"] for name in layer.split("|")}
        there = {path.stem for path in (ROOT / "chatserv").glob("*.py")} - {"__init__"}
        there |= {path.parent.name for path in (ROOT / "chatserv").glob("*/__init__.py")}
        self.assertEqual(set(), there - named)
