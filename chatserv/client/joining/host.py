"""A client as those see it who serve other programs with it: with what no program is to see."""

from collections.abc import Callable

from chatserv.client.client import Client
from chatserv.client.engine import Engine
from chatserv.client.lifecycle import Lifecycle
from chatserv.client.outbound.sent import Sent
from chatserv.client.room_handle import RoomHandle
from chatserv.client.state.context import Interrupted
from chatserv.client.state.listeners import Asker, Listener
from chatserv.errors import NotMember


class Host:
    """A client that holds its profile.

    Args:
        client: It.
        lifecycle: Its life.
        begin: Connects it, where nobody has.
    """

    def __init__(self, client: Client, lifecycle: Lifecycle, begin: Callable[[], None]) -> None:
        self.client, self._lifecycle, self.begin = client, lifecycle, begin

    @property
    def engine(self) -> Engine:
        """Does the work. Raises `LocalProtocolError` where the client is neither started nor open."""
        return self._lifecycle.engine

    @property
    def key(self) -> bytes:
        """Of the profile; empty where it is not sealed."""
        key = self.client.profile.key
        return b"" if key is None else bytes(key)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tells one more, how things stand first. Returns what ends it. Raises `Quota`."""
        return self._lifecycle.listen(listener)

    def look(self, listener: Listener) -> None:
        """A listener wants messages, or does not any more."""
        self._lifecycle.follow(listener)

    def mark_shown(self, listener: Listener, room_id: bytes, seq: int) -> None:
        """A listener was shown a room so far."""
        room = None if self._lifecycle.running is None else self.engine.rooms.get(room_id)
        if room is not None:
            self.engine.backlog.mark_shown(listener, room, seq)

    def handle(self, room_id: bytes, asker: Asker | None) -> RoomHandle:
        """A room in the hands of a program. Raises `NotMember`."""
        notifier = self._lifecycle.notifier
        if self.engine.rooms.get(room_id) is None:
            raise NotMember("room")
        return RoomHandle(self._lifecycle.latest, room_id, notifier.await_acknowledgement, notifier.withdraw, asker)

    def promise(self, message_id: bytes) -> Sent:
        """What `send` gave for a message, once more."""
        vault = self.engine.context.vault
        row, seq = vault.outbox.get(message_id), vault.asked.seq(message_id)
        if (row is not None and row.done_seq is None) or self.engine.files.uploads.waits(message_id):
            return self._lifecycle.notifier.await_acknowledgement(message_id)
        sent = Sent(message_id)
        if seq is not None:
            sent.callback(seq)
        else:
            sent.errback(Interrupted("given up, or refused"))
        return sent

    def forget_unsent(self, ids: set[bytes]) -> int:
        """Gives up on those of these messages that are not acknowledged. Returns how many."""
        self._lifecycle.notifier.forget(ids)
        return len(self.engine.outbox.forget_unsent(ids)) + len(self.engine.files.uploads.forget_unsent(ids))
