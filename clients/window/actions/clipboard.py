"""Files and pictures on the clipboard, as desktops put them there."""

import tkinter as tk
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from clients.window.actions.private_folder import PrivateFolder
from clients.window.pictures.child import MAX_FILE_BYTES

PASTED_NAME: Final = "picture.png"
_FILES: Final = ("x-special/gnome-copied-files", "text/uri-list")
_PICTURE: Final = "image/png"


def clipboard_file(root: tk.Misc, folder: PrivateFolder) -> tuple[Path, bool] | None:
    """The file that was copied, or a picture, which becomes one; None where there is neither.

    Args:
        root: Tk's window.
        folder: Where a picture is put.

    Returns:
        The path, and whether it is one of ours, that goes when it was sent.
    """
    there = _get(root, "TARGETS").split()
    for kind in _FILES:
        path = _first_path(_get(root, kind)) if kind in there else None
        if path is not None:
            return path, False
    if _PICTURE in there:
        data = _bytes(_get(root, _PICTURE))
        if data:
            try:
                return folder.put(PASTED_NAME, data), True
            except OSError:
                return None
    return None


def _get(root: tk.Misc, kind: str) -> str:
    try:
        return str(root.selection_get(selection="CLIPBOARD", type=kind))
    except tk.TclError:
        return ""


def _first_path(uris: str) -> Path | None:
    """The first file of a list of URIs (RFC 2483); the desktop's own list begins with ``copy`` or ``cut``."""
    for line in uris.splitlines():
        try:
            parts = urlsplit(line.strip())
            if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
                path = Path(unquote(parts.path))
                return path if path.is_file() else None
        except (ValueError, OSError):
            return None
    return None


def _bytes(given: str) -> bytes:
    """Tk gives what is no text as numbers: ``0x89 0x50 …``; nothing where it is anything else, or too long."""
    words = given.split(" ", MAX_FILE_BYTES)
    if len(words) > MAX_FILE_BYTES:
        return b""
    try:
        return bytes(int(word, 16) for word in words if word)
    except ValueError:
        return b""
