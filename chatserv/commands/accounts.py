"""Invites."""

from chatserv.commands.context import Context
from chatserv.commands.rate_limits import Share
from chatserv.crypto.suite import sha256
from chatserv.discreet import Discreet
from chatserv.domain.hub import LiveSession
from chatserv.domain.kept_names import new_user_name
from chatserv.domain.names import user_name
from chatserv.domain.roles import Role
from chatserv.errors import BadMessage, Forbidden
from chatserv.models import Invite
from chatserv.units import join_address
from chatserv.wire import messages
from chatserv.wire.handshake import TOKEN_BYTES

HOUR_MS = 3_600_000


async def make_invite(context: Context, session: LiveSession, command: messages.MakeInvite) -> messages.Invited:
    """Makes a one-use invite. Raises as `new_invite`, and `RateLimited` where this administrator has made many today."""
    context.flow.check(Share.INVITES, session.account_id)
    invite = await new_invite(context, command.name, admin=command.admin, reset=command.reset)
    context.flow.take(Share.INVITES, session.account_id)
    (host, port), *others = context.config.addresses or [("", 0)]
    return messages.Invited(
        command.label, invite.token, invite.expires_ms, host, port, tuple(join_address(*each) for each in others)
    )


class NewInvite(Discreet, frozen=True):
    """An invite that was just made: its token, 32 bytes, and when it ends, in milliseconds since 1970."""

    shown = ("expires_ms",)

    token: bytes
    expires_ms: int


async def new_invite(context: Context, name: str, *, admin: bool, reset: bool) -> NewInvite:
    """Makes a one-use invite; only its hash is kept. The name is empty for anybody.

    Raises:
        Forbidden: Nobody can register, and it is not for a reset.
        NotFound: It is for the reset of an account that there is not.
        BadMessage: It is for a reset, and for no name or to make an administrator.
    """
    if context.config.security.registration == "closed" and not reset:
        raise Forbidden("registration is closed", by="server")
    if reset and (admin or not name):
        raise BadMessage("invite: a reset is of an account, whose role stays")
    now_ms, token = context.now_ms(), context.random(TOKEN_BYTES)
    name = name and (user_name if reset else new_user_name)(name)
    role = Role.ADMIN if admin else Role.USER
    expires_ms = now_ms + int(context.config.limits.invite_hours * HOUR_MS)
    await context.store.add_invite(Invite(sha256(token), role, expires_ms, name, reset), now_ms)
    return NewInvite(token, expires_ms)
