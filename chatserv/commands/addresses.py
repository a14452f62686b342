"""Where the server can be reached besides, or will be: kept, told to everybody who is here, and in every welcome."""

from collections.abc import Sequence
from typing import Final

from chatserv.commands.broadcast import notify
from chatserv.domain.hub import Hub
from chatserv.errors import BadMessage, Busy, Quota
from chatserv.live_settings import LiveSettings
from chatserv.node_ports import Backplane
from chatserv.ports import Store
from chatserv.units import join_address, split_address
from chatserv.wire import messages
from chatserv.wire.fields import MAX_ADDRESSES
from chatserv.wire.link import LinkInvalid, checked_host

TRIES: Final = 8  # where others add some at the same moment


class Addresses:
    """The addresses of one server.

    Args:
        store: Keeps those that were added.
        hub: Who is told.
        settings: Have those that stay, in ``server.advertise`` and ``cluster.advertise``.

    Attributes:
        known: Those that were added.
    """

    def __init__(self, store: Store, hub: Hub, settings: LiveSettings, backplane: Backplane) -> None:
        self._store, self._hub, self._settings, self._backplane = store, hub, settings, backplane
        self.known: tuple[str, ...] = ()
        self._said: tuple[str, ...] = ()
        settings.subscribe(lambda _: self._tell())

    @property
    def lasting(self) -> tuple[str, ...]:
        """Those of the settings. Where they name one alone, it is told with others only: who goes there has to find back."""
        return self._lasting(self.known)

    @property
    def told(self) -> tuple[str, ...]:
        """All that clients are told, each once: those of the settings first, as many as clients keep."""
        return self._all(self.known)[:MAX_ADDRESSES]

    def _lasting(self, known: tuple[str, ...]) -> tuple[str, ...]:
        named = self._settings.config.addresses
        return tuple(join_address(*each) for each in named) if known or len(named) > 1 else ()

    def _all(self, known: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self._lasting(known), *known]))

    def take_in(self, known: Sequence[str]) -> None:
        """Takes those that the store has, before anybody can log in."""
        self.known = tuple(known)
        self._said = self.told

    async def add(self, addresses: str) -> None:
        """Tells of one more, ``HOST:PORT``, or of several with commas between; of those that are told already, nothing.

        Raises:
            BadMessage: One of them is none.
            Quota: There would be more than clients keep.
            Busy: Others change them all the time.
        """
        try:
            added = [join_address(checked_host(host), port) for host, port in map(split_address, addresses.split(","))]
        except (ValueError, LinkInvalid):
            raise BadMessage("advertise: no address that others reach, such as chat.example.org:5000") from None
        for _ in range(TRIES):
            told, before = self.told, self.known
            known = (*before, *(each for each in dict.fromkeys(added) if each not in told))
            if known == before:
                return
            if len(self._all(known)) > MAX_ADDRESSES:
                raise Quota(f"advertise: more than {MAX_ADDRESSES} addresses")
            if await self._store.set_addresses(known, before):
                await self._backplane.ordered()
                return
            await self._backplane.current()  # somebody has added others meanwhile
        raise Busy("advertise: others change them too", after_seconds=1)

    async def forget(self) -> None:
        """Tells of none any more but those of the settings. Clients go on where they are."""
        await self._store.set_addresses(())
        await self._backplane.ordered()

    def hear(self, known: Sequence[str]) -> None:
        """What is kept now, on whichever node that was said."""
        self.known = tuple(known)
        self._tell()

    def _tell(self) -> None:
        """Tells everybody who is here, where it is something else than before."""
        if self._said != self.told:
            self._said = self.told
            notify(self._hub.sessions, messages.Addresses(self._said))
