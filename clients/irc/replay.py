"""What a client missed: told room by room when it comes, and no more of it than fits."""

from collections import deque
from typing import Any

from chatserv.client import ChatError, MessageReceived, RoomHandle, clock, date, translate
from clients.irc.channels import about_room, place_of
from clients.irc.session import Session
from clients.irc.words import Words, message_words

SETTLE_SECONDS = 0.2
"""After the last message that was kept, so long until what there is of a room is told."""


class Replay:
    """Collects what is told of the time before a client came; the newest of each room stay.

    Args:
        session: The client.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: dict[bytes, deque[MessageReceived]] = {}
        self._more: dict[bytes, int] = {}
        self._timer: Any = None
        session.at_end.append(self._stop)

    def take(self, message: MessageReceived) -> bool:
        """Keeps a message of before; says whether it is one. A client that asks for history itself is told none."""
        session = self._session
        if message.seq > session.attached.get(message.room_id, 0):
            self._tell(message.room_id)
            return False
        if "draft/chathistory" in session.caps:
            return True
        kept = self._kept.setdefault(message.room_id, deque(maxlen=session.around.bounds.replayed))
        if len(kept) == kept.maxlen:
            self._more[message.room_id] = self._more.get(message.room_id, 0) + 1
        kept.append(message)
        self._stop()
        self._timer = session.around.clock.callLater(SETTLE_SECONDS, self._tell_all)
        return True

    def _stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _tell_all(self) -> None:
        self._timer = None
        for room_id in list(self._kept):
            self._tell(room_id)

    def _tell(self, room_id: bytes) -> None:
        kept, more = self._kept.pop(room_id, None), self._more.pop(room_id, 0)
        if not kept:
            return
        session = self._session
        try:
            handle = session.client.room_by_id(kept[-1].room_id)
            if not session.shows(handle):
                return
            if more:
                said = translate("{count} more: /msg *chatserv {room} log 1000")
                room = handle.name if handle.direct else f"#{handle.name}"
                about_room(session, handle, said.format(count=more, room=room))
            words = [line for each in kept if line_wanted(session, each) for line in replayed(session, each, handle)]
        except ChatError:
            return  # the room is gone by now
        tell_batch(session, place_of(session, handle), words)


def line_wanted(session: Session, message: MessageReceived) -> bool:
    """Whether a client can be told a message: our own words to somebody else only where it knows whose they are."""
    direct = message.room.startswith("@")
    return not (message.own and direct) or bool(session.caps & {"echo-message", "znc.in/self-message"})


def replayed(session: Session, message: MessageReceived, handle: RoomHandle) -> list[Words]:
    """The lines of a message of before; it says when that was, where tags cannot."""
    front = "" if "server-time" in session.caps else f"[{date(message.at_ms)} {clock(message.at_ms)}] "
    return message_words(session, message, handle, front=front)


def tell_batch(session: Session, target: str, words: list[Words]) -> None:
    """Lines of before, as one batch where the client knows them."""
    batched = "batch" in session.caps and bool(words)
    reference = session.new_batch() if batched else ""
    if batched:
        session.tell("BATCH", f"+{reference}", "chathistory", target)
    for verb, params, source, tags in words:
        session.tell(verb, *params, source=source, tags={**({"batch": reference} if batched else {}), **tags})
    if batched:
        session.tell("BATCH", f"-{reference}")
