"""What somebody answers on a terminal."""

import builtins
import gettext
import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

from chatserv import i18n
from clients.shared.questions import agrees
from tests.clients.shared.test_arguments import Terminal


class AgreesTests(TestCase):
    """A yes is one in the language in which was asked, and in English; all else is a no."""

    def answer(self, typed: str) -> bool:
        """What counts of it."""
        self.patch(sys, "stdin", Terminal(terminal=True))
        self.patch(builtins, "input", lambda: typed)
        return agrees("? ")

    def test_english(self) -> None:
        """One letter or the word."""
        self.assertEqual(
            [self.answer(typed) for typed in ("y", " Yes ", "n", "", "s", "yy")], [True, True, *[False] * 4]
        )

    def test_spanish(self) -> None:
        """With and without its accent."""
        spanish = gettext.translation("chatserv", Path(i18n.__file__).parent / "locale", ["es"])
        self.patch(i18n, "_translations", spanish)
        self.assertEqual(
            [self.answer(typed) for typed in ("s", "Sí", "si", "y", "n", "no")], [*[True] * 4, False, False]
        )
