"""The bans from the server, in memory: asked for at each connection and login."""

from collections.abc import Iterable
from heapq import nsmallest

from chatserv.domain.bans import AddressBans, is_nearly_everybody, locks_out, network_text, parse_network
from chatserv.domain.names import user_name
from chatserv.errors import BadMessage, Forbidden
from chatserv.models import Ban, BanKind


def ban_subject(kind: BanKind, text: str) -> str:
    """The one spelling of what a ban names.

    Raises:
        BadMessage: An address that is none.
        NameInvalid: A name that nobody can have.
    """
    return user_name(text) if kind is BanKind.ACCOUNT else network_text(parse_network(text))


def check_ban(kind: BanKind, subject: str, name: str, host: str) -> None:
    """Refuses a ban that would end the way back of who gives it: the user ``name``, who comes from ``host``.

    Raises:
        BadMessage: Of nearly everybody.
        Forbidden: Of oneself, or of the server's own machine.
    """
    if kind is BanKind.ACCOUNT:
        if subject == name:
            raise Forbidden("ban: of oneself")
        return
    network = parse_network(subject)
    if is_nearly_everybody(network):
        raise BadMessage("ban: of nearly everybody")
    if locks_out(network, host):
        raise Forbidden("ban: of where one comes from, or of the server itself")


def ban_kind(text: str) -> BanKind:
    """The kind of a ban. Raises `BadMessage` for an unknown one."""
    try:
        return BanKind(text)
    except ValueError:
        raise BadMessage("ban: unknown kind") from None


class BanList:
    """All bans. How many there may be is the store's to bound."""

    def __init__(self) -> None:
        self._bans: dict[tuple[str, str], Ban] = {}  # by subject and kind
        self._addresses = AddressBans()

    def take_in(self, bans: Iterable[Ban]) -> None:
        """Takes bans in as the store has them."""
        for ban in bans:
            self.change(ban, on=True)

    def change(self, ban: Ban, *, on: bool) -> None:
        """Adds a ban or lifts it, after the store has done so."""
        key = (ban.subject, ban.kind.value)
        if on:
            self._bans.setdefault(key, ban)
        else:
            self._bans.pop(key, None)
        if ban.kind is BanKind.ADDRESS:
            network = parse_network(ban.subject)
            (self._addresses.add if on else self._addresses.remove)(network)

    def holds_address(self, host: str) -> bool:
        """Whether nobody may connect from there."""
        return self._addresses.holds(host)

    def holds_account(self, name: str) -> bool:
        """Whether the name may not log in or register."""
        return (name, BanKind.ACCOUNT.value) in self._bans

    def page(self, after: str, limit: int) -> list[Ban]:
        """The first bans whose subjects come after ``after``."""
        keys = nsmallest(limit, (key for key in self._bans if key[0] > after))
        return [self._bans[key] for key in keys]
