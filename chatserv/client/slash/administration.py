"""Slash commands for administrators of the server."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import Final

from chatserv.client.admin import Administration
from chatserv.client.slash.command import (
    Handler,
    SlashCommand,
    SlashContext,
    SlashError,
    nobody,
    person,
    refused,
    shown,
)
from chatserv.client.slash.formatting import date, word
from chatserv.domain.bans import is_nearly_everybody, network_text, parse_network
from chatserv.errors import BadMessage, Forbidden, NotFound
from chatserv.i18n import N_, _
from chatserv.wire.link import format_link

MAX_ANNOUNCEMENT_CHARACTERS: Final = 1000
MAX_FACTS: Final = 100
_KINDS: Final = ("address", "account")
_OPERATIONS: Final = ("status", "reload", "backup", "drain")

Act = Callable[[Administration, str], Awaitable[None]]


async def _invite_link(slash: SlashContext, words: list[str]) -> list[str]:
    name, admin = words
    if name == "admin" and not admin:
        name, admin = "", name
    if admin not in {"", "admin"}:
        raise slash.commands["invite-link"].misused()
    with refused(Forbidden, _("This server does not accept registrations.")):
        made = await slash.client.admin.make_invite(person(name) if name else "", admin=bool(admin))
    return [format_link(made)]


async def _reset_identity(slash: SlashContext, words: list[str]) -> list[str]:
    user, sure = person(words[0]), words[1]
    if sure not in {"", "yes"}:
        raise slash.commands["reset-identity"].misused()
    _require_another(slash, user)
    if not sure:
        said = _(
            "Only for somebody who has lost all devices and the recovery code. Whoever opens the link IS {user} "
            "from then on: all of their devices end, everybody is told, those who had verified them have to "
            "compare again, and private rooms have to invite them again. To do it: /reset-identity {user} yes"
        )
        return [said.format(user=shown(user))]
    with refused(NotFound, nobody(user)):
        made = await slash.client.admin.reset_link(user)
    said = _("Give this link to {user} in person, and to nobody else. It works once:")
    return [said.format(user=shown(user)), format_link(made)]


async def _delete_user(slash: SlashContext, words: list[str]) -> list[str]:
    user, sure = person(words[0]), words[1]
    if sure not in {"", "yes"}:
        raise slash.commands["delete-user"].misused()
    _require_another(slash, user)
    if not sure:
        said = _(
            "The account {user} ends for good, and nobody can ever have that name again. What was written stays "
            "with those who read it. To do it: /delete-user {user} yes"
        )
        return [said.format(user=shown(user))]
    with refused(NotFound, nobody(user)):
        await slash.client.admin.delete(user)
    return [_("The account {user} is gone.").format(user=shown(user))]


async def _server(slash: SlashContext, words: list[str]) -> list[str]:
    operation, sure = words
    if operation not in _OPERATIONS or sure not in ({"", "yes"} if operation == "drain" else {""}):
        raise slash.commands["server"].misused()
    if operation == "drain" and not sure:
        return [_("The server ends, and everybody is asked to come back later. To do it: /server drain yes")]
    answer = await slash.client.admin.operate(operation)
    several = len(slash.client.addresses) > 1
    where = [_("Server: {address}").format(address=shown(slash.client.address))] if several else []
    if "error" in answer:
        problem = answer["error"]
        raise SlashError(shown(str(problem.get("text", "")) if isinstance(problem, dict) else str(problem)))
    return [*where, *(list(_facts(answer.get("result"))) or [_("Done.")])]


def _facts(result: object, name: str = "") -> Iterator[str]:
    """What an operation gives, a line a fact."""
    if isinstance(result, dict):
        for key, value in islice(result.items(), MAX_FACTS):
            yield from _facts(value, f"{name}, {_named(key)}" if name else _named(key))
    elif isinstance(result, bool):
        yield f"{name}: {_('yes') if result else _('no')}"
    elif isinstance(result, list) and isinstance(next(iter(result), None), dict):
        for each in result[:MAX_FACTS]:
            yield f"{name}: {', '.join(_facts(each))}"
    elif isinstance(result, list) and result:
        yield f"{name}: {', '.join(shown(str(each)) for each in result[:MAX_FACTS])}"
    elif result not in ([], ""):
        yield f"{name}: {shown(str(result))}"


def _named(key: object) -> str:
    """The name of a fact, in the language of the person where it has one there."""
    return shown(_(str(key).replace("_", " ")) if key else "")


async def _accounts(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    found = []
    for account in await slash.client.admin.accounts():
        facts = [word(account.role)]
        facts += [_("suspended")] if account.suspended else []
        facts += [_("muted")] if account.muted else []
        facts.append(_("since {date}").format(date=date(account.created_ms)))
        found.append(f"{shown(account.user)}  {', '.join(facts)}")
    return found


def _about_account(act: Act, said: str, *, final: bool) -> Handler:
    """A command about an account.

    Args:
        act: Does it.
        said: What is told when it is done, to be translated.
        final: Whether nobody could undo it who does it to themselves.
    """

    async def handler(slash: SlashContext, words: list[str]) -> list[str]:
        user = person(words[0])
        if final:
            _require_another(slash, user)
        with refused(NotFound, nobody(user)):
            await act(slash.client.admin, user)
        return [_(said).format(user=shown(user))]

    return handler


def _require_another(slash: SlashContext, user: str) -> None:
    if user == slash.client.keyring.user:
        raise SlashError(_("That is you, and you could not undo it. Ask another administrator to do it."))


def _ban(name: str, said: str, *, on: bool) -> Handler:
    async def handler(slash: SlashContext, words: list[str]) -> list[str]:
        kind, subject = words
        if kind not in _KINDS:
            raise slash.commands[name].misused()
        subject = person(subject) if kind == "account" else _network(subject)
        if on and kind == "account":
            _require_another(slash, subject)
        elif on and is_nearly_everybody(parse_network(subject)):
            raise SlashError(_("That is almost everybody: a ban covers at most a /8 network, or a /16 of IPv6."))
        with refused(NotFound, _("There is no such ban, or no such account.")), refused(Forbidden, _no_ban(kind)):
            await slash.client.admin.ban(kind, subject, on=on)
        return [_(said).format(subject=shown(subject))]

    return handler


def _no_ban(kind: str) -> str:
    if kind == "account":
        return _("That is an administrator: use /revoke-admin first.")
    return _("You connect from there yourself, or it is the server's own machine: the ban would lock you out.")


def _network(text: str) -> str:
    try:
        return network_text(parse_network(text))
    except BadMessage:
        raise SlashError(_("That is neither an address nor a network such as 192.0.2.0/24.")) from None


async def _bans(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    found = [
        f"{word(ban.kind)} {shown(ban.subject)}  {_('by {user}').format(user=shown(ban.by))}, {date(ban.at_ms)}"
        for ban in await slash.client.admin.bans()
    ]
    return found or [_("Nobody is banned from the server.")]


async def _announce(slash: SlashContext, words: list[str]) -> list[str]:
    (text,) = words
    if len(text) > MAX_ANNOUNCEMENT_CHARACTERS:
        said = _("An announcement has at most {most} characters.")
        raise SlashError(said.format(most=MAX_ANNOUNCEMENT_CHARACTERS))
    await slash.client.admin.announce(text)
    return [_("Announced, without end-to-end encryption.")]


def _account(name: str, help: str, act: Act, said: str, *, final: bool = False) -> SlashCommand:  # noqa: A002 - as the field
    return SlashCommand(name, "USER", help, _about_account(act, said, final=final), role="admin")


ADMIN: Final = (
    SlashCommand(
        "invite-link", "[NAME] [admin]", N_("creates a link that lets one person register"), _invite_link, role="admin"
    ),
    SlashCommand(
        "reset-identity", "USER [yes]", N_("creates a link that gives somebody a new identity, where all else is lost"),
        _reset_identity, role="admin",
    ),
    SlashCommand("delete-user", "USER [yes]", N_("deletes an account for good"), _delete_user, role="admin"),
    SlashCommand("accounts", "", N_("shows all accounts"), _accounts, role="admin"),
    _account(
        "suspend", N_("suspends an account: it can no longer log in"),
        lambda admin, user: admin.suspend(user), N_("{user} is suspended."), final=True,
    ),
    _account(
        "unsuspend", N_("lets a suspended account log in again"),
        lambda admin, user: admin.suspend(user, on=False), N_("{user} is no longer suspended."),
    ),
    _account(
        "server-mute", N_("mutes an account on the whole server"),
        lambda admin, user: admin.mute(user), N_("{user} is muted on the server."),
    ),
    _account(
        "server-unmute", N_("unmutes an account on the server"),
        lambda admin, user: admin.mute(user, on=False), N_("{user} is no longer muted on the server."),
    ),
    SlashCommand(
        "server-ban", "address|account SUBJECT", N_("bans an address, a network or an account from the server"),
        _ban("server-ban", N_("{subject} is banned from the server."), on=True), role="admin",
    ),
    SlashCommand(
        "server-unban", "address|account SUBJECT", N_("lifts a ban from the server"),
        _ban("server-unban", N_("{subject} is no longer banned from the server."), on=False), role="admin",
    ),
    SlashCommand("bans", "", N_("shows who is banned from the server"), _bans, role="admin"),
    _account(
        "grant", N_("makes somebody an administrator of the server"),
        lambda admin, user: admin.set_role(user, admin=True), N_("{user} is now an administrator."),
    ),
    _account(
        "revoke-admin", N_("takes administrator rights away from somebody"),
        lambda admin, user: admin.set_role(user, admin=False), N_("{user} is no longer an administrator."), final=True,
    ),
    SlashCommand(
        "server", "status|reload|backup|drain [yes]", N_("asks the server how it is, or has it do something"), _server,
        role="admin",
    ),
    SlashCommand(
        "announce", "TEXT", N_("sends a text to everybody who is online"), _announce, role="admin", warns_clear=True
    ),
)  # fmt: skip
