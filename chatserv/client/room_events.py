"""What a client tells the program of rooms, of who is in them, and of what the server says in passing; see `events`."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RoomOffered:
    """Somebody has taken us into a private room or begun direct messages: nothing of it is shown until `accept`."""

    room: str
    by: str
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RoomJoined:
    """We are in a room from now on."""

    room: str
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RoomLeft:
    """We are no more in a room. ``by``: who removed us; empty where we left, or the room was closed.

    ``closed``: it has ended for all, which the server's log says to everybody: whoever runs the server has closed it, or
    everybody had left. ``warned``: the log says so only now, and an alarm of before, that the server withholds the room,
    was none.
    """

    room: str
    by: str = ""
    room_id: bytes = field(default=b"", repr=False, compare=False)
    closed: bool = False
    warned: bool = False


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """A commit changed the room. ``lines`` tell people what: (word, users), such as ``("joined", ("bob",))``.

    The words: joined, left, kicked, struck (the server's log says that their account is gone, or their identity another
    one, and whoever commits next takes them out), banned, unbanned, muted, unmuted, owner, moderator, member, devices,
    policy, rotated. ``rules`` tell what ``policy`` was: a name and its new value each, such as ``("history", True)``; the
    names: public, members_add, history (bool), max_devices, rotate_seconds, rotate_messages, slow_seconds (int), and of a
    public room name and topic. `room_rule_text` has words for them.
    """

    room: str
    by: str
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    at_ms: int = 0
    room_id: bytes = field(default=b"", repr=False, compare=False)
    rules: tuple[tuple[str, bool | int | str], ...] = ()


@dataclass(frozen=True, slots=True)
class RoomTitled:
    """The room has another name or topic. ``room`` is the new name, ``before`` the one so far."""

    room: str
    before: str
    topic: str
    by: str
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ReadMoved:
    """``user`` has read the room up to ``seq``."""

    room: str
    user: str
    seq: int
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class TypingSeen:
    """``user`` types in the room."""

    room: str
    user: str
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class PresenceSeen:
    """``user`` is ``online``, ``away`` or ``offline``."""

    user: str
    presence: str


@dataclass(frozen=True, slots=True)
class Announced:
    """An administrator of the server tells everybody something; it was not encrypted end to end."""

    text: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class MessagesExpired:
    """Messages ``first`` to ``last`` of a room came while we were away, and are gone by the server's rule."""

    room: str
    first: int
    last: int
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RetentionChanged:
    """How long the server keeps messages, in seconds, and while its database has how many bytes; 0: for ever."""

    age_seconds: float
    bytes: int
