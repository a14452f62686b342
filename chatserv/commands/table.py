"""The table of commands, and the one place where their guards run. What is not in the table is refused.

What the rules of rooms decide about the content of a commit is the business of `chatserv.crypto.room_rules`.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from msgspec import Struct

from chatserv.commands import (
    accounts,
    administration,
    agreeing,
    attendance,
    blobs,
    commits,
    directory,
    enrolling,
    identities,
    keys,
    leaving,
    mending,
    mending_log,
    operating,
    own_account,
    rooms,
    session,
    syncing,
)
from chatserv.commands.access import Access, bring, refusal
from chatserv.commands.context import Context
from chatserv.commands.guests import GuestSession
from chatserv.commands.rate_limits import REFUSAL_COST, Meter, size_of
from chatserv.domain.buckets import Bucket
from chatserv.domain.hub import LiveSession
from chatserv.domain.roles import Role
from chatserv.errors import Forbidden, NotAuthenticated, RateLimited, ReadOnly, UnknownType, WireError
from chatserv.wire import messages
from chatserv.wire.codec import Refused

Handler = Callable[[Context, LiveSession, Any], Awaitable[messages.Reply]]
TurnedAway = Callable[[Context, LiveSession, Any, RateLimited], None]
Repeat = Callable[[Context, LiveSession, Any], Awaitable[messages.Reply | None]]


class Row(Struct, frozen=True):
    """A command.

    Args:
        handler: Who handles it.
        role: The server role that it takes. What administrators do is audited.
        access: What it takes in the room that it names.
        muted_may: Whether somebody who is muted may do it, in the room or by the server's administrators.
        guest: Whether a guest may do it, who is no device of the account yet.
        repeat: Gives the answer, where what is refused now was done before: who repeats a request has to learn that.
        bucket: What it is paid from.
        cost: How many tokens; about one for each 0.2 ms that it keeps the server busy at the worst.
        turned_away: Told where it is refused for being too fast, before anything else.
        mending: Whether it is answered while a restored server mends: it stores nothing, or is an offer.
    """

    handler: Handler
    bucket: Bucket
    cost: int = 1
    role: Role = Role.USER
    access: Access = Access.NOTHING
    muted_may: bool = True
    guest: bool = False
    repeat: Repeat | None = None
    turned_away: TurnedAway | None = None
    mending: bool = False


LEAST_PIECE_COST: Final = 4096  # bytes that the smallest piece of a file is paid for with
WRONG_COST: Final = 5  # of upkeep: a message that cannot be taken
CHAT, UPKEEP, READ, FREE = Bucket.CHAT, Bucket.UPKEEP, Bucket.READ, Bucket.FREE


def _for_admins(handler: Handler, bucket: Bucket = UPKEEP, cost: int = 5) -> Row:
    return Row(handler, bucket, cost, role=Role.ADMIN)


TABLE: Final[dict[type[messages.Command], Row]] = {
    messages.Ping: Row(session.ping, UPKEEP, guest=True, mending=True),
    messages.Bye: Row(session.bye, FREE, 0, guest=True, mending=True),
    messages.Sync: Row(syncing.sync, UPKEEP, 10),
    messages.SetPresence: Row(attendance.set_presence, CHAT),
    messages.Send: Row(
        rooms.send, CHAT, access=Access.DEVICE, muted_may=False, repeat=rooms.sent_before, turned_away=rooms.turned_away
    ),
    messages.History: Row(rooms.history, READ, 5, access=Access.PLACE, mending=True),
    messages.MarkRead: Row(rooms.mark_read, CHAT, access=Access.DEVICE),
    messages.SetTyping: Row(rooms.typing, CHAT, access=Access.DEVICE, muted_may=False),
    messages.ListRooms: Row(directory.list_rooms, READ, 2, mending=True),
    messages.GetRoom: Row(directory.room_chain, READ, 2, access=Access.LISTED, mending=True),
    messages.GetWrap: Row(directory.get_wrap, READ, access=Access.PLACE, mending=True),
    messages.BeginCommit: Row(commits.begin, UPKEEP, 5, access=Access.LISTED_OR_NEW),
    messages.EndCommit: Row(commits.end, UPKEEP, 1),
    messages.PutWraps: Row(commits.put_wraps, UPKEEP, access=Access.LEASE),
    messages.PutCommit: Row(commits.put_commit, UPKEEP, 15, access=Access.LEASE),
    messages.FetchKeys: Row(keys.fetch_keys, UPKEEP, 4, access=Access.LEASE),
    messages.Agreed: Row(agreeing.agreed, UPKEEP, 5),
    messages.Leave: Row(leaving.leave, UPKEEP, 5, access=Access.DEVICE),
    messages.PublishPrekeys: Row(keys.publish_prekeys, UPKEEP, 15),
    messages.GetCertificates: Row(keys.get_certificates, READ, guest=True, mending=True),
    messages.GetLog: Row(keys.get_log, READ, 2, guest=True, mending=True),
    messages.GetStatement: Row(keys.get_statement, READ, guest=True, mending=True),
    messages.Revoke: Row(identities.revoke, UPKEEP, 10, guest=True),
    messages.Rotate: Row(identities.rotate, UPKEEP, 10),
    messages.ListDevices: Row(own_account.list_devices, READ, mending=True),
    messages.OwnRooms: Row(own_account.own_rooms, READ, 2, mending=True),
    messages.GetBackup: Row(own_account.get_backup, READ, 2, guest=True, mending=True),
    messages.PutBackup: Row(own_account.put_backup, UPKEEP, 5),
    messages.DeleteAccount: Row(identities.delete_account, UPKEEP, 10),
    messages.SetPassword: Row(enrolling.set_password, UPKEEP, 10),
    messages.Enrol: Row(enrolling.enrol, UPKEEP, 10, guest=True),
    messages.Tell: Row(enrolling.tell, UPKEEP, guest=True),
    messages.OfferEvents: Row(mending.offer_events, UPKEEP, 5, mending=True),
    messages.OfferLog: Row(mending_log.offer_log, UPKEEP, 5, mending=True),
    messages.OpenBlob: Row(blobs.open_blob, UPKEEP, 5, access=Access.DEVICE, muted_may=False),
    messages.PutChunk: Row(blobs.put_chunk, Bucket.BLOB, LEAST_PIECE_COST),
    messages.ReadBlob: Row(blobs.read_blob, Bucket.BLOB, LEAST_PIECE_COST, mending=True),
    messages.DropBlob: Row(blobs.drop_blob, UPKEEP, 5),
    messages.ListBlobs: Row(blobs.list_blobs, READ, 2, mending=True),
    messages.MakeInvite: _for_admins(accounts.make_invite),
    messages.ListAccounts: _for_admins(administration.list_accounts, READ, 2),
    messages.Suspend: _for_admins(administration.suspend),
    messages.ServerMute: _for_admins(administration.server_mute),
    messages.SetServerRole: _for_admins(administration.set_server_role),
    messages.DeleteUser: _for_admins(administration.delete_user),
    messages.SetBan: _for_admins(administration.set_ban),
    messages.ListBans: _for_admins(administration.list_bans, READ, 2),
    messages.Announce: _for_admins(administration.announce, CHAT, 10),
    messages.Operate: Row(operating.operate, UPKEEP, 20, role=Role.ADMIN, mending=True),
}


class Charged(NamedTuple):
    """A message that was paid for: it is done after ``wait`` seconds, behind those of its ``line``; or refused then."""

    message: messages.ClientMessage | Refused
    line: Bucket
    wait: float


def charge(context: Context, session: LiveSession, meter: Meter, message: messages.ClientMessage | Refused) -> Charged:
    """Has a message paid for, before anything else is done for it; what cannot be taken, or is refused, costs too."""
    if isinstance(message, Refused):
        return _charge_refusal(meter, message, WRONG_COST)
    row = TABLE.get(type(message))
    if row is None:
        return _charge_refusal(meter, Refused(message.label, UnknownType(type(message).__name__)), WRONG_COST)
    try:
        wait = meter.charge(row.bucket, row.cost, size_of(row.bucket, message))
    except RateLimited as error:
        if row.turned_away is not None:
            row.turned_away(context, session, message, error)
        return _charge_refusal(meter, Refused(message.label, error), REFUSAL_COST)
    return Charged(message, row.bucket, wait)


def _charge_refusal(meter: Meter, refused: Refused, cost: int) -> Charged:
    return Charged(refused, Bucket.UPKEEP, meter.charge_refusal(cost))


async def dispatch(context: Context, session: LiveSession | None, command: messages.Command) -> messages.Reply:
    """Checks the guards, runs the handler, and turns its `WireError` into an answer. Other exceptions are bugs and pass.

    Args:
        context: The world.
        session: Who asks; None: somebody who is not logged in.
        command: What is asked.
    """
    row = TABLE.get(type(command))
    try:
        reply = await _run(context, session, row, command)
    except WireError as error:
        context.effects.count("refusals", error.code)
        reply = error_reply(command.label, error)
    if row is not None and row.role is Role.ADMIN and session is not None:
        _audit(context, session, command, reply)
    return reply


async def _run(
    context: Context, session: LiveSession | None, row: Row | None, command: messages.Command
) -> messages.Reply:
    session = _require_session(session, command)
    if row is None:
        raise UnknownType(type(command).__name__)
    if isinstance(session, GuestSession) and not row.guest:
        raise Forbidden(f"{type(command).__name__}: by a guest")
    _require_role(session, row, command)
    if row.role is Role.ADMIN:  # who is none any more by the word of another node does nothing here that would last
        await context.backplane.current()
        _require_role(_require_session(session, command), row, command)
    if context.mending.active and not row.mending:
        raise ReadOnly("a restored server mends", after_seconds=context.mending.retry_seconds)
    if row.access is Access.LISTED or row.access is Access.LISTED_OR_NEW:
        await bring(context, session, command)
    refused = refusal(context, session, row.access, command, muted_may=row.muted_may)
    if refused is None:
        return await row.handler(context, session, command)
    repeated = None if row.repeat is None else await row.repeat(context, session, command)
    if repeated is None:
        raise refused
    return repeated


def _require_session(session: LiveSession | None, command: messages.Command) -> LiveSession:
    if session is None or session.expelled:
        raise NotAuthenticated(type(command).__name__)
    return session


def _require_role(session: LiveSession, row: Row, command: messages.Command) -> None:
    if session.role < row.role:
        raise Forbidden(f"{type(command).__name__}: {row.role.name.lower()} only")


def _audit(context: Context, session: LiveSession, command: messages.Command, reply: messages.Reply) -> None:
    """Notes what an administrator did or somebody tried; a command of theirs holds no secret."""
    fields = {name: getattr(command, name) for name in command.__struct_fields__ if name != "label"}
    result = reply.code if isinstance(reply, messages.Error) else "ok"
    context.effects.audit(type(command).__name__, who=session.name, way="chat", result=result, **fields)


def error_reply(label: int, error: WireError) -> messages.Error:
    """The answer that carries an error: its code, its text for a person, and when to try again. Never its detail."""
    return messages.Error(label, error.code, error.text, error.retryable, error.after_seconds, error.by)
