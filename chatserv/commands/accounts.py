"""Invites."""

from chatserv.commands.context import Context
from chatserv.crypto.suite import sha256
from chatserv.domain.hub import LiveSession
from chatserv.domain.kept_names import new_user_name
from chatserv.domain.roles import Role
from chatserv.errors import Forbidden
from chatserv.models import Invite
from chatserv.wire import messages
from chatserv.wire.handshake import TOKEN_BYTES

HOUR_MS = 3_600_000


async def make_invite(context: Context, session: LiveSession, command: messages.MakeInvite) -> messages.Invited:  # noqa: ARG001
    """Makes a one-use invite; only its hash is kept. Raises `Forbidden` where nobody can register."""
    if context.config.security.registration == "closed":
        raise Forbidden("registration is closed", by="server")
    now_ms, token = context.now_ms(), context.random(TOKEN_BYTES)
    name = new_user_name(command.name) if command.name else ""
    role = Role.ADMIN if command.admin else Role.USER
    expires_ms = now_ms + int(context.config.limits.invite_hours * HOUR_MS)
    await context.store.add_invite(Invite(sha256(token), role, expires_ms, name), now_ms)
    host, port = context.config.server.advertised or ("", 0)
    return messages.Invited(command.label, token, expires_ms, host, port)
