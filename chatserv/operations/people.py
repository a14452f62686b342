"""The operations on accounts."""

from collections.abc import Mapping
from typing import Any, Final

from chatserv.commands.accounts import new_invite
from chatserv.commands.administration import change_ban, give_role, suspend_account
from chatserv.commands.endings import end_account
from chatserv.domain.names import user_name
from chatserv.domain.roles import Role
from chatserv.errors import Forbidden, NameInvalid
from chatserv.i18n import _
from chatserv.local_errors import NotDone
from chatserv.models import AccountStatus, Ban, BanKind
from chatserv.net.advertising import advertised_link
from chatserv.operations.registry import Result
from chatserv.operations.world import World
from chatserv.wire.link import format_link

PAGE: Final = 500


async def invite(world: World, arguments: Mapping[str, Any]) -> Result:
    """A link by which one person registers."""
    _require_registration(world)
    return await _link(world, arguments["name"], admin=arguments["admin"])


async def list_users(world: World, _arguments: Mapping[str, Any]) -> Result:
    """All accounts, in order of name."""
    found: list[AccountStatus] = []
    while page := await world.context.store.accounts(found[-1].account.name if found else "", PAGE):
        found += page
    return Result({"accounts": [_facts(world, status) for status in found]})


async def suspend(world: World, arguments: Mapping[str, Any]) -> Result:
    """Ends an account's sessions and lets it in no more."""
    name = (await account_of(world, arguments)).account.name
    try:
        await suspend_account(world.context, name, on=True)
    except Forbidden:
        raise _last(name) from None
    return await _told(world, arguments)


async def unsuspend(world: World, arguments: Mapping[str, Any]) -> Result:
    """Lets an account in again, whatever kept it out."""
    name = (await account_of(world, arguments)).account.name
    await suspend_account(world.context, name, on=False)
    await change_ban(world.context, Ban(BanKind.ACCOUNT, name, world.who, world.context.now_ms()), on=False)
    return await _told(world, arguments)


async def set_role(world: World, arguments: Mapping[str, Any]) -> Result:
    """Makes an account an administrator, or a user."""
    name = (await account_of(world, arguments)).account.name
    role = Role.ADMIN if arguments["role"] == "admin" else Role.USER
    if role is Role.ADMIN and world.context.bans.holds_account(name):
        raise NotDone(_("{user} is banned; first: chatserv user unsuspend {user}").format(user=name))
    try:
        await give_role(world.context, name, role)
    except Forbidden:
        raise _last(name) from None
    return await _told(world, arguments)


async def reset(world: World, arguments: Mapping[str, Any]) -> Result:
    """A link that gives an account a new identity."""
    name = (await account_of(world, arguments)).account.name
    return await _link(world, name, is_reset=True)


async def delete(world: World, arguments: Mapping[str, Any]) -> Result:
    """Ends an account for good."""
    name = (await account_of(world, arguments)).account.name
    require_yes(arguments)
    try:
        await end_account(world.context, name, b"", None)
    except Forbidden:
        raise _last(name) from None
    return Result({"name": name})


async def account_of(world: World, arguments: Mapping[str, Any]) -> AccountStatus:
    """The account that is named. Raises `NotDone`."""
    try:
        found = await world.context.store.account(user_name(arguments["user"]))
    except NameInvalid:
        found = None
    if found is None:
        raise NotDone(_("there is no account {user}").format(user=arguments["user"]))
    return found


def require_yes(arguments: Mapping[str, Any]) -> None:
    """Refuses what cannot be undone unless that was said. Raises `NotDone`."""
    if not arguments["yes"]:
        raise NotDone(_("it cannot be undone; to do it, add --yes"))


def require_link(world: World) -> None:
    """Refuses where a link would lead nowhere. Raises `NotDone`."""
    if advertised_link(world.config, world.context.identity) is None:
        hint = _("set server.advertise and server.port to where people reach the server")
        raise NotDone(f"{_('there is no TCP port of this server that a link could lead to')}: {hint}")


def _last(name: str) -> NotDone:
    said = _("{user} is the last administrator who can log in; first: chatserv user role SOMEBODY admin")
    return NotDone(said.format(user=name))


def _require_registration(world: World) -> None:
    if world.config.security.registration == "closed":
        raise NotDone(_("registration is closed: set security.registration to invite"))


async def _link(world: World, name: str, *, admin: bool = False, is_reset: bool = False) -> Result:
    require_link(world)
    context = world.context
    made = await new_invite(context, name, admin=admin, reset=is_reset)
    link = advertised_link(world.config, context.identity, made.token)
    text = "" if link is None else format_link(link)
    return Result({"link": text, "name": name, "admin": admin, "reset": is_reset, "expires_ms": made.expires_ms})


def _facts(world: World, status: AccountStatus) -> dict[str, Any]:
    name = status.account.name
    return {
        "name": name,
        "role": status.account.role.name.lower(),
        "suspended": status.suspended,
        "muted": status.muted,
        "banned": world.context.bans.holds_account(name),
        "created_ms": status.created_ms,
    }


async def _told(world: World, arguments: Mapping[str, Any]) -> Result:
    return Result(_facts(world, await account_of(world, arguments)))
