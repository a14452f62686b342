"""Opens links: asked about first, and given to the desktop's own program as one argument, never to a shell."""

import shutil
import subprocess
import sys
import tkinter as tk
from collections.abc import Callable
from typing import Final

from chatserv.client import translate
from clients.shared.links import Link
from clients.window.dialogs.dialog import Dialog, confirm

PROGRAMS: Final = (("xdg-open",), ("gio", "open")) if sys.platform != "darwin" else (("open",),)
_running: list[subprocess.Popen[bytes]] = []  # so that whoever has ended is not left behind
MAX_RUNNING: Final = 20


def find_opener() -> list[str]:
    """The program that opens links here, with what stands before the link; empty where there is none."""
    for name, *words in PROGRAMS:
        found = shutil.which(name)
        if found is not None:
            return [found, *words]
    return []


def open_link(link: Link, opener: list[str]) -> bool:
    """See `hand_over`; a link begins with its scheme, so that it is never an option."""
    return hand_over(link.url, opener)


def hand_over(what: str, opener: list[str]) -> bool:
    """Gives a link, or a file's absolute path, to a program that has no part in ours: not its terminal, not its end.

    Says whether it was started.
    """
    _running[:] = [each for each in _running if each.poll() is None][-MAX_RUNNING:]
    try:
        started = subprocess.Popen(  # nosec B603  # noqa: S603 - a list, no shell
            [*opener, what], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError):
        return False
    _running.append(started)
    return True


def ask_to_open(
    parent: tk.Misc, link: Link, copy: Callable[[str], None], *, open_it: Callable[[Link, list[str]], bool] = open_link
) -> Dialog:
    """Shows where a link leads, and opens it if a person wants that.

    Args:
        parent: The main window.
        link: Which.
        copy: Puts a text on the clipboard.
        open_it: Opens it.
    """
    opener = find_opener()
    said = (
        translate("Write to {where}?")
        if link.mail
        else translate("Open this link in the browser? It leads to {where}.")
    )
    text = f"{said.format(where=link.goes_to)}\n\n{link.url}"
    copying = (translate("Copy"), lambda: copy(link.url))
    if not opener:
        return confirm(parent, translate("Link"), text, *copying)

    def go() -> None:
        if not open_it(link, opener):
            copy(link.url)

    return confirm(parent, translate("Link"), text, translate("Open"), go, copying)
