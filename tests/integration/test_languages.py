"""The language of a program that was started."""

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.test_daemon import ROOT

CHOOSING = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
SECONDS = 60


class LanguageTests(SynchronousTestCase):
    """``chatserv-client --help``, as it chooses its language."""

    def begins(self, **chosen: str) -> str:
        """The first word of the help."""
        environment = {name: value for name, value in os.environ.items() if name not in CHOOSING}
        result = subprocess.run(
            [sys.executable, "-m", "clients.stdio", "--help"],
            cwd=ROOT, env=environment | chosen, capture_output=True, encoding="utf-8", timeout=SECONDS, check=True,
        )  # fmt: skip
        return result.stdout.partition(" ")[0]

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
