"""The window at work: its parts are made here, and told of each other."""

import tkinter as tk
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from chatserv.client import Client, ClientEvent, MessageReceived, Profile, RoomOffered, open_client
from clients.shared.transfers import Transfers
from clients.window.actions.connecting import Connecting
from clients.window.actions.doing import Doing
from clients.window.actions.hints import Hints
from clients.window.actions.registry import PersonActions
from clients.window.actions.sealing import SealingActions
from clients.window.actions.unlocking import Unlocking
from clients.window.actions.writing import Writing
from clients.window.arguments import Arguments
from clients.window.connection_status import ConnectionStatus
from clients.window.context import WindowContext
from clients.window.event_handler import EventHandler
from clients.window.irc_clients import IrcClients
from clients.window.layout import Layout, Wiring
from clients.window.menus.menu_bar import MenuBar
from clients.window.pictures.decoder import PictureDecoder
from clients.window.pictures.gallery import Gallery
from clients.window.presenter import Presenter
from clients.window.session import Session
from clients.window.settings import WindowSettings, load_settings
from clients.window.timeline.conversations import Conversations
from clients.window.timeline.text_area import ChatActions


class Application:
    """Everything together.

    Args:
        reactor: The reactor.
        root: Tk's window.
        profile: Whose account it is.
        arguments: What was asked for.
        now_ms: The clock, milliseconds since 1970.
        attention: Calls a person who looks elsewhere.
        quit: Ends the program.
        make_client: Makes the client.
    """

    def __init__(
        self,
        reactor: Any,
        root: tk.Tk,
        profile: Profile,
        arguments: Arguments,
        *,
        now_ms: Callable[[], int],
        attention: Callable[[MessageReceived | RoomOffered], None],
        quit: Callable[[], None],  # noqa: A002 - what it does
        make_client: Callable[..., Client] = open_client,
    ) -> None:
        session = Session(
            reactor, profile, self._on_event, self._on_failed, self._on_state,
            no_tls=arguments.no_tls, make_client=make_client,
        )  # fmt: skip
        conversations = Conversations(now_ms, lambda: session.us)
        decoder, transfers = PictureDecoder(reactor), Transfers(reactor.seconds)
        context = self.context = WindowContext(
            reactor, root, arguments, session, conversations, decoder, transfers, quit
        )
        self.presenter = Presenter(context)
        self.connecting = Connecting(context, self.presenter.follow)
        doing = Doing(context, self.presenter)
        self.actions = PersonActions.of(doing)
        self.unlocking = Unlocking(context, self._unlocked)
        self.sealing = SealingActions(doing, self.unlocking)
        self.hints = Hints(context, self.actions, self.connecting)
        self.writing = Writing(self.actions)
        self.menus = MenuBar(context, self.actions, self.presenter.lists, self.connecting, self.sealing)
        self._status = ConnectionStatus(
            context, self.presenter, self.actions.messages, self.connecting, self.actions.recovery.remind
        )
        self._events = EventHandler(context, self.presenter, self._status, self.actions.devices, attention)
        self._irc = IrcClients(context, self.presenter.say)
        context.layout = Layout(root, self._wire(), _settings(profile, arguments), profile.directory)
        self.menus.build()
        root.bind("<FocusIn>", lambda _: self.presenter.seen.ask())
        self._on_state()

    def _wire(self) -> Wiring:
        """All that parts tell those that were made before them."""
        context, presenter, messages = self.context, self.presenter, self.actions.messages
        presenter.followed, presenter.leaving, presenter.entered = messages.look, messages.put_away, messages.take_up
        presenter.drawn = self.hints.look
        self.connecting.registered = self.actions.recovery.make_first
        later = context.reactor.callLater
        return Wiring(
            connect=self.connecting.connect,
            disconnect=self.connecting.disconnect,
            link=self.connecting.use_link,
            go=self.actions.rooms.go,
            room_menu=self.menus.room,
            member_menu=self.menus.member,
            chat=ChatActions(
                draw=presenter.line,
                copy=presenter.copied,
                open=messages.open_link,
                picture=Gallery(context.root, context.decoder, presenter.picture_come).image,
                menu=self.menus.message,
                act=self._act,
                older=lambda: later(0, presenter.older),
                more=presenter.chat.ask,
                newer=lambda: later(0, presenter.newer),
                arrived=presenter.seen.ask,
            ),
            send=self.writing.send,
            complete=self.writing.complete,
            gave_up=messages.give_up,
            pasted=self.writing.paste,
            attach=self.actions.files.choose,
            pasted_file=self.actions.files.paste,
            close=context.quit,
            seconds=context.reactor.seconds,
        )

    def _act(self, what: str) -> None:
        """A key or a place in the conversation stands for an action on the marked message."""
        if not self.actions.files.act(what):
            self.actions.messages.act(what)

    def begin(self) -> None:
        """The window is there: unlocks the profile, then connects or registers, or else says what to do."""
        self.unlocking.start()

    def _unlocked(self) -> None:
        arguments = self.context.arguments
        self.connecting.begin(arguments.link, offline=arguments.offline)
        self.presenter.chat.ask()

    def stop(self) -> "Deferred[None]":
        """Ends the connection; fires when the server was told."""
        self.context.layout.remember()
        self.presenter.stop()
        self._status.stop()
        self.actions.recovery.stop()
        self.connecting.arriving.leave()
        self.actions.files.stop()
        return self._irc.stop().addCallback(lambda _: self.context.session.close())

    # -- what the session tells ---------------------------------------------------------------------------------------

    def _on_event(self, event: ClientEvent) -> None:
        self._events.take(event)

    def _on_failed(self, error: Exception | None) -> None:
        self.connecting.failed(error)

    def _on_state(self) -> None:
        self._status.show_state()
        self._irc.look()


def _settings(profile: Profile, arguments: Arguments) -> WindowSettings:
    """What is remembered, but for what was asked for."""
    settings = load_settings(profile.directory)
    settings.theme = arguments.theme or settings.theme
    settings.scale = arguments.scale or settings.scale
    return settings
