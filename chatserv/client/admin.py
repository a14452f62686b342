"""What administrators of the server can do; none of it lets them read a room that they are not in."""

import json
from dataclasses import dataclass
from typing import Any

from chatserv.client.outbound.texts import visible_text
from chatserv.client.part import Part
from chatserv.domain.names import user_name
from chatserv.errors import BadMessage
from chatserv.units import split_address
from chatserv.wire import messages
from chatserv.wire.link import LinkInvalid, ServerLink


@dataclass(frozen=True)
class AccountView:
    """An account. ``created_ms``: milliseconds since 1970."""

    user: str
    role: str
    suspended: bool
    muted: bool
    created_ms: int


@dataclass(frozen=True)
class BanView:
    """A ban from the server: of an ``address`` or an ``account``."""

    kind: str
    subject: str
    by: str
    at_ms: int


class Administration(Part):
    """Every method raises `chatserv.errors.Forbidden` for who is no administrator."""

    async def _ask(self, make: type[messages.Command], **fields: object) -> Any:
        return await self._engine.requests.ask(make, **fields)

    async def make_invite(self, name: str = "", *, admin: bool = False) -> ServerLink:
        """A link that lets one person register: anybody, or who takes this name. Raises `NameInvalid`.

        It leads to where the server says that it is, else to where we reach it.
        """
        return await self._link(user_name(name) if name else "", admin=admin)

    async def reset_link(self, user: str) -> ServerLink:
        """A link by which a person who has lost every device and the recovery code gets their account back.

        Whoever registers by it *is* that user from then on, with a new identity: all devices of theirs end, everybody sees
        it, whoever had verified them has to compare again, and private rooms take them in again. It works once. Raises
        `NotFound` where there is no such account.
        """
        return await self._link(user_name(user), reset=True)

    async def _link(self, name: str, *, admin: bool = False, reset: bool = False) -> ServerLink:
        invited = await self._engine.requests.expect(
            messages.Invited, messages.MakeInvite, name=name, admin=admin, reset=reset
        )
        keyring = self._engine.context.keyring
        told = bool(invited.host and invited.port)
        host, port = (invited.host, invited.port) if told else (keyring.host, keyring.port)
        key = self._engine.context.log.keys.newer_id
        try:
            others = tuple(map(split_address, invited.others)) if told else ()
            return ServerLink(host, port, keyring.server_id, invited.token, key, others)
        except (ValueError, LinkInvalid):
            raise BadMessage("invite: leads to no host") from None

    async def accounts(self) -> list[AccountView]:
        """All accounts, in order of name."""
        rows = await self._engine.requests.rows(
            messages.AccountList, messages.ListAccounts, lambda page: page.accounts, lambda row: row.name
        )
        return [AccountView(each.name, each.role, each.suspended, each.muted, each.created) for each in rows]

    async def suspend(self, user: str, *, on: bool = True) -> None:
        """Lets an account in no more, or again; what it is in rooms stays."""
        await self._ask(messages.Suspend, user=user_name(user), on=on)

    async def delete(self, user: str) -> None:
        """Ends an account for good; its name is never given out again. Raises `NotFound`."""
        await self._ask(messages.DeleteUser, user=user_name(user))

    async def mute(self, user: str, *, on: bool = True) -> None:
        """Takes no messages from an account, or again."""
        await self._ask(messages.ServerMute, user=user_name(user), on=on)

    async def set_role(self, user: str, *, admin: bool) -> None:
        """Makes an account an administrator, or a user."""
        await self._ask(messages.SetServerRole, user=user_name(user), admin=admin)

    async def ban(self, kind: str, subject: str, *, on: bool = True) -> None:
        """Bans an ``address`` (or network) or an ``account`` name from the server, or lifts that."""
        await self._ask(messages.SetBan, kind=kind, subject=subject, on=on)

    async def bans(self) -> list[BanView]:
        """All bans, in order of subject."""
        rows = await self._engine.requests.rows(
            messages.BanList, messages.ListBans, lambda page: page.bans, lambda row: row.subject
        )
        return [BanView(each.kind, each.subject, each.by, each.at) for each in rows]

    async def announce(self, text: str) -> None:
        """Tells everybody who is online something; it is not encrypted end to end. Raises `TextInvalid`."""
        await self._ask(messages.Announce, text=visible_text(text))

    async def operate(self, name: str, arguments: dict[str, str] | None = None) -> dict[str, Any]:
        """Has the server do what its operator can: ``status``, ``reload``, ``backup``, ``drain``.

        Returns:
            What came of it as ``result``, and a ``code``, which is 0 where it was done; or an ``error`` with code and text.
        """
        answer = await self._engine.requests.expect(
            messages.Operated, messages.Operate, name=name, arguments=arguments or {}
        )
        try:
            said = json.loads(answer.result)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise BadMessage("operated: no object")
        return said
