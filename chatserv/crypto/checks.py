"""What structures have in common, whatever they say: texts, names of users, flags, lists."""

import unicodedata
from collections.abc import Callable
from typing import Final, TypeVar

from chatserv.crypto.encoding import Reader
from chatserv.errors import Reject

MAX_USER_CHARACTERS: Final = 32
MAX_USER_BYTES: Final = 64

T = TypeVar("T")


def check_text(text: str, limit_bytes: int, what: str) -> None:
    """Raises `Reject` unless ``text`` is in NFC and has at most ``limit_bytes`` of UTF-8.

    NFC is that of Unicode 3.2, the one version which every Python has: members with different ones must validate alike. A
    text that is in NFC today is in NFC there as well; server and clients make names and topics with all of the rules.
    """
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError:
        raise Reject(f"{what}: a lone surrogate") from None
    if size_bytes > limit_bytes:
        raise Reject(f"{what}: more than {limit_bytes} bytes")
    if not unicodedata.ucd_3_2_0.is_normalized("NFC", text):
        raise Reject(f"{what}: not in NFC")


def check_user(user: str) -> None:
    """Raises `Reject` unless ``user`` has the form of a user name (docs/rooms.rst 2); PRECIS is the server's."""
    if not 1 <= len(user) <= MAX_USER_CHARACTERS:
        raise Reject(f"user name: {len(user)} characters")
    check_text(user, MAX_USER_BYTES, "user name")


def flag(value: int, what: str) -> bool:
    """A byte that is 0 or 1. Raises `Reject` for another."""
    if value not in (0, 1):
        raise Reject(f"{what}: {value} is not 0 or 1")
    return bool(value)


def read_list(data: bytes, what: str, read: Callable[[Reader], T]) -> tuple[T, ...]:
    """The structures that follow each other in ``data`` up to its end."""
    reader = Reader(data, what)
    items = []
    while reader.left:
        items.append(read(reader))
    return tuple(items)
