"""Makes foreign text safe to put into one cell of a terminal or one line of a log.

Nothing that comes from another person reaches a screen around this: names, messages, topics, file names, errors.
"""

import re
import unicodedata
from functools import lru_cache

from idna import valid_contextj
from wcwidth import iter_graphemes

REPLACEMENT = "\ufffd"
NEWLINE = "\u23ce"
DOTTED_CIRCLE = "\u25cc"

_SPOKEN = {"\n": NEWLINE, "\t": " "}
_FSI, _PDI = "\u2068", "\u2069"
_ISOLATES = frozenset("\u2066\u2067\u2068\u2069")
_BIDI_OVERRIDES = _ISOLATES | frozenset("\u202a\u202b\u202c\u202d\u202e")
_VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0\U0001d159"
)  # not of category Cf, yet never drawn
_BRAILLE_BLANK = "\u2800"  # kept, as it is a space between words
_SELECTORS = frozenset("\u180b\u180c\u180d\u180f") | frozenset(map(chr, range(0xFE00, 0xFE10)))
_IDEOGRAPH_SELECTORS = frozenset(map(chr, range(0xE0100, 0xE01F0)))
_JOINERS = frozenset("\u200c\u200d")
_TAGS = frozenset(map(chr, range(0xE0020, 0xE0080)))
_REGION = "\U0001f3f4[\U000e0061-\U000e007a]{2}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,3}\U000e007f"
_FLAG_OR_TAG = re.compile(f"({_REGION})|[\U000e0020-\U000e007f]")
_VIRAMA = 9  # the canonical combining class
_RIGHT_TO_LEFT = ((0x0590, 0x08FF), (0xFB1D, 0xFDFF), (0xFE70, 0xFEFF), (0x10800, 0x10FFF), (0x1E800, 0x1EFFF))


def clean_line(text: str, max_marks: int = 4) -> str:
    """One line of text that cannot move the cursor, hide, reorder or overflow.

    Line breaks become U+23CE and tabs a space. Other control characters (C0, C1, DEL, so no ESC), bidi embeddings,
    overrides and isolates (UAX 9), line and paragraph separators, lone surrogates, private use and noncharacters become
    U+FFFD. What is not drawn (zero-width characters, bidi marks, most of U+E0000 to U+E0FFF) goes, but for what a language
    or a picture cannot be written without: joiners (U+200C, U+200D) where RFC 5892 appendices A.1 and A.2 have them, before
    a virama, and between two pictures (UAX 29 rule GB11); the tags of a region's flag (UTS 51 section C.1).

    A character keeps one variation selector right behind it and ``max_marks`` combining marks (or conjoining vowels and
    finals of Hangul); a mark at the start gets U+25CC to stand on, so that it does not join the cell before. The text does
    not get longer but for that one. Cleaning twice gives the same as once.

    Args:
        text: Any text at all.
        max_marks: Combining marks that one character keeps, 0 or more.
    """
    if text.isascii() and text.isprintable():
        return text
    out: list[str] = []
    marks = 0
    carrier = ""  # what a selector may stand right behind
    begun = False
    unsure = False
    for character in text.replace("\r\n", "\n"):
        shown, kind = _treat(character)
        if kind == "mark":
            if marks < max_marks:
                if not begun:
                    out.append(DOTTED_CIRCLE)
                    begun = True
                out.append(shown)
            marks += 1
            carrier = ""
        elif kind == "selector":
            if carrier and (character not in _IDEOGRAPH_SELECTORS or _is_ideograph(carrier)):
                out.append(shown)
            carrier = ""
        elif kind == "unsure":
            out.append(shown)
            unsure = True
        elif shown:
            out.append(shown)
            marks = 0
            carrier = character
            begun = True
    return _without_loose("".join(out), max_marks) if unsure else "".join(out)


def is_blank(text: str) -> bool:
    """Whether nothing of a text would be seen: it is empty, or has spaces, controls and zero-width characters alone."""
    return all(map(_is_blank, text))


def _is_blank(character: str) -> bool:
    category = unicodedata.category(character)
    if category[0] == "Z" or category in {"Cc", "Cf"}:
        return character not in _VISIBLE_FORMATS
    return character == _BRAILLE_BLANK or any(
        character in unseen for unseen in (_INVISIBLE, _SELECTORS, _IDEOGRAPH_SELECTORS)
    )


def _without_loose(text: str, max_marks: int) -> str:
    """A line that is clean already, without the joiners and tags that stand where they say nothing."""
    text = _FLAG_OR_TAG.sub(lambda found: found.group(1) or "", text)
    reach = 2 * (max_marks + 2)  # no further than to the letters on both sides, past the marks and selectors of one
    out: list[str] = []
    for index, character in enumerate(text):
        if character not in _JOINERS or _joins("".join(out[-reach:]), character, text[index + 1 : index + 1 + reach]):
            out.append(character)
    return "".join(out)


def _joins(before: str, joiner: str, after: str) -> bool:
    """Whether a joiner changes how the letters or pictures around it are drawn."""
    if not before:
        return False
    try:
        if valid_contextj(before + joiner + after, len(before)):
            return True
    except ValueError:  # a neighbour that Unicode has no name for
        return False
    if joiner == "\u200c" or not after:
        return False
    if unicodedata.combining(after[0]) == _VIRAMA:  # the Bengali ya behind a ra
        return unicodedata.category(before[-1])[0] == "L"
    apart = len(list(iter_graphemes(before + after[0])))
    return len(list(iter_graphemes(before + joiner + after[0]))) < apart


def _is_ideograph(character: str) -> bool:
    return unicodedata.name(character, "").startswith("CJK UNIFIED IDEOGRAPH")


def isolate(text: str) -> str:
    """The text between FSI and PDI (UAX 9 section 2.4) if it has a character written from right to left.

    So it cannot reorder what stands around it. Isolate controls inside it are dropped, or they could end the isolation.

    Args:
        text: A result of `clean_line`; cleaning comes first, since it replaces these controls.
    """
    if text.isascii():
        return text
    inside = "".join(character for character in text if character not in _ISOLATES)
    return f"{_FSI}{inside}{_PDI}" if any(map(_is_right_to_left, inside)) else inside


def _is_right_to_left(character: str) -> bool:
    direction = unicodedata.bidirectional(character)
    if direction:
        return direction in {"R", "AL"}
    return any(first <= ord(character) <= last for first, last in _RIGHT_TO_LEFT)  # unassigned: the block decides


@lru_cache(maxsize=4096)
def _treat(character: str) -> tuple[str, str]:
    """What to show for a character, and whether it is a "mark", a "selector", "unsure" (its neighbours say), or a "base"."""
    point = ord(character)
    category = unicodedata.category(character)
    if character in _SELECTORS or character in _IDEOGRAPH_SELECTORS:
        return character, "selector"
    if character in _JOINERS or character in _TAGS:
        return character, "unsure"
    if character in _SPOKEN:
        shown = _SPOKEN[character]
    elif 0xE0000 <= point <= 0xE0FFF or character in _INVISIBLE:
        shown = ""
    elif _is_replaced(character, point, category):
        shown = REPLACEMENT
    elif category == "Cf" and character not in _VISIBLE_FORMATS:
        shown = ""
    elif category[0] == "M" or 0x1160 <= point <= 0x11FF or 0xD7B0 <= point <= 0xD7FF:
        return character, "mark"
    else:
        shown = character
    return shown, "base"


def _is_replaced(character: str, point: int, category: str) -> bool:
    if character in _BIDI_OVERRIDES or category in {"Cc", "Cs", "Co", "Zl", "Zp"}:
        return True
    if category != "Cn":
        return False
    noncharacter = point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF
    return noncharacter or point == 0x2065 or 0xFFF0 <= point <= 0xFFF8  # the rest: reserved for things not drawn
