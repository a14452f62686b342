"""What a file may be called on this machine, whatever its sender calls it."""

import re
import unicodedata
from typing import Final

from chatserv.sanitize import NEWLINE, REPLACEMENT, clean_line, is_blank

MAX_NAME_BYTES: Final = 200
MAX_EXTENSION_BYTES: Final = 20
INSTEAD: Final = "file"
"""What is called so had no name that could be kept."""

_SEPARATORS: Final = re.compile(r"[/\\]")
_UNWANTED: Final = frozenset(f':*?"<>|{REPLACEMENT}{NEWLINE}')
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])", re.IGNORECASE)
_LEADING, _TRAILING = ".- ", ". "


def safe_file_name(name: str) -> str:
    """The name under which a file may be shown and saved: never a path, an option, a device or a hidden file.

    The last part of a path in NFC, without controls, bidi and other characters that are not drawn, without
    ``: * ? " < > |``, leading dots and dashes, trailing dots and spaces. A device's name gets ``_`` in front. At most
    `MAX_NAME_BYTES` bytes of UTF-8, the extension kept; `INSTEAD` where nothing is left. A name that is safe stays as it is.

    Args:
        name: Any text at all.
    """
    wanted = next((part for part in reversed(_SEPARATORS.split(name)) if part.strip(_LEADING)), "")
    while (made := _once(wanted)) != wanted:
        wanted = made
    return made


def _once(name: str) -> str:
    name = unicodedata.normalize("NFC", "".join(map(_kept, clean_line(name))))
    name = _shortened(name.lstrip(_LEADING).rstrip(_TRAILING))
    if is_blank(name):
        return INSTEAD
    return f"_{name}" if _RESERVED.fullmatch(name.partition(".")[0].rstrip()) else name


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    return "" if category in _UNSEEN or character in _UNWANTED else character


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > MAX_EXTENSION_BYTES:
        stem, dot, extension = name, "", ""
    end = f"{dot}{extension}"
    room = MAX_NAME_BYTES - 1 - len(end.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(_TRAILING) + end


def numbered(name: str, number: int) -> str:
    """The same name for the second file that is called so, or a later one: ``report (2).pdf``."""
    if number < 2:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    return f"{stem} ({number}){dot}{extension}"
