"""Mentions: ``@name`` in a text."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from chatserv.domain.names import MAX_CHARACTERS
from chatserv.domain.scripts import folded, is_unspaced

MAX_MENTIONS: Final = 50
_CALL: Final = re.compile("[@\uff20]")
_SPACED: Final = frozenset({"Lu", "Ll", "Lt", "Nd", "Nl", "Pc"})  # cased letters, digits, the low line
_MAX_FOLDED: Final = 4 * MAX_CHARACTERS  # composing shortens a name


def mentioned_names(text: str, users: Iterable[str]) -> tuple[str, ...]:
    """Those of ``users`` (canonical names) whom a text calls, in order of name, at most `MAX_MENTIONS`.

    At each ``@`` (or U+FF20) the longest name counts that stands there, in any case and width, and that no letter goes on:
    ``@alice's``, ``@alice…`` and ``@alice。`` call alice, ``@alicea`` does not. Scripts without spaces between words, and
    Korean with its particles, may go on right behind a name and end right before the ``@``. An address is no call.
    """
    known = set(users)
    lengths = sorted({len(name) for name in known}, reverse=True)
    found: set[str] = set()
    for call in _CALL.finditer(text):
        if len(found) == MAX_MENTIONS:
            break
        at = call.start()
        if _within_word(text[max(at - 1, 0) : at]):
            continue
        here = folded(text[at + 1 : at + 1 + _MAX_FOLDED])
        for length in lengths:
            name = here[:length]
            if name in known and not _goes_on(name, here[length : length + 1]):
                found.add(name)
                break
    return tuple(sorted(found))


def _within_word(before: str) -> bool:
    """Whether an ``@`` behind this character belongs to an address, or is doubled."""
    return bool(before) and (
        before in "@\uff20" or (unicodedata.category(before) in _SPACED and not is_unspaced(before))
    )


def _goes_on(name: str, rest: str) -> bool:
    """Whether the character behind a name, if there is one, is still part of the word that the name begins."""
    if not rest:
        return False
    category = unicodedata.category(rest)
    if category[0] == "M":
        return True
    return (category in _SPACED or category[0] == "L") and not is_unspaced(rest) and not is_unspaced(name[-1])
