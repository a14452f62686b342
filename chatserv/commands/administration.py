"""What the server's administrators do. It is the server's refusal to carry, never room state (docs/protocol.rst 7)."""

from chatserv.commands.attendance import expel
from chatserv.commands.ban_list import ban_kind, ban_subject, check_ban
from chatserv.commands.broadcast import notify
from chatserv.commands.context import Context
from chatserv.domain.hub import LiveSession
from chatserv.domain.names import user_name
from chatserv.domain.roles import Role
from chatserv.errors import Forbidden
from chatserv.models import Ban, BanKind
from chatserv.wire import messages
from chatserv.wire.fields import LIST_PAGE


async def list_accounts(
    context: Context,
    session: LiveSession,  # noqa: ARG001
    command: messages.ListAccounts,
) -> messages.AccountList:
    """A page of accounts, in order of name."""
    found = await context.store.accounts(command.after, LIST_PAGE + 1)
    page = tuple(
        messages.AccountInfo(
            status.account.name, status.account.role.name.lower(), status.suspended, status.muted, status.created_ms
        )
        for status in found[:LIST_PAGE]
    )
    return messages.AccountList(command.label, page, more=len(found) > LIST_PAGE)


async def suspend(context: Context, session: LiveSession, command: messages.Suspend) -> messages.Ok:
    """Lets an account in no more, or again; its sessions end. Nobody does that to themselves: it is another's to undo."""
    name = user_name(command.user)
    if command.on and name == session.name:
        raise Forbidden("suspend: oneself")
    await context.store.set_account(name, suspended=command.on)
    if command.on:
        _put_out(context, name, "suspended")
    return messages.Ok(command.label)


async def server_mute(context: Context, session: LiveSession, command: messages.ServerMute) -> messages.Ok:  # noqa: ARG001
    """Takes no messages from an account, or again."""
    name = user_name(command.user)
    await context.store.set_account(name, muted=command.on)
    context.hub.touch_account(name)
    for each in context.hub.sessions_of(name):
        each.muted = command.on
    return messages.Ok(command.label)


async def set_server_role(
    context: Context,
    session: LiveSession,
    command: messages.SetServerRole,
) -> messages.Ok:
    """Makes an account an administrator, or a user; its sessions have the role at once. Nobody takes their own away."""
    name, role = user_name(command.user), Role.ADMIN if command.admin else Role.USER
    if not command.admin and name == session.name:
        raise Forbidden("server role: one's own")
    if command.admin and context.bans.holds_account(name):
        raise Forbidden("server role: of a banned account")
    await context.store.set_account(name, role=role)
    context.hub.touch_account(name)
    for each in context.hub.sessions_of(name):
        each.role = role
    return messages.Ok(command.label)


async def set_ban(context: Context, session: LiveSession, command: messages.SetBan) -> messages.Ok:
    """Bans an address, network or name, or lifts that. An administrator has to be made a user first.

    Nobody bans themselves, where they come from, the server's own machine or nearly everybody.
    """
    kind = ban_kind(command.kind)
    subject = ban_subject(kind, command.subject)
    if command.on:
        check_ban(kind, subject, session.name, session.host)
    if kind is BanKind.ACCOUNT and command.on:
        status = await context.store.account(subject)
        if status is not None and status.account.role is Role.ADMIN:
            raise Forbidden("ban: of an administrator")
    ban = Ban(kind, subject, session.name, context.now_ms())
    await context.store.set_ban(ban, on=command.on)
    context.bans.change(ban, on=command.on)
    if kind is BanKind.ACCOUNT and command.on:
        _put_out(context, subject, "banned")
    return messages.Ok(command.label)


async def list_bans(context: Context, session: LiveSession, command: messages.ListBans) -> messages.BanList:  # noqa: ARG001
    """A page of bans, in order of subject; an address and an account of one subject stay together."""
    found = context.bans.page(command.after, LIST_PAGE + 1)
    size = LIST_PAGE
    if len(found) > size and found[size].subject == found[size - 1].subject:
        size -= 1
    page = tuple(messages.BanInfo(ban.kind.value, ban.subject, ban.by, ban.at_ms) for ban in found[:size])
    return messages.BanList(command.label, page, more=len(found) > size)


async def announce(context: Context, session: LiveSession, command: messages.Announce) -> messages.Ok:  # noqa: ARG001
    """Tells everybody who is online."""
    notify(context.hub.sessions, messages.Announcement(command.text, context.now_ms()))
    return messages.Ok(command.label)


def _put_out(context: Context, name: str, code: str) -> None:
    context.hub.touch_account(name)  # a login that is under way is refused
    for each in context.hub.sessions_of(name):
        expel(context, each, code)
