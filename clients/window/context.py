"""What the parts of one window share."""

import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chatserv.client import ChatError, Client, NotMember, RoomHandle
from clients.shared.talk import Talk
from clients.shared.transfers import Transfers
from clients.window.arguments import Arguments
from clients.window.layout import Layout
from clients.window.pictures.decoder import PictureDecoder
from clients.window.session import Session, State
from clients.window.timeline.conversations import Conversations


@dataclass
class WindowContext:
    """Made by `Application` alone; each part takes it whole, and reads what it needs when it needs it.

    Attributes:
        reactor: Tells the time.
        root: Tk's own window.
        arguments: What was asked for at the start.
        session: The connection, and the client while there is one.
        conversations: What was said.
        decoder: Reads pictures of others.
        transfers: Files on their way.
        quit: Ends the program.
        talk: Takes what is typed, while there is a client.
        layout: What is on the screen, its theme and its settings. It tells all other parts what a person does, so they are
            made first, and ask for it afterwards.
    """

    reactor: Any
    root: tk.Tk
    arguments: Arguments
    session: Session
    conversations: Conversations
    decoder: PictureDecoder
    transfers: Transfers
    quit: Callable[[], None]
    talk: Talk | None = None
    layout: Layout = field(init=False)

    @property
    def client(self) -> Client | None:
        """The client, while the server can be asked."""
        return self.session.client if self.session.connected else None

    @property
    def reader(self) -> Client | None:
        """The client, while its rooms and history can be read."""
        return self.session.client if self.session.running else None

    def handle(self, room: str = "") -> RoomHandle | None:
        """A room that we are in, by default the one on the screen."""
        name, reader = room or self.conversations.current, self.reader
        if reader is None or not name:
            return None
        try:
            return reader.room(name)
        except NotMember:
            return None

    def here(self) -> RoomHandle | None:
        """The room that lines go to, if we are in it and it is the one on the screen."""
        if self.talk is None or self.reader is None:
            return None
        try:
            handle = self.talk.slash.here()
        except ChatError:
            return None
        return handle if handle.name == self.conversations.current else None

    @property
    def looks(self) -> bool:
        """Whether a person has the newest line before their eyes."""
        layout, here = self.layout, self.conversations.here
        syncing = self.session.state in {State.CONNECTING, State.SYNCING}
        return layout.focused and not here.detached and layout.chat.at_end and not syncing
