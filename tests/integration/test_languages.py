"""The language of a program that was started."""

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from clients.shared.argument_parser import fitting
from tests.integration.test_daemon import ROOT

CHOOSING = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
SECONDS = 120


class LanguageTests(SynchronousTestCase):
    """``chatserv-client --help``, as it chooses its language."""

    def help(self, program: str = "clients.stdio", **chosen: str) -> bytes:
        """What it prints."""
        environment = {name: value for name, value in os.environ.items() if name not in CHOOSING}
        result = subprocess.run(
            [sys.executable, "-m", program, "--help"],
            cwd=ROOT, env=environment | chosen, capture_output=True, timeout=SECONDS, check=True,
        )  # fmt: skip
        self.assertEqual(result.stderr, b"")
        return result.stdout

    def begins(self, **chosen: str) -> str:
        """The first word of the help."""
        return self.help(**chosen).decode().partition(" ")[0]

    def test_narrow(self) -> None:
        """Where the terminal has no accents, the letters stand there without them, in help and in what goes wrong."""
        for program in ("clients.stdio", "clients.window.main"):
            for encoding in ("ascii", "latin-1", "cp437"):
                found = self.help(program, LANGUAGE="es", PYTHONIOENCODING=encoding).decode(encoding)
                self.assertIn("opciones:", found)
                self.assertNotIn("?", found)
        said = "\u00a1S\u00ed! \u00bfRaz\u00f3n? \u2013 \u2026 \u2603 \u65e5"
        self.assertEqual(fitting(said, "ascii"), "Si! Razon? - ... ? ?")
        self.assertEqual(fitting("Raz\u00f3n \u0151", "latin-1"), "Raz\u00f3n o")

    def test_chosen(self) -> None:
        """The first variable that is set decides, the first language of it that there is, whatever locales are installed."""
        for chosen in (
            {"LANGUAGE": "es", "LC_ALL": "C.UTF-8"},
            {"LANGUAGE": "es", "LC_ALL": "C"},
            {"LANGUAGE": "xx:es:en", "LANG": "en_US.UTF-8"},
            {"LC_ALL": "es_MX.UTF-8", "LANG": "en_US.UTF-8"},
            {"LC_MESSAGES": "es_ES.UTF-8", "LANG": "C.UTF-8"},
            {"LANG": "es"},
        ):
            self.assertEqual(self.begins(**chosen), "uso:", chosen)

    def test_english(self) -> None:
        """Without a choice, or with one that there is no catalogue for, it is English."""
        for chosen in (
            {},
            {"LANG": "C.UTF-8"},
            {"LANGUAGE": "xx"},
            {"LANGUAGE": "en:es"},
            {"LC_ALL": "C", "LANG": "es"},
        ):
            self.assertEqual(self.begins(**chosen), "usage:", chosen)
