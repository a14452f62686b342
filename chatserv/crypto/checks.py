"""What structures have in common, whatever they say: texts, names of users, flags, lists."""

import unicodedata
from collections.abc import Callable
from typing import Final, TypeVar

from chatserv.crypto.content import ID_BYTES
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


def _in_nfc(text: str) -> bool:
    return text.isascii() or unicodedata.ucd_3_2_0.is_normalized("NFC", text)


def made_text(text: str, what: str, limit_bytes: int | None = None) -> str:
    """``text`` in NFC. Raises `Reject` for a lone surrogate, and above the limit."""
    made = text if _in_nfc(text) else unicodedata.normalize("NFC", text)
    try:
        size_bytes = len(made.encode())
    except UnicodeEncodeError:
        raise Reject(f"{what}: not UTF-8") from None
    if limit_bytes is not None and size_bytes > limit_bytes:
        raise Reject(f"{what}: {size_bytes} bytes, at most {limit_bytes}")
    return made


def read_text(data: bytes, what: str) -> str:
    """A text that was sent. Raises `Reject` unless it is UTF-8 in NFC."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Reject(f"{what}: not UTF-8") from None
    if not _in_nfc(text):
        raise Reject(f"{what}: not in NFC")
    return text


def check_id(message_id: bytes, what: str) -> None:
    """Raises `Reject` for an impossible message id."""
    if len(message_id) != ID_BYTES:
        raise Reject(f"{what}: a message id of {len(message_id)} bytes")


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
