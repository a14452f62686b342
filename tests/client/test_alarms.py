"""Each alarm says who did it and what to do, and there is none that the table does not know."""

import ast
import gettext
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import chatserv.client
from chatserv import i18n
from chatserv.client import ALARMS, Alarm, Blame
from clients.shared.trust_text import alarm_text

RAISERS = {"Alarm", "_alarm", "_prove"}


def raised() -> Iterator[str]:
    """The kinds of all alarms that the library raises, by its source."""
    for path in Path(chatserv.client.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in RAISERS:
                    words = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
                    yield from (str(word) for word in words if str(word) in ALARMS or str(word).isidentifier())


class AlarmTests(SynchronousTestCase):
    """The table."""

    def test_complete(self) -> None:
        """Everything that is raised by its name is in the table, and the rest of the table is named elsewhere."""
        found = set(raised())
        self.assertEqual(set(), found - set(ALARMS))
        source = "".join(path.read_text("utf-8") for path in Path(chatserv.client.__file__).parent.rglob("*.py"))
        for what in ALARMS:
            self.assertGreater(source.count(f'"{what}"'), 1, f"{what}: nobody raises it")

    def test_who_and_what_to_do(self) -> None:
        """In every language each kind names who did it, and says what to do; a person by name."""
        for language in ("en", "es"):
            self.patch(i18n, "_translations", gettext.translation("chatserv", i18n._LOCALE_DIR, [language]))
            for what, kind in ALARMS.items():
                text = alarm_text(Alarm(what, "size 3", "mallory" if kind.blame is Blame.PERSON else ""))
                self.assertEqual(kind.blame is Blame.PERSON, "mallory" in text, text)
                begin = {"en": "ALARM: the server breaks the rules:", "es": "ALARMA: el servidor rompe las reglas:"}
                self.assertEqual(kind.blame is Blame.SERVER, text.startswith(begin[language]), text)
                self.assertIn("(size 3)", text)
                self.assertGreater(len(text.partition("(size 3)")[2]), 20, text)
                self.assertNotIn("{", text)

    def test_signed_by(self) -> None:
        """Who has signed what the server passed on is named beside it."""
        text = alarm_text(Alarm("bad_commit", "plans: x", "mallory"))
        self.assertTrue(text.startswith("ALARM: the server breaks the rules:"))
        self.assertIn("mallory signed it.", text)

    def test_file(self) -> None:
        """Where others can check it, the file is named behind the rest."""
        text = alarm_text(Alarm("log_forked", file="/home/ann/evidence-1.json"))
        self.assertTrue(text.endswith("with chatserv-client --check-evidence: /home/ann/evidence-1.json"), text)

    def test_unknown(self) -> None:
        """One of a later version is shown as it is."""
        self.assertIn("new_trouble (why)", alarm_text(Alarm("new_trouble", "why")))
