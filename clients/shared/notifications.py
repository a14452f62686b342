"""Calls a person who looks elsewhere: the bell, and a notification of the desktop where there is one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from chatserv.client import MessageReceived, RoomOffered, message_text, place, sender_name, shown, translate

if TYPE_CHECKING:
    from clients.shared.desktop import Desktop

NONE: Final = "none"
BELL: Final = "bell"
DESKTOP: Final = "desktop"
TEXT: Final = "text"
STYLES: Final = (NONE, BELL, DESKTOP, TEXT)

PAUSE_SECONDS: Final = 3.0  # between two notifications, and between two bells; what comes meanwhile is not told
MAX_TEXT_CHARACTERS: Final = 200


class Notifier:
    """Tells of mentions and direct messages; by default without what they say.

    Args:
        reactor: Tells the time.
        style: One of `STYLES`: nothing, the bell alone, the desktop too, the message's text too.
        bell: Rings.
        desktop: Shows notifications; None where nothing does.
    """

    def __init__(self, reactor: Any, style: str, bell: Callable[[], None], desktop: "Desktop | None") -> None:
        self._reactor, self._style, self._bell, self._desktop = reactor, style, bell, desktop
        self._next_seconds = 0.0

    def tell(self, event: MessageReceived | RoomOffered) -> None:
        """Somebody wants us: a mention, a direct message, or an offer to talk or to come into a room."""
        now = self._reactor.seconds()
        if self._style == NONE or now < self._next_seconds:
            return
        self._next_seconds = now + PAUSE_SECONDS
        self._bell()
        if self._style != BELL and self._desktop is not None and not self._desktop.busy:
            self._desktop.show(*self._words(event))

    def _words(self, event: MessageReceived | RoomOffered) -> tuple[str, str]:
        if isinstance(event, RoomOffered):
            return translate("{user} invites you").format(user=shown(event.by)), place(event.room)
        message = event
        said = (
            translate("{user} sent you a message")
            if message.room.startswith("@")
            else translate("{user} mentioned you")
        )
        title = said.format(user=sender_name(message))
        body = message_text(message)[:MAX_TEXT_CHARACTERS] if self._style == TEXT else place(message.room)
        return title, body

    def stop(self) -> None:
        """The program ends."""
        self._style = NONE
        if self._desktop is not None:
            self._desktop.stop()
