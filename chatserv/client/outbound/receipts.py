"""Delivery receipts: in direct messages the sender is told what arrived."""

from typing import Final

from chatserv.client.events import MessageReceived
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Standing
from chatserv.crypto.bodies import MAX_RECEIPTS, Receipt
from chatserv.crypto.room_state import Kind
from chatserv.errors import ChatError

GATHER_SECONDS: Final = 2.0  # one receipt for all that came meanwhile


class Receipts:
    """Gathers what arrived.

    Args:
        context: What the client's parts share.
        outbox: Sends.
        wanted: Whether to send any.
    """

    def __init__(self, context: ClientContext, outbox: Outbox, *, wanted: bool) -> None:
        self._context, self._outbox, self._wanted = context, outbox, wanted
        self._waiting: dict[bytes, list[bytes]] = {}

    def arrived(self, room: Room, message: MessageReceived) -> None:
        """A message came, and a program was told it: its sender may be told."""
        if not self._wanted or message.own or message.text is None or not self._fits(room):
            return
        ids = self._waiting.setdefault(room.room_id, [])
        if not ids:
            self._context.later(GATHER_SECONDS, lambda: self._send(room))
        if len(ids) < MAX_RECEIPTS:
            ids.append(message.message_id)

    def _fits(self, room: Room) -> bool:
        if room.state is None or room.row is None or room.row.standing is not Standing.IN:
            return False
        return room.state.policy.kind is Kind.DM

    def _send(self, room: Room) -> None:
        ids = self._waiting.pop(room.room_id, [])
        member = None if room.state is None else room.state.member(self._context.user)
        if ids and self._outbox.ready and self._fits(room) and member is not None and not member.muted:
            try:
                self._outbox.put_body(room, Receipt(tuple(ids)))
            except ChatError:
                return  # nobody waits for a receipt
