"""References from code to the documents lead somewhere, and the documents' sections are numbered and anchored."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

import chatserv.client
from tests.test_architecture import names_in

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"
NUMBERED: Final = ("protocol", "rooms", "crypto")
CODE: Final = ("chatserv", "clients", "bench", "tests", "twisted", "deploy")
MAX_COLUMNS: Final = 130
NUMBER: Final = r"\d+(?:\.\d+)?"
REFERENCE: Final = re.compile(rf"docs/(\w+)\.rst(?:,? ({NUMBER}(?:(?:, | and | to ){NUMBER})*)\b|, (limits)\b)?")
HEADING: Final = re.compile(rf"^(?:\.\. _([\w-]+):\n\n)?((?:{NUMBER} )?)([^\n]+)\n(-{{3,}}|~{{3,}})$", re.MULTILINE)
NAMED: Final = re.compile(r"`((?:chatserv|clients|tests|bench)(?:\.\w+)+)`")
FILES: Final = frozenset({"chatserv.db", "chatserv.socket", "chatserv.service"})  # they look like modules
FOREIGN: Final = re.compile(r"\b(?:CRYPTO|FAULTS|PROTOCOL|ARCHITECTURE|PRODUCT)(?:\.md|,? (?:§|\d|row|sections? \d))")


def numbers(name: str) -> list[str]:
    """The numbers of a document's sections, in order."""
    found = HEADING.findall((DOCS / f"{name}.rst").read_text(encoding="utf-8"))
    return [number.strip() for _, number, _, _ in found]


def code() -> Iterator[tuple[str, str]]:
    """Name and text of every file of code, of the build and of the documents, with docstrings' line ends as spaces."""
    files = [path for name in CODE for path in (ROOT / name).rglob("*.py")]
    files += [
        *DOCS.glob("*.rst"),
        *ROOT.glob("*.rst"),
        *ROOT.glob("*.toml"),
        ROOT / "Makefile",
        *ROOT.glob("bench/*.rst"),
    ]
    for path in files:
        if path.exists():
            yield str(path.relative_to(ROOT)), re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))


def is_there(name: str) -> bool:
    """Whether a dotted name is a package, a module, what a module defines, or a public name of the library."""
    if name.removeprefix("chatserv.client.") in chatserv.client.__all__:
        return True
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        folder, rest = ROOT.joinpath(*parts[:count]), ".".join(parts[count:])
        module = folder.with_suffix(".py") if not folder.is_dir() else folder / "__init__.py"
        if module.exists():
            return not rest or rest in names_in(module)
    return False


class SectionTests(SynchronousTestCase):
    """The numbered documents."""

    def test_numbers(self) -> None:
        """Sections are numbered without a gap, each behind an anchor that says its number."""
        for name in NUMBERED:
            section = part = 0
            for anchor, number, title, line in HEADING.findall((DOCS / f"{name}.rst").read_text(encoding="utf-8")):
                section, part = (section + 1, 0) if line[0] == "-" else (section, part + 1)
                expected = f"{section}.{part}" if part else str(section)
                self.assertEqual((number.strip(), anchor), (expected, f"{name}-{expected.replace('.', '-')}"), title)
            self.assertGreater(section, 5)

    def test_limits(self) -> None:
        """The table of the server's limits has an anchor."""
        self.assertIn("\n.. _operations-limits:\n\nlimits\n~~~", (DOCS / "operations.rst").read_text(encoding="utf-8"))


class ReferenceTests(SynchronousTestCase):
    """What is said to be in a document."""

    def test_every_one(self) -> None:
        """Each document that is named is there, and each number behind it is a section of it."""
        sections = {name: set(numbers(name)) for name in NUMBERED}
        followed = 0
        for file, text in code():
            for name, wanted, limits in REFERENCE.findall(text):
                self.assertTrue((DOCS / f"{name}.rst").exists(), f"{file}: docs/{name}.rst")
                for number in re.findall(NUMBER, wanted):
                    self.assertIn(number, sections.get(name, ()), f"{file}: docs/{name}.rst {number}")
                    followed += 1
                self.assertTrue(not limits or name == "operations", f"{file}: docs/{name}.rst, {limits}")
        self.assertGreater(followed, 100)

    def test_modules(self) -> None:
        """Each module and definition that is named with its package is there."""
        followed = 0
        for file, text in code():
            for name in set(NAMED.findall(text)) - FILES:
                self.assertTrue(is_there(name), f"{file}: {name}")
                followed += 1
        self.assertGreater(followed, 50)

    def test_nothing_outside(self) -> None:
        """Nothing refers to documents that are not here."""
        for file, text in code():
            if file != "tests/test_references.py":
                self.assertIsNone(FOREIGN.search(text), file)


class LineTests(SynchronousTestCase):
    """How the documents are written."""

    def test_length(self) -> None:
        """No line of a document is longer than 130 characters: they are read in terminals and in diffs."""
        documents = [*ROOT.glob("*.rst")]
        for folder in ("docs", "bench", "newsfragments", "tests"):
            documents += (ROOT / folder).rglob("*.rst")
        self.assertGreater(len(documents), 20)
        for path in documents:
            for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
                self.assertLessEqual(len(line), MAX_COLUMNS, f"{path.relative_to(ROOT)}:{number}")
