"""The English word list of BIP-39: 2048 words, 11 bits each, no two of which begin with the same four letters."""

from functools import cache
from importlib.resources import files
from typing import Final

WORD_BITS: Final = 11


@cache
def word_list() -> tuple[str, ...]:
    """All words, in order."""
    return tuple(files(__package__).joinpath("bip39_english.txt").read_text("ascii").split())


def words(digest: bytes, count: int) -> str:
    """The first ``11 * count`` bits of a hash, as words with spaces between."""
    number, listed = int.from_bytes(digest, "big"), word_list()
    shifts = (len(digest) * 8 - WORD_BITS * (at + 1) for at in range(count))
    return " ".join(listed[number >> shift & 2047] for shift in shifts)
