"""What is known of scripts beyond the properties that the standard library has."""

import unicodedata
from typing import Final

_COMPLEX: Final = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF))


def is_unspaced(character: str) -> bool:
    """Whether words of the character's script follow each other without a space, or take particles without one.

    Chinese, Japanese and Korean, by their width (UAX 11); Thai, Lao, Khmer, Burmese and their neighbours, by the blocks that
    line breaking calls complex (UAX 14, class SA).
    """
    point = ord(character)
    if point < 0x0E00:
        return False
    if any(first <= point <= last for first, last in _COMPLEX):
        return True
    return unicodedata.category(character) in {"Lo", "Lm"} and unicodedata.east_asian_width(character) in "WFH"
