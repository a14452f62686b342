"""Calls a person who looks elsewhere: the bell, and a notification of the desktop where there is one."""

import contextlib
import html
import os
import shutil
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol

from chatserv.client import MessageReceived, RoomOffered, message_text, place, shown, translate

NONE: Final = "none"
BELL: Final = "bell"
DESKTOP: Final = "desktop"
TEXT: Final = "text"
STYLES: Final = (NONE, BELL, DESKTOP, TEXT)

PROGRAM: Final = "notify-send"
PAUSE_SECONDS: Final = 3.0  # between two notifications, and between two bells; what comes meanwhile is not told
PATIENCE_SECONDS: Final = 10.0  # with the program that shows it
MAX_TEXT_CHARACTERS: Final = 200


class Notifier:
    """Tells of mentions and direct messages; by default without what they say.

    Args:
        reactor: Runs the program and tells the time.
        style: One of `STYLES`: nothing, the bell alone, the desktop too, the message's text too.
        bell: Rings.
        program: The path of ``notify-send``; None where there is none.
    """

    def __init__(self, reactor: Any, style: str, bell: Callable[[], None], program: str | None) -> None:
        self._reactor, self._style, self._bell, self._program = reactor, style, bell, program
        self._next_seconds = 0.0
        self._running: Any = None
        self._patience: Any = None

    def tell(self, event: MessageReceived | RoomOffered) -> None:
        """Somebody wants us: a mention, a direct message, or an offer to talk or to come into a room."""
        now = self._reactor.seconds()
        if self._style == NONE or now < self._next_seconds:
            return
        self._next_seconds = now + PAUSE_SECONDS
        self._bell()
        if self._style != BELL and self._program is not None and self._running is None:
            self._show(self._program, *self._words(event))

    def _words(self, event: MessageReceived | RoomOffered) -> tuple[str, str]:
        if isinstance(event, RoomOffered):
            return translate("{user} invites you").format(user=shown(event.by)), place(event.room)
        message = event
        said = translate("{user} writes to you") if message.room.startswith("@") else translate("{user} calls you")
        title = said.format(user=shown(message.sender))
        body = message_text(message)[:MAX_TEXT_CHARACTERS] if self._style == TEXT else place(message.room)
        return title, body

    def _show(self, program: str, title: str, body: str) -> None:
        # Nothing behind the two dashes is an option; the body is markup to many desktops.
        arguments = [PROGRAM, "--app-name=chatserv", "--", title, html.escape(body)]
        try:
            self._running = self._reactor.spawnProcess(_Shown(self._ended), program, arguments, env=None)
        except (OSError, ValueError):
            self._program = None  # gone, not allowed, or a locale that has no such characters: no more of that
        else:
            self._patience = self._reactor.callLater(PATIENCE_SECONDS, self._give_up)

    def _ended(self) -> None:
        self._running = None
        self._wait_no_more()

    def _give_up(self) -> None:
        if self._running is not None:
            with contextlib.suppress(ProcessExitedAlready):
                self._running.signalProcess("KILL")

    def _wait_no_more(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()

    def stop(self) -> None:
        """The program ends."""
        self._style = NONE
        self._wait_no_more()
        self._give_up()


class _Shown(ProcessProtocol):
    """The program that shows one notification; what it prints is nobody's business.

    Args:
        ended: It has ended.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended

    def processEnded(self, reason: Any) -> None:  # noqa: ARG002 - Twisted's signature
        """It has ended, well or not."""
        self._ended()


def find_program() -> str | None:
    """Where ``notify-send`` is, if there is a desktop to show anything on."""
    there = os.environ.get("DBUS_SESSION_BUS_ADDRESS") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return shutil.which(PROGRAM) if there else None
