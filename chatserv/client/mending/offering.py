"""Offers a server that was restored from a backup what it has lost and this device holds (docs/protocol.rst 16).

Nothing is told twice: of each room what lies behind the place where the server's copy ends. What a person has taken back
since is not kept, so it is not offered; nor what we could not open.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final, TypeVar

from chatserv.client.connection.requests import Requests
from chatserv.client.events import Status, StatusChanged
from chatserv.client.mending.log_offer import LogOffer
from chatserv.client.mending.restored import RestoredServer
from chatserv.client.state.context import ClientContext, log, retry_delay
from chatserv.client.storage.kept_events import KeptEvent
from chatserv.client.verification.server_key import meet_server
from chatserv.crypto.log_leaves import TreeHead
from chatserv.crypto.restored import verify_restored
from chatserv.crypto.suite import RSA_BYTES
from chatserv.errors import BadKey, BadMessage, NotFound, ReadOnly, WireError
from chatserv.wire import messages

T = TypeVar("T")
PAGE_BYTES: Final = 24_000  # of bodies in one offer; a single commit may be larger
MESSAGE: Final = 0
MOVES: Final = (
    messages.Event,
    messages.LeaveWaiting,
    messages.LogHead,
    messages.PrekeysLow,
    messages.Presence,
    messages.RoomClosed,
    messages.RoomEntered,
    messages.WrapReady,
)


class Offering:
    """Offers, in one session that begins with a server that mends.

    Args:
        context: What the client's parts share.
        requests: Asks.

    Attributes:
        active: This is such a session.
        restored: Remembers the restore; what is told goes through it from now on.
    """

    def __init__(self, context: ClientContext, requests: Requests) -> None:
        self._context, self._requests, self.restored = context, requests, RestoredServer(context)
        context.emit = self.restored.colour(context.emit)
        self.active = False

    def ignores(self, message: messages.ServerMessage) -> bool:
        """Whether a message is of no use in such a session: all is looked at in the next one, whole."""
        return self.active and isinstance(message, MOVES)

    async def begin(self, welcome: messages.Welcome) -> None:
        """Offers all that there is, or as much as the server wants; it ends the session itself. Raises `Interrupted`."""
        self.active = True
        meet_server(self._context, welcome)
        self.restored.hear(welcome)
        self._context.emit(StatusChanged(Status.SYNCING))
        try:
            await self._offer(welcome)
        except WireError as error:
            log.info("offering ended: {code}: {detail}", code=error.code, detail=error.detail)

    async def _offer(self, welcome: messages.Welcome) -> None:
        with suppress(BadKey, BadMessage, NotFound):  # the server is in want of more, or our log is not the one it had
            await self._offer_log(welcome)
        heads = {info.room: info.head for info in welcome.rooms}
        for room_id in {*self._context.vault.kept_events.rooms(), *self._rooms_of_outbox()}:
            await self._offer_room(room_id, heads.get(room_id, 0))

    async def _offer_log(self, welcome: messages.Welcome) -> None:
        restored = verify_restored(welcome.restored, welcome.server_key, self._context.server_id)
        offer = LogOffer(self._context, restored)
        if (head := offer.head) is None:
            return
        size = TreeHead.decode(head[:-RSA_BYTES]).size
        for page in _pages(offer.statements(), lambda each: len(each[1])):
            await self._ask(messages.OfferLog, head=head, first=size, statements=tuple(page))
        wanted, before = await self._ask(messages.OfferLog, head=head, first=size), -1
        while before < wanted < size:
            leaves = offer.leaves(wanted, messages.LEAVES_PAGE)
            before, wanted = wanted, await self._ask(messages.OfferLog, head=head, first=wanted, leaves=leaves)

    def _rooms_of_outbox(self) -> Iterator[bytes]:
        return (row.room_id for row in self._context.vault.outbox.all() if row.done_seq is not None)

    async def _offer_room(self, room_id: bytes, head: int) -> None:
        vault, position = self._context.vault, head
        own = [
            KeptEvent(row.done_seq, row.message_id, MESSAGE, self._context.now_ms(), row.envelope)
            for row in vault.outbox.all()
            if row.room_id == room_id and row.envelope and row.done_seq is not None and row.done_seq > head
        ]  # acknowledged, and not come back yet
        await self._offer_page(room_id, own)
        while page := vault.kept_events.after(room_id, position, messages.OFFERS_PAGE):
            await self._offer_page(room_id, page)
            position = page[-1].seq

    async def _offer_page(self, room_id: bytes, events: list[KeptEvent]) -> None:
        for page in _pages(events, lambda each: len(each.body)):
            offered = tuple(messages.Offered(each.seq, each.id, each.kind, each.at_ms, each.body) for each in page)
            await self._ask(messages.OfferEvents, room=room_id, events=offered)

    async def _ask(self, make: type[messages.Command], **fields: object) -> int:
        """How much was taken, once the server has time for it."""
        while True:
            try:
                taken: messages.Taken = await self._requests.expect(messages.Taken, make, **fields)
            except WireError as error:
                if not error.retryable or isinstance(error, ReadOnly):
                    raise
                await self._context.pause(retry_delay(error.after_seconds))
            else:
                return taken.count


def _pages(found: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    page: list[T] = []
    size = 0
    for each in found:
        if page and (size + size_of(each) > PAGE_BYTES or len(page) == messages.OFFERS_PAGE):
            yield page
            page, size = [], 0
        page.append(each)
        size += size_of(each)
    if page:
        yield page
