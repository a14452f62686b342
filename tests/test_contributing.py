"""CONTRIBUTING.rst: its recipes name files, definitions, examples, tests and targets that are there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from tests.test_architecture import names_in

ROOT: Final = Path(__file__).parents[1]
DOCUMENT: Final = (ROOT / "CONTRIBUTING.rst").read_text(encoding="utf-8")
RECIPES: Final = re.compile(r"^([^\n]+)\n~+\n\n(.*?)(?=^[^\n]+\n~+\n|\Z)", re.MULTILINE | re.DOTALL)
STEP: Final = re.compile(r"^#\. (.*?)(?=^#\. |^\n\S|\Z)", re.MULTILINE | re.DOTALL)
LITERAL: Final = re.compile(r"``([^`]+)``")
FILE: Final = re.compile(r"[\w./-]+/[\w.-]+\.\w+")
NAME: Final = re.compile(r"(?:[A-Z]\w*\.)?\w+")


def recipes() -> Iterator[tuple[str, str, list[str]]]:
    """Title, text and steps of each recipe."""
    for title, text in RECIPES.findall(DOCUMENT.partition("\nRecipes\n-------\n")[2]):
        yield title, text, STEP.findall(text)


def places(step: str) -> Iterator[tuple[Path, list[str]]]:
    """Each file that stands in front of a step's colon, with the names behind it."""
    file, names = None, list[str]()
    for word in LITERAL.findall(step.partition(": ")[0]):
        if FILE.fullmatch(word):
            if file is not None:
                yield file, names
            file, names = ROOT / word, []
        else:
            names.append(word)
    if file is not None:
        yield file, names


class RecipeTests(SynchronousTestCase):
    """How things are added."""

    def test_all(self) -> None:
        """There is a recipe for each thing that people add, and each has several steps."""
        found = {title: len(steps) for title, _, steps in recipes()}
        expected = ["wire command", "slash command", "content type", "setting", "migration of the store"]
        expected += ["migration of the client's database", "dialog"]
        self.assertEqual([*found], [f"A {each}" for each in expected])
        self.assertGreater(min(found.values()), 2)

    def test_steps(self) -> None:
        """Each step begins with a file, which has what stands behind it, and something of the recipe's example."""
        for title, text, steps in recipes():
            option, pattern = re.findall(r"``git grep -(i?)E '([^']+)'``", text)[0]
            example = re.compile(pattern, re.IGNORECASE if option else 0)
            for step in steps:
                found = list(places(step))
                self.assertTrue(found, f"{title}: {step}")
                for file, names in found:
                    self.assertIsNotNone(example.search(file.read_text(encoding="utf-8")), f"{title}: {file}")
                    for name in names:
                        self.assertRegex(name, NAME)
                        self.assertIn(name, names_in(file), f"{title}: {file}")

    def test_tests(self) -> None:
        """Each recipe ends with tests that exist."""
        for title, text, _ in recipes():
            (named,) = re.findall(r"Tests: ``([^`]+)``", text)
            for name in named.split():
                path = ROOT / name.replace(".", "/")
                self.assertTrue(path.is_dir() or path.with_suffix(".py").exists(), f"{title}: {name}")


class PageTests(SynchronousTestCase):
    """The whole page."""

    def test_files(self) -> None:
        """Whatever looks like a file is one."""
        found = [word for word in LITERAL.findall(DOCUMENT) if FILE.fullmatch(word)]
        self.assertGreater(len(found), 40)
        for word in found:
            self.assertTrue((ROOT / word).exists(), word)

    def test_targets(self) -> None:
        """Each target of make that it names is one."""
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        found = re.findall(r"^ +make ((?:[a-z-]+ ?)+)|``make ([a-z-]+)", DOCUMENT, re.MULTILINE)
        targets = {target for words in found for word in words for target in word.split()}
        self.assertGreater(len(targets), 8)
        for target in targets:
            self.assertRegex(makefile, rf"(?m)^{target}:", target)

    def test_single_test(self) -> None:
        """The tests that it runs as examples exist."""
        for name in re.findall(r"(?:trial |ARGS=)(tests[\w.]+)", DOCUMENT):
            module = re.sub(r"\.[A-Z].*", "", name)
            path = ROOT / f"{module.replace('.', '/')}.py"
            self.assertTrue(path.exists(), name)
            if module != name:
                self.assertIn(name.removeprefix(f"{module}."), names_in(path))
