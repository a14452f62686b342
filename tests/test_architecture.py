"""docs/architecture.rst: the tree, the layers and the two walks are those of the code."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import MessageReceived
from chatserv.testing.world import World

ROOT: Final = Path(__file__).parents[1]
DOCUMENT: Final = (ROOT / "docs" / "architecture.rst").read_text(encoding="utf-8")
MAX_LINES: Final = 300
STAY: Final = re.compile(r"([\w/]+\.py) +((?:[A-Z]\w*\.)?\w+)(?= |$)", re.MULTILINE)
Stay = tuple[str, str]


def block(name: str) -> str:
    """The literal block behind a comment of the document."""
    found = re.search(rf"^\.\. {name}\n\n::\n\n((?:  .*\n|\n)+)", DOCUMENT, re.MULTILINE)
    assert found is not None, name
    return found.group(1)


def stays(name: str) -> list[Stay]:
    """File below ``chatserv/`` and function or class of each stay of a walk."""
    return STAY.findall(block(name))


def names_in(path: Path) -> set[str]:
    """What a module defines: functions, classes, values, and what is in its classes as ``Class.name``."""
    return set(defined(ast.parse(path.read_text(encoding="utf-8")).body, ""))


def defined(body: list[ast.stmt], inside: str) -> Iterator[str]:
    """The names of definitions, those in classes behind the class's."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield inside + name
            case ast.ClassDef(name=name, body=inner):
                yield inside + name
                yield from defined(inner, f"{inside}{name}.")
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield inside + name


def folders() -> dict[str, list[str]]:
    """The modules of every folder that holds some."""
    found: dict[str, list[str]] = {}
    for top in ("chatserv", "clients"):
        for path in sorted((ROOT / top).rglob("*.py")):
            modules = found.setdefault(f"{path.parent.relative_to(ROOT)}/", [])
            modules += [] if path.stem == "__init__" else [path.stem]
    return found


class TreeTests(SynchronousTestCase):
    """The tree, and who may import whom."""

    def test_folders(self) -> None:
        """Every folder has its line with what it is for, and below it every module and nothing else, by name."""
        told: dict[str, list[str]] = {}
        for line in block("tree").splitlines():
            if (head := re.match(r"  ([\w/]+/)  +\S", line)) is not None:
                modules = told.setdefault(head.group(1), [])
            elif line.strip():
                modules += line.split()
        there = folders()
        self.assertGreater(len(there), 25)
        self.assertEqual(set(told), set(there))
        for folder, modules in there.items():
            self.assertEqual(told[folder], modules, folder)

    def test_length(self) -> None:
        """A module has 300 lines at most."""
        for folder in folders():
            for path in (ROOT / folder).glob("*.py"):
                self.assertLessEqual(len(path.read_text(encoding="utf-8").splitlines()), MAX_LINES, str(path))

    def test_layers(self) -> None:
        """The layers are those of the contracts, in their order."""
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
        expected = []
        for contract in settings["contracts"]:
            if contract["type"] == "layers":
                expected += [contract["containers"][0] if "containers" in contract else "", *contract["layers"]]
        self.assertEqual([line.strip() for line in block("layers").splitlines() if line.strip()], expected)


class HabitTests(SynchronousTestCase):
    """What a test may not rely on."""

    def test_fixtures(self) -> None:
        """Trial calls no fixtures of classes or modules: what stands in one never happens."""
        never = {"setUpClass", "tearDownClass", "setUpModule", "tearDownModule", "addClassCleanup"}
        for path in (ROOT / "tests").rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found = {each.attr for each in ast.walk(tree) if isinstance(each, ast.Attribute)}
            found |= {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
            self.assertEqual(set(), found & never, str(path))


class WalkTests(SynchronousTestCase):
    """A line goes in, and an event comes out, by the way that the page draws."""

    def test_names(self) -> None:
        """Each stay is where the page says."""
        found = [*stays("walk of a line"), *stays("walk of an event")]
        self.assertGreater(len(found), 25)
        for file, name in found:
            self.assertIn(name, names_in(ROOT / "chatserv" / file), file)

    def test_way(self) -> None:
        """A line that is sent passes the stays in their order; a store in memory has none of those of SQLite."""
        self.assertIn(("chatserv/net/sendq.py", "SendQueue.queue"), passed := [*self.passed()])
        for walk in ("walk of a line", "walk of an event"):
            way = iter(passed)
            for file, name in stays(walk):
                if not file.startswith("store/"):
                    self.assertIn((f"chatserv/{file}", name), way, f"{walk}: {file} {name}")

    def passed(self) -> Iterator[Stay]:
        """What was called, in order, while Ann said something and Bob was shown it."""
        world = World()
        self.addCleanup(world.close)
        ann, bob = world.person("ann", admin=True), world.person("bob")
        world.settle()
        calls: list[tuple[str, str]] = []

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call":
                calls.append((frame.f_code.co_filename, frame.f_code.co_qualname))

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            ann.client.send("lobby", "hello")
            world.settle()
        finally:
            sys.setprofile(before)
        self.assertEqual(bob.events(MessageReceived)[-1].text, "hello")
        for file, name in calls:
            if file.startswith(f"{ROOT}/chatserv/"):
                yield file.removeprefix(f"{ROOT}/"), name
