"""The catalogues in ``chatserv/locale`` are complete, and say the same as the sources."""

import ast
import gettext
import io
import re
import string
from typing import Final

from babel.messages.extract import extract_from_dir
from twisted.trial.unittest import SynchronousTestCase

from tests.support import catalogues

LANGUAGES: Final = ["en", "es"]
SAME_IN_SPANISH: Final = {"error:", "EMOJI", "Emoji", "FACTOR", "N", "no"}  # the same word in both languages
OPENING: Final = "¿¡("
ENDS: Final = re.compile(r"(\.\.\.|[^\w\s\"'*}])?\s*$")
KEPT_AS_THEY_ARE: Final = re.compile(r"(?<![\w/])/(?!text)[a-z][a-z-]*|--[a-z][a-z-]*|chatserv://|#lobby|@bob")
IN_SPANISH: Final = {
    "COMMAND": "COMANDO", "DEVICE": "DISPOSITIVO", "EMOJI": "EMOJI", "FACTOR": "FACTOR", "FILE": "ARCHIVO",
    "LINE": "LÍNEA", "LINK": "ENLACE", "N": "N", "NAME": "NOMBRE", "NUMBER": "NÚMERO", "ROOM": "SALA",
    "SECONDS": "SEGUNDOS", "SUBJECT": "DESTINO", "TEXT": "TEXTO", "THEME": "ASPECTO", "TOPIC": "TEMA", "USER": "USUARIO",
    "WAY": "MODO",
}  # fmt: skip
"""What stands for an argument, in both languages."""


def fields(text: str) -> set[str]:
    """The names of a text's placeholders. Raises `ValueError` where a brace is alone."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def literals(text: str) -> set[str]:
    """Commands and options: what people type as it is, in any language."""
    return set(KEPT_AS_THEY_ARE.findall(text))


def begins_low(text: str) -> bool | None:
    """Whether a text begins with a small letter; None where it does not begin with a letter."""
    first = text.lstrip(OPENING)[:1]
    return first.islower() if first.isalpha() else None


def ending(text: str) -> str:
    """The sign that a text ends with, and the space behind it."""
    found = ENDS.search(text)
    return found.group() if found else ""


class CataloguesTests(SynchronousTestCase):
    """Both files of each language. ``make catalogues`` brings them up to date and lists what is to be translated."""

    def setUp(self) -> None:
        """Reads the sources and the catalogues once for each test."""
        self.texts = catalogues.texts()
        self.kept = {language: catalogues.read(language) for language in LANGUAGES}

    def pairs(self) -> list[tuple[str, str, str]]:
        """Language, text and translation."""
        found = []
        for language, catalogue in self.kept.items():
            for message in catalogue:
                if message.id:
                    found.append((language, str(message.id), str(message.string)))
        self.assertGreater(len(found), 500)
        return found

    def assert_none(self, wrong: list[str]) -> None:
        """Fails with all of them, a line each."""
        self.assertEqual([], wrong, "\n" + "\n".join(wrong))

    def test_languages(self) -> None:
        """Every language that there is a directory for is tested here."""
        self.assertEqual(catalogues.languages(), LANGUAGES)

    def test_complete(self) -> None:
        """Every text of the sources has a translation that nobody doubts."""
        for language, catalogue in self.kept.items():
            self.assert_none([f"{language}: {text}" for text in catalogues.untranslated(catalogue, self.texts)])

    def test_nothing_else(self) -> None:
        """What is in no source any more is in no catalogue either, nor among its comments."""
        for language, catalogue in self.kept.items():
            known = {message.id for message in catalogue if message.id} | set(catalogue.obsolete)
            self.assert_none([f"{language}: {text}" for text in known if text not in self.texts])

    def test_up_to_date(self) -> None:
        """``make catalogues`` would change nothing: not the ``.po`` file, and not the ``.mo`` file that is made of it."""
        for language, catalogue in self.kept.items():
            made = catalogues.updated(catalogue, self.texts)
            self.assertTrue(catalogues.file(language, "po").read_bytes() == catalogues.as_po(made), language)
            self.assertTrue(catalogues.file(language, "mo").read_bytes() == catalogues.as_mo(made), language)

    def test_read_by_gettext(self) -> None:
        """The standard library reads from the ``.mo`` file what the ``.po`` file says."""
        for language, catalogue in self.kept.items():
            read = gettext.translation("chatserv", catalogues.LOCALE, [language])
            for text in self.texts:
                found = catalogue.get(text)
                self.assertEqual(read.gettext(text), found and found.string, text)

    def test_english(self) -> None:
        """English is what the sources say."""
        self.assert_none([text for language, text, said in self.pairs() if language == "en" and said != text])

    def test_spanish(self) -> None:
        """Spanish is not English, but for the words that are the same; each of those is one."""
        same = {text for language, text, said in self.pairs() if language == "es" and said == text}
        self.assertEqual(same, SAME_IN_SPANISH)

    def test_placeholders(self) -> None:
        """A translation has the placeholders of its text, and all of them have names."""
        wrong = [f"{language}: {said}" for language, text, said in self.pairs() if fields(text) != fields(said)]
        wrong += [text for text in self.texts if not all(name.isidentifier() for name in fields(text))]
        self.assert_none(wrong)

    def test_signs(self) -> None:
        """A translation has the spaces around its text and the sign at its end, and begins with a capital where it does."""
        wrong = []
        for language, text, said in self.pairs():
            spaced = len(text) - len(text.lstrip()) == len(said) - len(said.lstrip())
            begins = {begins_low(text), begins_low(said)} - {None}
            if not spaced or ending(text) != ending(said) or len(begins) > 1:
                wrong.append(f"{language}: {text!r}: {said!r}")
        self.assert_none(wrong)

    def test_typed(self) -> None:
        """Commands, options and arguments are typed the same in every language."""
        wrong = [f"{language}: {text!r}: {said!r}" for language, text, said in self.pairs()
                 if literals(text) != literals(said)]  # fmt: skip
        self.assert_none(wrong)

    def test_arguments(self) -> None:
        """What stands for an argument is the same word wherever it stands, in Spanish a Spanish one."""
        wrong = []
        for language, text, said in self.pairs():
            if language == "es":
                wanted = {IN_SPANISH[word] for word in re.findall(r"\b[A-Z]+\b", text) if word in IN_SPANISH}
                found = {word for word in re.findall(r"\b[A-ZÍÚ]+\b", said) if word in IN_SPANISH.values()}
                wrong += [f"{text!r}: {said!r}"] if wanted != found else []
        self.assert_none(wrong)

    def test_one_line(self) -> None:
        """No translation has control characters, or signs that change the direction of writing."""
        bad = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
        self.assert_none([said for _, text, said in self.pairs() if bad.search(said) and not bad.search(text)])


class SourcesTests(SynchronousTestCase):
    """Texts are marked so that they can be found."""

    def test_literals(self) -> None:
        """What is marked is a literal, without anything put into it; ``_`` may translate what `N_` has marked elsewhere."""
        wrong = []
        for path in catalogues.sources():
            for call in catalogues.calls(ast.parse(path.read_text(encoding="utf-8"))):
                (first, *more) = call.args
                name = call.func.id if isinstance(call.func, ast.Name) else ""
                if name == "translate" and "clients" not in path.parts:
                    continue  # the store calls something else so
                marked = isinstance(first, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)) and name == "_"
                if more or call.keywords or (catalogues.literal(call) is None and not marked):
                    wrong.append(f"{path.relative_to(catalogues.ROOT)}:{call.lineno}")
        self.assertEqual(wrong, [])

    def test_found_by_babel(self) -> None:
        """Other tools find these texts too: all but those inside f-strings, which Babel reads from Python 3.12 on."""
        keywords = dict.fromkeys(catalogues.KEYWORDS)
        found = set()
        for top in ("chatserv", "clients"):
            for _, _, text, _, _ in extract_from_dir(catalogues.ROOT / top, [("**.py", "python")], keywords=keywords):
                found.add(text)
        self.assertLessEqual(found, set(catalogues.texts()))
        self.assertGreater(len(found), 250)


class UpdatingTests(SynchronousTestCase):
    """`tests.support.catalogues`, on catalogues made here."""

    def test_update(self) -> None:
        """New texts come, old ones stay with what was said of them, gone ones go; English is filled in."""
        spanish = catalogues.Stable(locale="es", header_comment="# notes", fuzzy=False)
        spanish.add("yes", "sí", user_comments=["short"])
        spanish.add("gone", "ido")
        spanish.add("doubtful", "dudoso", flags=["fuzzy"])
        wanted = {"yes": ["a.py", "b.py"], "new": ["b.py"], "doubtful": ["a.py"]}
        made = catalogues.updated(spanish, wanted)
        text = catalogues.as_po(made).decode()
        self.assertIn("# notes\n", text)
        self.assertIn('# short\n#: a.py b.py\nmsgid "yes"\nmsgstr "sí"\n', text)
        self.assertIn('#: b.py\nmsgid "new"\nmsgstr ""\n', text)
        self.assertIn('#, fuzzy\nmsgid "doubtful"\n', text)
        self.assertNotIn("gone", text)
        self.assertEqual(catalogues.untranslated(made, wanted), ["new", "doubtful"])
        read = gettext.GNUTranslations(io.BytesIO(catalogues.as_mo(made)))
        self.assertEqual([read.gettext(each) for each in ("yes", "new", "doubtful")], ["sí", "new", "doubtful"])
        english = catalogues.updated(catalogues.Stable(locale="en", fuzzy=False), wanted)
        self.assertEqual(catalogues.untranslated(english, wanted), [])

    def test_calls(self) -> None:
        """Texts are found wherever they stand, in pieces and inside f-strings too."""
        source = "_('a' 'b')\nx = f\"{translate('c')} {N_('d')!r}\"\nother('e')\n_(f)\n"
        found = [catalogues.literal(call) for call in catalogues.calls(ast.parse(source))]
        self.assertEqual(found, ["ab", "c", "d", None])
