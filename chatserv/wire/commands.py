"""The client's messages: commands, each answered by one reply with the same label. Those of everybody in rooms."""

from typing import Annotated

from msgspec import Meta

from chatserv.wire.fields import (
    KEYS_PAGE,
    MAX_CURSORS,
    MAX_PAGE,
    MAX_ROOMS,
    PREKEYS_PAGE,
    WRAPS_PAGE,
    Command,
    CommitBytes,
    Epoch,
    Hash,
    Id,
    Leaf,
    Name,
    Prekey,
    Seq,
    Signature,
    Size,
    Wrap,
)

# -- session ----------------------------------------------------------------------------------------------------------


class Ping(Command, frozen=True, tag="ping"):
    """Are you there? Answered by `Ok`."""


class Sync(Command, frozen=True, tag="sync"):
    """Asks for what is missing since ``cursors`` (room, last seq held), then for live events. Answered by `Ok` at the end.

    ``store`` is the incarnation that the cursors belong to; under another one they count as 0. A room without a cursor
    starts where the device's place in it does.
    """

    store: Id
    cursors: Annotated[tuple[tuple[Id, Seq], ...], Meta(max_length=MAX_CURSORS)] = ()


class Bye(Command, frozen=True, tag="bye"):
    """The client leaves. Answered by `Ok`, then by CLOSE."""


class SetPresence(Command, frozen=True, tag="presence"):
    """Says whether the person is at the device. Answered by `Ok`."""

    away: bool


# -- rooms ------------------------------------------------------------------------------------------------------------


class Send(Command, frozen=True, tag="send"):
    """Asks for a place in the room's log. Answered by `Sent`; ``envelope`` is opaque to the server but for its header."""

    room: Id
    id: Id
    epoch: Epoch
    envelope: bytes

    def __repr__(self) -> str:
        return f"Send(label={self.label}, room={self.room.hex()}, id={self.id.hex()}, {len(self.envelope)} bytes)"


class History(Command, frozen=True, tag="history"):
    """Asks for the last ``limit`` events before ``before``. Answered by `Page`."""

    room: Id
    before: Seq
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 50


class ListRooms(Command, frozen=True, tag="rooms"):
    """Asks for the public rooms whose names come after ``after``. Answered by `RoomList`."""

    after: Name = ""


class GetRoom(Command, frozen=True, tag="room_info"):
    """Asks for the room's commits from ``epoch`` on, to verify its chain. Answered by `Chain`, which may hold fewer."""

    room: Id
    epoch: Epoch


class BeginCommit(Command, frozen=True, tag="commit_begin"):
    """Asks for the commit lease; answered by `Lease` when it is our turn. ``new``: of a room that is to be made.

    ``urgent``: the commit removes or bans somebody.
    """

    room: Id
    new: bool = False
    urgent: bool = False


class EndCommit(Command, frozen=True, tag="commit_end"):
    """Gives the lease back without a commit. Answered by `Ok`."""

    room: Id


class PutWraps(Command, frozen=True, tag="put_wraps"):
    """Uploads wraps (leaf in the new roster, wrap) of the commit under way. Answered by `Ok`.

    Those of one leaf replace each other, and all are dropped with the lease.
    """

    room: Id
    epoch: Epoch
    wraps: Annotated[tuple[tuple[Leaf, Wrap], ...], Meta(max_length=WRAPS_PAGE)]


class PutCommit(Command, frozen=True, tag="commit"):
    """Submits the commit, after its wraps. Answered by `Committed`, or by `Existing` for a second direct message."""

    room: Id
    commit: CommitBytes

    def __repr__(self) -> str:
        return f"PutCommit(label={self.label}, room={self.room.hex()}, {len(self.commit)} bytes)"


class GetWrap(Command, frozen=True, tag="get_wrap"):
    """Asks for this device's wrap of an epoch. Answered by `Wrapped`."""

    room: Id
    epoch: Epoch


class Agreed(Command, frozen=True, tag="agreed"):
    """Says which rooms our account agrees to be in, of those that others took it into. Answered by `Ok`.

    ``all``: of the rooms of the welcome that the server did not know to be agreed to, we do not agree to the others.
    """

    rooms: Annotated[tuple[Id, ...], Meta(max_length=MAX_ROOMS)]
    all: bool = False


class Leave(Command, frozen=True, tag="leave"):
    """The account leaves the room: a signed Leave (docs/rooms.rst 5) for the next commit. Answered by `Ok`."""

    room: Id
    leaf: Leaf
    signature: Signature


class MarkRead(Command, frozen=True, tag="read"):
    """Everything up to ``seq`` was read. Answered by `Ok`."""

    room: Id
    seq: Seq


class SetTyping(Command, frozen=True, tag="typing"):
    """Somebody types. Answered by `Ok`."""

    room: Id


# -- keys and the log -------------------------------------------------------------------------------------------------


class PublishPrekeys(Command, frozen=True, tag="publish_prekeys"):
    """Leaves signed prekeys with the server; a last-resort one takes the place of the old. Answered by `Stock`."""

    prekeys: Annotated[tuple[Prekey, ...], Meta(max_length=PREKEYS_PAGE)]


class FetchKeys(Command, frozen=True, tag="fetch_keys"):
    """Asks for one prekey of each device, under the lease of ``room``. Answered by `Keys`."""

    room: Id
    devices: Annotated[tuple[Id, ...], Meta(max_length=KEYS_PAGE)]


class GetCertificates(Command, frozen=True, tag="certificates"):
    """Asks for certificates by their hashes. Answered by `Certificates`."""

    hashes: Annotated[tuple[Hash, ...], Meta(max_length=KEYS_PAGE)]


class GetLog(Command, frozen=True, tag="log"):
    """Asks for the log's leaves from index ``after`` on. Answered by `LogPage`."""

    after: Size


class GetStatement(Command, frozen=True, tag="statement"):
    """Asks for what was signed behind the log's leaf with this index. Answered by `StatementFound`."""

    index: Size


TalkCommand = (
    Ping
    | Sync
    | Bye
    | SetPresence
    | Send
    | History
    | ListRooms
    | GetRoom
    | BeginCommit
    | EndCommit
    | PutWraps
    | PutCommit
    | GetWrap
    | Agreed
    | Leave
    | MarkRead
    | SetTyping
    | PublishPrekeys
    | FetchKeys
    | GetCertificates
    | GetLog
    | GetStatement
)
