"""Why nothing can be sent or changed in a room, for as long as a person can wait: told in place of waiting for ever."""

from chatserv.client.state.rooms import Room
from chatserv.errors import ChatError
from chatserv.i18n import N_


class StandsStill(ChatError):
    """The room's chain of commits and the server's are not the same any more, or it has broken the rules there."""

    code = "stands_still"
    text = N_(
        "This room stands still: the server has lost changes of it that you have seen, or breaks its rules there. Nothing "
        "can be sent or changed here. Make a new room and invite the others."
    )


class RoomWithheld(ChatError):
    """The server does not carry the room for us, and nobody has signed that we are out of it."""

    code = "room_withheld"
    text = N_(
        "The server does not carry this room for you any more, although nobody has removed you. Nothing can be sent or "
        "changed here."
    )


class ServerDistrusted(ChatError):
    """The server is proven to break the rules of its log."""

    code = "server_distrusted"
    text = N_("The server is proven to break the rules. Nothing is sent through it any more.")


def standstill(room: Room, *, proven: bool) -> ChatError | None:
    """Why nothing can be sent or changed in a room; None where it can, or will before long.

    Args:
        room: Which.
        proven: Whether the server is proven to break the rules of its log.
    """
    if proven:
        return ServerDistrusted("the log was forked, or a statement in it is false")
    if room.stopped:
        return StandsStill(f"room {room.room_id.hex()}")
    return RoomWithheld(f"room {room.room_id.hex()}") if room.lost else None
