"""The pages beside the code: what they name is there. Recipes of CONTRIBUTING.rst, commands and options of README.rst."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Slash
from clients.shared.arguments import parse_arguments
from tests.test_architecture import names_in

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = {
    name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.rst", "CONTRIBUTING.rst", "SECURITY.rst")
}
RECIPES: Final = re.compile(r"^([^\n]+)\n~+\n\n(.*?)(?=^[^\n]+\n~+\n|\Z)", re.MULTILINE | re.DOTALL)
STEP: Final = re.compile(r"^#\. (.*?)(?=^#\. |^\n\S|\Z)", re.MULTILINE | re.DOTALL)
LITERAL: Final = re.compile(r"``([^`]+)``")
FILE: Final = re.compile(r"[\w./-]+/[\w.-]+\.\w+")
NAME: Final = re.compile(r"(?:[A-Z]\w*\.)?\w+")


def recipes() -> Iterator[tuple[str, str, list[str]]]:
    """Title, text and steps of each recipe."""
    for title, text in RECIPES.findall(PAGES["CONTRIBUTING.rst"].partition("\nRecipes\n-------\n")[2]):
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
        expected = ["wire command", "slash command", "content type", "setting", "command of the operator"]
        expected += ["migration of the store", "migration of the client's database", "dialog"]
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
    """Every page at the top."""

    def test_files(self) -> None:
        """Whatever looks like a file of the repository is one."""
        found = [(page, word) for page, text in PAGES.items() for word in LITERAL.findall(text) if FILE.fullmatch(word)]
        self.assertGreater(len(found), 60)
        for page, word in found:
            self.assertTrue((ROOT / word).exists(), f"{page}: {word}")

    def test_targets(self) -> None:
        """Each target of make that is named is one."""
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        found = re.findall(r"^ +make ((?:[a-z-]+ ?)+)|``make ([a-z-]+)", "\n".join(PAGES.values()), re.MULTILINE)
        targets = {target for words in found for word in words for target in word.split()}
        self.assertGreater(len(targets), 8)
        for target in targets:
            self.assertRegex(makefile, rf"(?m)^{target}:", target)

    def test_single_test(self) -> None:
        """The tests that are run as examples exist."""
        for name in re.findall(r"(?:trial |ARGS=)(tests[\w.]+)", PAGES["CONTRIBUTING.rst"]):
            module = re.sub(r"\.[A-Z].*", "", name)
            path = ROOT / f"{module.replace('.', '/')}.py"
            self.assertTrue(path.exists(), name)
            if module != name:
                self.assertIn(name.removeprefix(f"{module}."), names_in(path))

    def test_commands(self) -> None:
        """Slash commands and options that the first page shows are there."""
        page = PAGES["README.rst"]
        commands = {name for word in LITERAL.findall(page) for name in re.findall(r"^/([a-z-]+)", word)}
        self.assertGreater(len(commands), 15)
        self.assertEqual(commands - set(Slash.commands), set())
        options = set(re.findall(r"(?<=[ `])--[a-z][a-z-]+", page))
        self.assertGreater(len(options), 4)
        arguments = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "clients").rglob("*.py"))
        self.assertEqual({option for option in options if f'"{option}"' not in arguments}, set())

    def test_first_screen(self) -> None:
        """Before its first heading, the first page has a picture that is there and the two commands."""
        first = PAGES["README.rst"].partition("\nStart\n-----\n")[0]
        self.assertLess(len(first.splitlines()), 25)
        (picture,) = re.findall(r"image:: (\S+)", first)
        self.assertTrue((ROOT / picture).exists())
        for command in ("make run", ".venv/bin/chatserv-client"):
            self.assertIn(f"    {command} ", first)


class AccountPageTests(SynchronousTestCase):
    """``docs/accounts.rst``: what it tells people to type and to click is there."""

    page = (ROOT / "docs" / "accounts.rst").read_text(encoding="utf-8")

    def test_commands(self) -> None:
        """Each slash command is one, with arguments as the page has them."""
        lines = [line for line in LITERAL.findall(self.page) if line.startswith("/")]
        lines += re.findall(r"^    (/.*)$", self.page, re.MULTILINE)
        self.assertGreater(len(lines), 20)
        for line in lines:
            name, _space, rest = line[1:].partition(" ")
            command = Slash.commands[name]
            if rest:
                command.words(rest)

    def test_options(self) -> None:
        """Each command line of the program is one that it takes."""
        found = re.findall(r"chatserv-client ((?:\\\n|[^\n|`])+)", self.page)
        self.assertGreater(len(found), 5)
        for arguments in found:
            parse_arguments(shlex.split(arguments.replace("\\\n", " ")))
        sources = (ROOT / "clients" / "shared" / "arguments.py", ROOT / "clients" / "shared" / "common_options.py")
        known = "".join(path.read_text(encoding="utf-8") for path in sources)
        for option in set(re.findall(r"(?<=``)--[a-z-]+", self.page)):
            self.assertIn(f'"{option}"', known)

    def test_menus(self) -> None:
        """Each entry of a menu that stands beside a command is in the window."""
        table = self.page.partition("\nWhat to type, ")[2].partition("\nThe recovery code\n")[0]
        window = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "clients" / "window").rglob("*.py"))
        labels = {label.replace("&", "") for label in re.findall(r'translate\(\s*"([^"]+)"', window)}
        found = re.findall(r"\*([^*\n]+)\*", table)
        self.assertGreater(len(found), 10)
        self.assertEqual([each for each in found if each not in labels], [])
