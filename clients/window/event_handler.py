"""What the client tells: where it is shown, and who is called."""

from collections.abc import Callable

from chatserv.client import ClientEvent, DeviceSeen, IdentityChanged
from chatserv.client.events import (
    DeviceAsks,
    DeviceGone,
    FileProgress,
    HistoryReceived,
    MessageReceived,
    PresenceSeen,
    ReadMoved,
    RoomChanged,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomTitled,
    RotationDone,
    RotationOpen,
    SendAcknowledged,
    SendFailed,
    SendQueued,
    StatusChanged,
    TypingSeen,
)
from clients.window.actions.devices import DeviceActions
from clients.window.connection_status import ConnectionStatus
from clients.window.context import WindowContext
from clients.window.presenter import Presenter
from clients.window.session import State


class EventHandler:
    """Takes each event to the parts of the window that show it.

    Args:
        context: What all parts share.
        presenter: Shows the room.
        status: Shows how it stands with the connection.
        devices: Shows our own devices, and new ones that ask.
        attention: Calls a person who looks elsewhere.
    """

    def __init__(
        self,
        context: WindowContext,
        presenter: Presenter,
        status: ConnectionStatus,
        devices: DeviceActions,
        attention: Callable[[MessageReceived | RoomOffered], None],
    ) -> None:
        self._context, self._presenter, self._status, self._attention = context, presenter, status, attention
        self._devices = devices

    def take(self, event: ClientEvent) -> None:
        """Something happened."""
        conversations, presenter, later = self._context.conversations, self._presenter, self._context.reactor.callLater
        match event:
            case StatusChanged(error=error):
                self._status.show_change(error)
                return
            case TypingSeen(room=room) if room == conversations.current:
                self._status.show_typing(event)
        conversations.take(event, waits=self._waits)
        presenter.chat.ask()
        match event:
            case MessageReceived():
                self._received(event)
            case FileProgress(room=room, message_id=message_id):
                self._context.transfers.take(event)
                conversations.of(room).change(message_id)
                presenter.waiting_changed = True
            case SendQueued() | SendAcknowledged() | SendFailed():
                presenter.waiting_changed = True
            case RoomJoined() | RoomOffered():
                self._came(event)
            case HistoryReceived(room=room) if conversations.current and room in {"", conversations.current}:
                later(0, presenter.reload)
            case RoomLeft() | RoomTitled():
                presenter.lists.rooms.ask()
                presenter.lists.members.ask()
                left = isinstance(event, RoomLeft) and event.by == self._context.session.us
                later(0, self._go_home_if_left if left else presenter.follow)
            case RoomChanged() | PresenceSeen() | ReadMoved() | IdentityChanged() | DeviceSeen():
                presenter.lists.members.ask()
            case DeviceAsks(device_id=device_id):
                self._devices.asks(device_id)
            case DeviceGone(device_id=device_id):
                self._devices.gone(device_id)
            case RotationOpen() | RotationDone():
                self._devices.refresh()

    def _came(self, event: RoomJoined | RoomOffered) -> None:
        presenter = self._presenter
        if isinstance(event, RoomOffered) and self._context.session.state is State.ONLINE:
            self._attention(event)
        presenter.lists.rooms.ask()
        begun = isinstance(event, RoomJoined) and event.room == self._context.conversations.current
        # begun: direct messages that go on anew
        self._context.reactor.callLater(0, presenter.reload if begun else presenter.follow)

    def _received(self, message: MessageReceived) -> None:
        here = message.room == self._context.conversations.current
        self._presenter.lists.rooms.ask()
        if here:
            self._presenter.seen.ask()
            self._presenter.waiting_changed = True  # what is on its way stands behind it
        wanted = message.mentioned or message.room.startswith("@")
        looked_at = here and self._context.layout.focused
        if wanted and not message.own and not looked_at and self._context.session.state is State.ONLINE:
            self._attention(message)

    def _waits(self, message_id: bytes) -> bool:
        client = self._context.session.client
        handles = [] if client is None else [self._context.handle(room) for room in client.rooms]
        return any(each.message_id == message_id for one in handles if one is not None for each in one.waiting())

    def _go_home_if_left(self) -> None:
        """Whoever leaves a room goes home; who is put out stays, or a line in the making would be said somewhere else."""
        context = self._context
        if context.session.running and context.talk is not None and context.handle() is None:
            context.talk.slash.go_home()
        self._presenter.follow()
