"""``--follow``: what is said in one room, line by line."""

from collections.abc import Callable
from typing import Any

from chatserv.client import ChatError, Client, ClientEvent, MessageReceived, Profile, RoomOffered, open_client
from clients.plain.script import RoomScript
from clients.plain.send_mode import SendMode
from clients.shared.arguments import Arguments
from clients.shared.showing import Showing


class FollowMode(RoomScript):
    """Prints the messages of the room, until there were enough."""

    follows = True

    def __init__(
        self, reactor: Any, arguments: Arguments, profile: Profile, make_client: Callable[..., Client] = open_client
    ) -> None:
        super().__init__(reactor, arguments, profile, make_client)
        name, write = (lambda: self._wanted.name), self._printing.line
        self._showing = Showing(self._client, name, write, talking=False, json=arguments.json)
        self._shown = 0

    def check_done(self) -> None:
        """Ends the run where enough was shown, and nothing is left to send."""
        count = self._arguments.count
        if count is not None and self._shown >= count:
            super().check_done()

    def _online(self, *, first: bool) -> None:
        if self._arguments.accept_invites:
            for room in self._client.rooms:
                self._accept(room)
        super()._online(first=first)

    def _happened(self, event: ClientEvent) -> None:
        match event:
            case MessageReceived():
                self._show(event)
            case RoomOffered(room=room) if self._arguments.accept_invites:
                self._reactor.callLater(0, self._accept, room)
            case _:
                super()._happened(event)

    def _show(self, message: MessageReceived) -> None:
        if not self.done.called and self._showing.message(message):
            self._shown += 1
            self.check_done()

    def _accept(self, room: str) -> None:
        try:
            handle = self._client.room(room)
            kept = handle.accept() if handle.offered else []
        except ChatError:
            return  # gone already
        for message in kept:
            self._show(message)
        self._look_for_room()


class SendAndFollowMode(FollowMode, SendMode):
    """``--send --follow``: both."""
