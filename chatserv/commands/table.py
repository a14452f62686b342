"""The table of commands, and the one place where their guards run. What is not in the table is refused."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from chatserv.commands import accounts, rooms, session
from chatserv.commands.context import Context
from chatserv.domain.hub import LiveSession
from chatserv.domain.roles import Role
from chatserv.errors import Forbidden, UnknownType, WireError
from chatserv.wire import messages

Handler = Callable[[Context, LiveSession, Any], Awaitable[messages.Reply]]


@dataclass(frozen=True)
class Row:
    """A command: who handles it, and the server role that it takes. ``cost``: tokens, for the rate limits to come."""

    handler: Handler
    role: Role = Role.USER
    cost: int = 1


TABLE: Final[dict[type[messages.Command], Row]] = {
    messages.Ping: Row(session.ping, cost=0),
    messages.Bye: Row(session.bye, cost=0),
    messages.Sync: Row(rooms.sync),
    messages.Send: Row(rooms.send),
    messages.History: Row(rooms.history, cost=2),
    messages.MakeInvite: Row(accounts.make_invite, role=Role.ADMIN),
}


async def dispatch(context: Context, session: LiveSession, command: messages.Command) -> messages.Reply:
    """Checks the guards, runs the handler, and turns its `WireError` into an answer. Other exceptions are bugs and pass."""
    try:
        row = TABLE.get(type(command))
        if row is None:
            raise UnknownType(type(command).__name__)
        if session.role < row.role:
            raise Forbidden(f"{type(command).__name__}: {row.role.name.lower()} only")
        return await row.handler(context, session, command)
    except WireError as error:
        return error_reply(command.label, error)


def error_reply(label: int, error: WireError) -> messages.Error:
    """The answer that carries an error: its code, its text for a person, and when to try again. Never its detail."""
    return messages.Error(label, error.code, error.text, error.retryable, error.after_seconds)
