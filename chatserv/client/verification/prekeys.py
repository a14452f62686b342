"""Keeps the device's prekeys in stock: one-time ones refilled, the last-resort one renewed each week.

See docs/rooms.rst 3.3.
"""

from typing import Final

from chatserv.client.connection.requests import Requests
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Rooms
from chatserv.crypto.e2e.prekey_secrets import PrekeySecret, generate_prekey
from chatserv.wire import messages

DAY_MS: Final = 86_400_000
RENEW_MS: Final = 7 * DAY_MS  # a last-resort prekey serves so long
KEEP_MS: Final = 28 * DAY_MS  # and its private half is kept so long after its successor was published
REFILL_BELOW: Final = 20
MOST: Final = 100  # whatever the server takes
STORE: Final = "prekeys in store"  # the id of the store in which the newest last-resort prekey is
PAUSE_SECONDS: Final = 5.0  # between two refills that the server asks for


class PrekeyStock:
    """The device's prekeys.

    Args:
        context: What the client's parts share.
        requests: Publishes.
        rooms: A retired prekey outlives the backlog of every room.
    """

    def __init__(self, context: ClientContext, requests: Requests, rooms: Rooms) -> None:
        self._context, self._requests, self._rooms = context, requests, rooms
        self._most = 50
        self._next = 0.0  # by the clock that never goes back

    async def look(self, stock: int, most: int | None = None, store: bytes = b"") -> None:
        """Publishes what is missing.

        Args:
            stock: How many one-time prekeys the server has.
            most: How many it takes, as it says when a session begins.
            store: The id of its store, likewise: where that was restored, our last-resort prekey may be lost.
        """
        context, now_ms, now = self._context, self._context.now_ms(), self._context.seconds()
        if most is None and now < self._next:
            return  # asked again before the last answer can have had an effect
        self._next = now + PAUSE_SECONDS
        self._most = min(most or self._most, MOST)
        stock = max(stock, 0)
        self._retire(stock, now_ms)
        newest = context.vault.prekeys.newest_last_resort()
        moved = bool(store) and store != context.vault.facts.get(STORE)
        renew = moved or newest is None or now_ms - newest.created_ms >= RENEW_MS
        wanted = self._most - stock if stock < min(REFILL_BELOW, self._most) or renew else 0
        fresh = self._make(last_resort=renew, one_time=wanted)
        await context.keeping.kept()  # before anybody hears of them
        for at in range(0, len(fresh), messages.PREKEYS_PAGE):
            page = tuple(
                secret.sign(context.signing, context.device_id).encode()
                for secret in fresh[at : at + messages.PREKEYS_PAGE]
            )
            await self._requests.ask(messages.PublishPrekeys, prekeys=page)
        if renew and newest is not None:
            context.vault.prekeys.retire(newest.secret.id, now_ms)
        if moved:
            context.vault.facts.note(STORE, store)
        self._forget(now_ms)

    def _make(self, *, last_resort: bool, one_time: int) -> list[PrekeySecret]:
        """New prekeys, which are on the disk when `Keeping` says so."""
        context, fresh = self._context, []
        with context.vault.transaction(wait=False):
            for number in range(last_resort + one_time):
                prekey_id = context.vault.prekeys.next_id(last_resort and number == 0)
                secret = generate_prekey(prekey_id, context.random)
                context.vault.prekeys.add(secret, context.now_ms())
                fresh.append(secret)
        return fresh

    def _retire(self, stock: int, now_ms: int) -> None:
        """The server gives out the oldest one-time prekeys first: of those that it lists no more, the unused go one day."""
        ids = self._context.vault.prekeys.one_time_ids()
        with self._context.vault.transaction(wait=False):
            for prekey_id in ids[: max(0, len(ids) - stock)]:
                self._context.vault.prekeys.retire(prekey_id, now_ms)

    def _forget(self, now_ms: int) -> None:
        """Deletes what was retired long ago, but never while events of a room wait to be read."""
        if not any(room.queue for room in self._rooms.all()):
            with self._context.vault.transaction(wait=False):
                self._context.vault.prekeys.delete_retired(now_ms - KEEP_MS)
