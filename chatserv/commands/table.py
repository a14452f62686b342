"""The table of commands, and the one place where their guards run. What is not in the table is refused.

What the rules of rooms decide about the content of a commit is the business of `chatserv.crypto.room_rules`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from chatserv.commands import (
    accounts,
    administration,
    agreeing,
    attendance,
    commits,
    directory,
    keys,
    leaving,
    rooms,
    session,
    syncing,
)
from chatserv.commands.access import Access, refusal
from chatserv.commands.context import Context
from chatserv.domain.hub import LiveSession
from chatserv.domain.roles import Role
from chatserv.errors import Forbidden, NotAuthenticated, UnknownType, WireError
from chatserv.wire import messages

Handler = Callable[[Context, LiveSession, Any], Awaitable[messages.Reply]]
Repeat = Callable[[Context, LiveSession, Any], Awaitable[messages.Reply | None]]


@dataclass(frozen=True)
class Row:
    """A command.

    Args:
        handler: Who handles it.
        role: The server role that it takes. What administrators do is audited.
        access: What it takes in the room that it names.
        muted_may: Whether somebody who is muted may do it, in the room or by the server's administrators.
        repeat: Gives the answer, where what is refused now was done before: who repeats a request has to learn that.
        cost: Tokens, for the rate limits to come.
    """

    handler: Handler
    role: Role = Role.USER
    access: Access = Access.NOTHING
    muted_may: bool = True
    repeat: Repeat | None = None
    cost: int = 1


def _for_admins(handler: Handler) -> Row:
    return Row(handler, role=Role.ADMIN)


TABLE: Final[dict[type[messages.Command], Row]] = {
    messages.Ping: Row(session.ping, cost=0),
    messages.Bye: Row(session.bye, cost=0),
    messages.Sync: Row(syncing.sync),
    messages.SetPresence: Row(attendance.set_presence),
    messages.Send: Row(rooms.send, access=Access.DEVICE, muted_may=False, repeat=rooms.sent_before),
    messages.History: Row(rooms.history, access=Access.PLACE, cost=2),
    messages.MarkRead: Row(rooms.mark_read, access=Access.DEVICE),
    messages.SetTyping: Row(rooms.typing, access=Access.DEVICE, muted_may=False),
    messages.ListRooms: Row(directory.list_rooms),
    messages.GetRoom: Row(directory.room_chain, access=Access.LISTED, cost=2),
    messages.GetWrap: Row(directory.get_wrap, access=Access.PLACE),
    messages.BeginCommit: Row(commits.begin, access=Access.LISTED_OR_NEW),
    messages.EndCommit: Row(commits.end),
    messages.PutWraps: Row(commits.put_wraps, access=Access.LEASE),
    messages.PutCommit: Row(commits.put_commit, access=Access.LEASE),
    messages.FetchKeys: Row(keys.fetch_keys, access=Access.LEASE),
    messages.Agreed: Row(agreeing.agreed),
    messages.Leave: Row(leaving.leave, access=Access.DEVICE),
    messages.PublishPrekeys: Row(keys.publish_prekeys),
    messages.GetCertificates: Row(keys.get_certificates),
    messages.GetLog: Row(keys.get_log),
    messages.GetStatement: Row(keys.get_statement),
    messages.Revoke: Row(keys.revoke),
    messages.MakeInvite: _for_admins(accounts.make_invite),
    messages.ListAccounts: _for_admins(administration.list_accounts),
    messages.Suspend: _for_admins(administration.suspend),
    messages.ServerMute: _for_admins(administration.server_mute),
    messages.SetServerRole: _for_admins(administration.set_server_role),
    messages.SetBan: _for_admins(administration.set_ban),
    messages.ListBans: _for_admins(administration.list_bans),
    messages.Announce: _for_admins(administration.announce),
}


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
        reply = error_reply(command.label, error)
    if row is not None and row.role is Role.ADMIN and session is not None:
        _audit(context, session, command, reply)
    return reply


async def _run(
    context: Context, session: LiveSession | None, row: Row | None, command: messages.Command
) -> messages.Reply:
    if session is None or session.expelled:
        raise NotAuthenticated(type(command).__name__)
    if row is None:
        raise UnknownType(type(command).__name__)
    if session.role < row.role:
        raise Forbidden(f"{type(command).__name__}: {row.role.name.lower()} only")
    refused = refusal(context, session, row.access, command, muted_may=row.muted_may)
    if refused is None:
        return await row.handler(context, session, command)
    repeated = None if row.repeat is None else await row.repeat(context, session, command)
    if repeated is None:
        raise refused
    return repeated


def _audit(context: Context, session: LiveSession, command: messages.Command, reply: messages.Reply) -> None:
    """Notes what an administrator did or somebody tried; a command of theirs holds no secret."""
    fields = {name: getattr(command, name) for name in command.__struct_fields__ if name != "label"}
    result = reply.code if isinstance(reply, messages.Error) else "ok"
    context.effects.audit(type(command).__name__, who=session.name, result=result, **fields)


def error_reply(label: int, error: WireError) -> messages.Error:
    """The answer that carries an error: its code, its text for a person, and when to try again. Never its detail."""
    return messages.Error(label, error.code, error.text, error.retryable, error.after_seconds, error.by)
