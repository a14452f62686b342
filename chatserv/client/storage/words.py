"""Full-text search over the archive: the words of every text, in an FTS5 table of SQLite.

The rows have the positions of the table of messages. Deleting one leaves its words in the index until SQLite merges that
part of it, so what was taken back is merged away after a while, and when the file is closed.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from chatserv.client.storage.database import Database
from chatserv.client.storage.facts import Facts

MAX_WORDS: Final = 20
"""Of a search; more are left out."""
_LEFTOVERS: Final = "words_left"
_WORD: Final = re.compile(r"\w+")


def words_of(query: str) -> list[str]:
    """The words of what a person searches for, at most `MAX_WORDS`; signs between them do not count."""
    return [found.group() for _, found in zip(range(MAX_WORDS), _WORD.finditer(query), strict=False)]


class WordIndex:
    """Which message holds which words.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._facts = database, Facts(database)

    def put(self, position: int, text: str) -> None:
        """Keeps the words of a message in place of those before."""
        self._database.write("INSERT OR REPLACE INTO words (rowid, text) VALUES (?, ?)", (position, text))

    def drop(self, which: str, values: Sequence[Any]) -> None:
        """Forgets the words of some messages.

        Args:
            which: A query of their positions.
            values: Its values.
        """
        if self._database.write(f"DELETE FROM words WHERE rowid IN ({which})", values):  # noqa: S608 - queries of our own
            self.mark_leftovers()

    def mark_leftovers(self) -> None:
        """Words were deleted or replaced that the index still holds somewhere."""
        self._facts.put(_LEFTOVERS, b"\x01")

    def clean(self) -> None:
        """Merges the whole index where deleted words may be left in it: half a second for 100,000 messages."""
        if self._facts.get(_LEFTOVERS) != b"\x01":
            return
        with self._database.transaction():
            self._database.write("INSERT INTO words (words) VALUES ('optimize')")
            self._facts.put(_LEFTOVERS, b"\x00")

    @staticmethod
    def expression(query: str) -> str:
        """The search as FTS5 wants it: every word has to be there, each as the beginning of one; empty for no word."""
        return " ".join(f'"{word}"*' for word in words_of(query))
