"""What the server's administrators do. It is the server's refusal to carry, never room state (docs/protocol.rst 7)."""

from chatserv.commands.ban_list import ban_kind, ban_subject, check_ban
from chatserv.commands.context import Context
from chatserv.commands.endings import end_account
from chatserv.domain.hub import LiveSession
from chatserv.domain.names import user_name
from chatserv.domain.roles import Role
from chatserv.errors import Forbidden
from chatserv.models import Ban
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
    await suspend_account(context, name, on=command.on)
    return messages.Ok(command.label)


async def suspend_account(context: Context, name: str, *, on: bool) -> None:
    """Ends an account's sessions and lets it in no more, or again. Raises `NotFound`, or `Forbidden`: the last admin."""
    await change_account(context, name, suspended=on)


async def change_account(
    context: Context, name: str, *, role: Role | None = None, suspended: bool | None = None, muted: bool | None = None
) -> None:
    """Changes what is given; sessions and logins on all nodes follow by the order. Raises as `suspend_account`."""
    await context.store.set_account(name, role=role, suspended=suspended, muted=muted)
    await context.backplane.ordered()


async def server_mute(context: Context, session: LiveSession, command: messages.ServerMute) -> messages.Ok:  # noqa: ARG001
    """Takes no messages from an account, or again."""
    name = user_name(command.user)
    await change_account(context, name, muted=command.on)
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
    await give_role(context, name, role)
    return messages.Ok(command.label)


async def give_role(context: Context, name: str, role: Role) -> None:
    """Gives an account a role. Raises as `suspend_account`; `Forbidden` also where a banned one would administer."""
    await change_account(context, name, role=role)


async def delete_user(context: Context, session: LiveSession, command: messages.DeleteUser) -> messages.Ok:
    """Ends an account for good. Nobody does that to themselves here: it takes their identity key."""
    name = user_name(command.user)
    if name == session.name:
        raise Forbidden("delete: oneself")
    await end_account(context, name, b"", None)
    return messages.Ok(command.label)


async def set_ban(context: Context, session: LiveSession, command: messages.SetBan) -> messages.Ok:
    """Bans an address, network or name, or lifts that. An administrator has to be made a user first.

    Nobody bans themselves, where they come from, the server's own machine or nearly everybody.
    """
    kind = ban_kind(command.kind)
    subject = ban_subject(kind, command.subject)
    if command.on:
        check_ban(kind, subject, session.name, session.host)
    await change_ban(context, Ban(kind, subject, session.name, context.now_ms()), on=command.on)
    return messages.Ok(command.label)


async def change_ban(context: Context, ban: Ban, *, on: bool) -> None:
    """Bans, or lifts a ban. Raises `Forbidden`: of an administrator; `Quota`: there are too many."""
    await context.store.set_ban(ban, on=on)
    await context.backplane.ordered()


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
    await context.store.announce(command.text, context.now_ms())
    await context.backplane.ordered()
    return messages.Ok(command.label)
