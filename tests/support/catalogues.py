"""The catalogues in ``chatserv/locale``: brought up to date from the sources, compiled, and validated.

``make catalogues`` runs this module. English is filled in by itself; what another language lacks is listed. People edit
``.po`` files alone; the head of each, with its notes for translators, stays as it is.
"""

import ast
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT: Final = Path(__file__).parents[2]
LOCALE: Final = ROOT / "chatserv" / "locale"
ORIGINAL: Final = "en"  # the language of the sources
KEYWORDS: Final = frozenset({"_", "N_", "translate"})


class Stable(Catalog):
    """A catalogue whose head depends neither on the day nor on the version of Babel, so that differences stay small."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """The head, for readers of the file."""
        return [
            ("Project-Id-Version", "chatserv"),
            ("Language", str(self.locale_identifier)),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit\n"),
        ]

    @mime_headers.setter
    def mime_headers(self, value: Iterable[tuple[str, str]]) -> None:
        """A head that is read from a file changes nothing: what is written is the one above."""


# -- sources -----------------------------------------------------------------------------------------------------------


def sources() -> list[Path]:
    """Every module that may hold texts for people."""
    return sorted(path for top in ("chatserv", "clients") for path in (ROOT / top).rglob("*.py"))


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Where a module marks a text, in the order of its lines; Babel's own reader misses those inside f-strings (3.11)."""
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KEYWORDS
    ]
    return iter(sorted(found, key=lambda node: (node.lineno, node.col_offset)))


def literal(node: ast.Call) -> str | None:
    """The text of a call, if it is one."""
    (first, *_) = [*node.args, None]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def texts() -> dict[str, list[str]]:
    """Every text of the sources, with the files that it is in."""
    found: dict[str, list[str]] = {}
    for path in sources():
        file = path.relative_to(ROOT).as_posix()
        for call in calls(ast.parse(path.read_text(encoding="utf-8"))):
            text = literal(call)
            if text is not None and file not in found.setdefault(text, []):
                found[text].append(file)
    return found


# -- catalogues --------------------------------------------------------------------------------------------------------


def languages() -> list[str]:
    """Those that there is a directory for."""
    return sorted(path.parent.name for path in LOCALE.glob("*/LC_MESSAGES"))


def file(language: str, suffix: str) -> Path:
    """Where the catalogue of a language is; ``suffix``: ``po`` or ``mo``."""
    return LOCALE / language / "LC_MESSAGES" / f"chatserv.{suffix}"


def read(language: str) -> Stable:
    """The ``.po`` file of a language as it is; an empty catalogue where there is none yet."""
    found = Stable(locale=language, header_comment=f"# chatserv: {language}", fuzzy=False)
    path = file(language, "po")
    if path.exists():
        with path.open("rb") as opened:
            kept = read_po(opened, locale=language)
        found.header_comment = kept.header_comment
        for message in kept:
            if message.id:
                found[message.id] = message
        found.obsolete = kept.obsolete
    return found


def updated(kept: Stable, wanted: dict[str, list[str]]) -> Stable:
    """The texts of the sources, with the translations that there are; what is in no source any more is gone."""
    made = Stable(locale=kept.locale_identifier, header_comment=kept.header_comment, fuzzy=False)
    original = str(kept.locale_identifier) == ORIGINAL
    for text, files in wanted.items():
        old = kept.get(text)
        made[text] = Message(
            text,
            text if original else old.string if old else "",
            locations=[(name, 0) for name in files],
            flags=("fuzzy",) if old and old.fuzzy else (),
            user_comments=old.user_comments if old else (),
        )
    return made


def as_po(catalogue: Catalog) -> bytes:
    """The file for people."""
    out = io.BytesIO()
    write_po(out, catalogue, width=0, include_lineno=False)
    return out.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    """The file for the program."""
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def untranslated(catalogue: Catalog, wanted: dict[str, list[str]]) -> list[str]:
    """The texts that a catalogue has no translation for, or a doubtful one."""
    found = []
    for text in wanted:
        message = catalogue.get(text)
        if message is None or not message.string or message.fuzzy:
            found.append(text)
    return found


def main() -> int:
    """Brings all catalogues up to date. Returns 1 where one is not complete then."""
    wanted, code = texts(), 0
    for language in languages():
        catalogue = updated(read(language), wanted)
        file(language, "po").write_bytes(as_po(catalogue))
        file(language, "mo").write_bytes(as_mo(catalogue))
        missing = untranslated(catalogue, wanted)
        print(f"{language}: {len(wanted)} texts, {len(missing)} without translation")
        for text in missing:
            print(f"  {', '.join(wanted[text])}: {text}")
        code = code or bool(missing)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
