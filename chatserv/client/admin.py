"""What administrators of the server can do; none of it lets them read a room that they are not in."""

from dataclasses import dataclass
from typing import Any

from chatserv.client.account.keyring import Keyring
from chatserv.client.connection.requests import Requests
from chatserv.domain.names import user_name
from chatserv.errors import BadMessage
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


class Administration:
    """Every method raises `chatserv.errors.Forbidden` for who is no administrator.

    Args:
        requests: Asks the server.
        keyring: Which server that is.
    """

    def __init__(self, requests: Requests, keyring: Keyring) -> None:
        self._requests, self._keyring = requests, keyring

    async def _ask(self, make: type[messages.Command], **fields: object) -> Any:
        return await self._requests.ask(make, **fields)

    async def make_invite(self, name: str = "", *, admin: bool = False) -> ServerLink:
        """A link that lets one person register: anybody, or who takes this name. Raises `NameInvalid`.

        It leads to where the server says that it is, else to where we reach it.
        """
        name = user_name(name) if name else ""
        invited = await self._requests.expect(messages.Invited, messages.MakeInvite, name=name, admin=admin)
        keyring = self._keyring
        host, port = (invited.host, invited.port) if invited.host and invited.port else (keyring.host, keyring.port)
        try:
            return ServerLink(host, port, keyring.server_id, invited.token)
        except LinkInvalid:
            raise BadMessage("invite: leads to no host") from None

    async def accounts(self) -> list[AccountView]:
        """All accounts, in order of name."""
        rows = await self._requests.rows(
            messages.AccountList, messages.ListAccounts, lambda page: page.accounts, lambda row: row.name
        )
        return [AccountView(each.name, each.role, each.suspended, each.muted, each.created) for each in rows]

    async def suspend(self, user: str, *, on: bool = True) -> None:
        """Lets an account in no more, or again; what it is in rooms stays."""
        await self._ask(messages.Suspend, user=user_name(user), on=on)

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
        rows = await self._requests.rows(
            messages.BanList, messages.ListBans, lambda page: page.bans, lambda row: row.subject
        )
        return [BanView(each.kind, each.subject, each.by, each.at) for each in rows]

    async def announce(self, text: str) -> None:
        """Tells everybody who is online something; it is not encrypted end to end."""
        await self._ask(messages.Announce, text=text)
