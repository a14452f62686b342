"""Letters of any script: which words have no spaces between them, and what two spellings have in common."""

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


def folded(text: str) -> str:
    """What UsernameCaseMapped makes of the letters of a name (RFC 8265 section 3.3), signs of any kind left as they are.

    So a name that is begun, or stands in a text, can be compared with names that are canonical.
    """
    narrow = "".join(
        unicodedata.normalize("NFKC", each)
        if unicodedata.decomposition(each).startswith(("<wide>", "<narrow>"))
        else each
        for each in text
    )
    return unicodedata.normalize("NFC", narrow.lower())
