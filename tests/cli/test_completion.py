"""Completion for shells, and the manual page: both made from the command line, and right for those who read them."""

import re
import shutil
import subprocess
from unittest import SkipTest

from chatserv.cli.completion import every_parser
from chatserv.cli.man_page import man_page
from chatserv.cli.parser import make_parser
from chatserv.operations.table import OPERATIONS
from tests.cli.test_main import CommandCase

COMPLETES = """
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_shtab_chatserv chatserv "${{COMP_WORDS[COMP_CWORD]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


class CompletionTests(CommandCase):
    """``completion``."""

    def test_bash(self) -> None:
        """In bash, commands, their parts, options and the words that an argument may be are completed."""
        script = self.run_command("completion", "bash")[1]
        for words, expected in (
            ("chatserv sta", {"status"}),
            ("chatserv user su", {"suspend"}),
            ("chatserv user role bob ''", {"admin", "user"}),
            ("chatserv ban lift --a", {"--all"}),
        ):
            asked = script + COMPLETES.format(words=words)
            done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
            self.assertEqual(expected, set(done.stdout.split()), words)

    def test_others(self) -> None:
        """Each shell gets every command; what is no shell gets nothing."""
        for shell in ("zsh", "fish"):
            script = self.run_command("completion", shell)[1]
            for name in OPERATIONS:
                self.assertIn(name.rpartition(" ")[2], script, shell)
        self.assertEqual(2, self.run_command("completion", "command.com")[0])

    def test_parsers(self) -> None:
        """The command line has a parser for each operation, and for each group."""
        programs = {parser.prog.removeprefix("chatserv").strip() for parser in every_parser(make_parser())}
        self.assertEqual(set(), set(OPERATIONS) - programs)


class ManPageTests(CommandCase):
    """The manual page."""

    def test_complete(self) -> None:
        """It has every operation, its arguments and what it needs."""
        page = man_page().replace("\\-", "-")
        for operation in OPERATIONS.values():
            self.assertIn(f".SS {operation.name}", page)
            for argument in operation.arguments:
                self.assertIn(argument.summary, page)

    def test_read(self) -> None:
        """Troff has nothing to complain about, and shows hyphens that can be copied."""
        if shutil.which("groff") is None:
            raise SkipTest("needs groff")
        command = ["groff", "-man", "-Tutf8", "-ww", "-rF0"]
        done = subprocess.run(command, input=man_page(), capture_output=True, text=True, check=True)
        self.assertEqual("", done.stderr)
        self.assertIn("--state-dir", re.sub(".\b", "", done.stdout))
