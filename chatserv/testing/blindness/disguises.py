"""What a text looks like in bytes: encodings of characters, base64, hexadecimal digits, and deflate with its fixed code.

A text is somewhere inside of more, of which nothing is known. Where an encoding packs it together with its neighbours, the
pieces at the ends that depend on them are left away, and every alignment is a form of its own.
"""

import base64
from collections.abc import Iterator
from typing import Final

CHARACTERS: Final = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")  # Python's own strings are among them
_NAMES: Final = {"utf-16-le": "utf-16", "utf-16-be": "utf-16", "utf-32-le": "utf-32", "utf-32-be": "utf-32"}
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_FIXED_FIRST: Final = 0x30  # the code of literal 0 (RFC 1951 section 3.2.6)
_FIXED_LITERALS: Final = 144  # those that have codes of 8 bits


def disguises(text: str) -> dict[bytes, str]:
    """Every form of a text, with the name of its encoding."""
    found: dict[bytes, str] = {}
    for form, name in _all(text):
        found.setdefault(form, name)
    return found


def _all(text: str) -> Iterator[tuple[bytes, str]]:
    for encoding in CHARACTERS:
        form = text.encode(encoding).strip(b"\0")  # of Latin letters both orders are then the same bytes
        yield form, _NAMES.get(encoding, encoding)
    data = text.encode()
    for offset in range(3):
        form = _base64_at(data, offset)
        yield form, "base64"
        yield form.translate(_URL_SAFE), "base64"
    yield data.hex().encode(), "hex"
    yield data.hex().upper().encode(), "HEX"
    if max(data) < _FIXED_LITERALS:
        for offset in range(8):
            yield _deflate_at(data, offset), "deflate"


def _base64_at(data: bytes, offset: int) -> bytes:
    """The characters that stand for ``data`` and nothing else, where ``offset`` bytes of a group are in front of it."""
    skipped = -offset % 3
    whole = (len(data) - skipped) // 3 * 3
    return base64.b64encode(data[skipped : skipped + whole])


def _deflate_at(data: bytes, offset: int) -> bytes:
    """The bytes that stand for ``data`` in a block of fixed codes, where it begins at bit ``offset`` of a byte.

    Compressors take such blocks for short texts; no beginning of a stream is needed to see these.
    """
    bits = "0" * offset + "".join(f"{_FIXED_FIRST + byte:08b}" for byte in data)
    start, end = (8 if offset else 0), len(bits) // 8 * 8
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(start, end, 8))
