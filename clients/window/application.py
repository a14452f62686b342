"""The window at work: one account, what happens to it, and what a person does."""

import tkinter as tk
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred

from chatserv.client import (
    Client,
    ClientEvent,
    DeviceSeen,
    IdentityChanged,
    MessageReceived,
    PresenceSeen,
    Profile,
    ReadMoved,
    RoomChanged,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomTitled,
    SendAcknowledged,
    SendFailed,
    SendQueued,
    StatusChanged,
    TypingSeen,
    place,
    shown,
    translate,
)
from clients.shared.event_text import news
from clients.shared.exit_codes import why_offline
from clients.shared.talk import Talk
from clients.window.actions.connecting import Connecting
from clients.window.actions.doing import Doing
from clients.window.actions.hints import Hints
from clients.window.actions.registry import PersonActions
from clients.window.actions.writing import Writing
from clients.window.arguments import Arguments
from clients.window.layout import Layout, Wiring
from clients.window.menus.menu_bar import Menus
from clients.window.presenter import Screen
from clients.window.session import Session, State
from clients.window.settings import load_settings
from clients.window.timeline.conversations import Conversations
from clients.window.timeline.entries import LOUD, NOTICE, RESULT
from clients.window.timeline.text_area import Actions

PASSING_SECONDS: Final = 5.0


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
        make_client: type[Client] = Client,
    ) -> None:
        self._reactor, self._arguments, self._attention, self._quit = reactor, arguments, attention, quit
        self.session = Session(
            reactor, profile, self._on_event, self._on_failed, self._on_state,
            no_tls=arguments.no_tls, make_client=make_client,
        )  # fmt: skip
        self.talk: Talk | None = None
        self._passing: Any = None
        self._greeted = False
        self.conversations = Conversations(now_ms, lambda: self.screen.us)
        self.screen = Screen(reactor, self.session, self.conversations, lambda: self.layout, lambda: self.talk)
        self.connecting = Connecting(self.session, lambda: self.layout, self.screen.follow)
        self.actions = PersonActions.of(
            Doing(self.session, self.screen, self.conversations, lambda: self.layout, lambda: self.talk)
        )
        messages = self.actions.messages
        self.screen.followed, self.screen.leaving, self.screen.entered = (
            messages.look,
            messages.put_away,
            messages.take_up,
        )
        self.hints = Hints(self.session, self.screen, self.actions, self.connecting, lambda: self.layout)
        self.screen.drawn = self.hints.look
        self.writing = Writing(self.actions, lambda text: self._say(text, LOUD))
        self.menus = Menus(self.actions, self.screen, self.connecting, lambda: self.layout, self._quit)
        settings = load_settings(profile.directory)
        settings.theme = arguments.theme or settings.theme
        settings.scale = arguments.scale or settings.scale
        self.layout = Layout(root, self._wiring(), settings, profile.directory)
        self.menus.build()
        root.bind("<FocusIn>", lambda _: self.screen.seen.ask())
        self._on_state()

    def _wiring(self) -> Wiring:
        return Wiring(
            connect=self.connecting.connect,
            disconnect=self.connecting.disconnect,
            link=self.connecting.use_link,
            go=self.actions.rooms.go,
            room_menu=self.menus.room,
            member_menu=self.menus.member,
            chat=Actions(
                draw=self.screen.line,
                copy=self.screen.copied,
                open=self.actions.messages.open_link,
                menu=self.menus.message,
                act=self.actions.messages.act,
                older=lambda: self._reactor.callLater(0, self.screen.older),
                more=self.screen.chat.ask,
                newer=lambda: self._reactor.callLater(0, self.screen.newer),
                arrived=lambda: self.screen.seen.ask(),  # noqa: PLW0108 - as above
                type_on=lambda text: self.layout.entry.type_on(text),  # noqa: PLW0108 - the layout comes later
            ),
            send=self.writing.send,
            complete=self.writing.complete,
            gave_up=self.actions.messages.give_up,
            several=self.writing.paste_several,
            close=self._quit,
            seconds=self._reactor.seconds,
        )

    def begin(self) -> None:
        """The window is there: connects where there is an account, registers where there is a link, else says what to do."""
        self.connecting.begin(self._arguments.link, offline=self._arguments.offline)
        self.screen.chat.ask()

    def stop(self) -> "Deferred[None]":
        """Ends the connection; fires when the server was told."""
        self.layout.remember()
        self.screen.stop()
        if self._passing is not None and self._passing.active():
            self._passing.cancel()
        return self.session.close()

    # -- what happens -------------------------------------------------------------------------------------------------

    def _on_state(self) -> None:
        state = self.session.state
        if state in {State.CONNECTING, State.OFF}:
            self._greeted = False
            self.talk = None if self.session.client is None else self._make_talk(self.session.client)
            self.actions.messages.look()
        if not hasattr(self, "layout"):
            return
        self.screen.follow()
        self.layout.bar.enable(connect=state is State.OFF, disconnect=state not in {State.OFF, State.STOPPING})
        self.layout.show_connection(on=state in {State.OFF, State.CONNECTING, State.STOPPING})
        self.layout.status.work(on=state in {State.CONNECTING, State.SYNCING})
        self.layout.status.say(self._state_text(state))
        self.screen.rooms.ask()
        self.screen.members.ask()

    def _make_talk(self, client: Client) -> Talk:
        """In the room that is on the screen, where there is one."""
        room = self.conversations.current or self._arguments.room
        return Talk(client, room, write=self._write, say=self._say, sent=_let_be, quit=self._quit)

    def _state_text(self, state: State) -> str:
        return {
            State.OFF: translate("Not connected."),
            State.CONNECTING: translate("Connecting..."),
            State.SYNCING: translate("Fetching what was said..."),
            State.ONLINE: translate("Connected as {name}.").format(name=shown(self.screen.us)),
            State.WAITING: translate("Connection lost. Trying again..."),
            State.STOPPING: translate("Disconnecting..."),
        }[state]

    def _on_failed(self, error: Exception | None) -> None:
        self.connecting.failed(error)

    def _on_event(self, event: ClientEvent) -> None:
        screen = self.screen
        match event:
            case StatusChanged(error=error):
                self._on_status(error)
                return
            case TypingSeen() | PresenceSeen():
                self._pass_by(event)
        self.conversations.take(event, waits=self._waits)
        screen.chat.ask()
        match event:
            case MessageReceived():
                self._received(event)
            case SendQueued() | SendAcknowledged() | SendFailed():
                screen.waiting_changed = True
            case RoomJoined() | RoomOffered():
                if isinstance(event, RoomOffered) and self.session.state is State.ONLINE:
                    self._attention(event)
                screen.rooms.ask()
                self._reactor.callLater(0, screen.follow)
            case RoomLeft() | RoomTitled():
                screen.rooms.ask()
                screen.members.ask()
                left = isinstance(event, RoomLeft) and event.by == screen.us
                self._reactor.callLater(0, self._go_home_if_left if left else screen.follow)
            case RoomChanged() | PresenceSeen() | ReadMoved() | IdentityChanged() | DeviceSeen():
                screen.members.ask()

    def _received(self, message: MessageReceived) -> None:
        here = message.room == self.conversations.current
        self.screen.rooms.ask()
        if here:
            self.screen.seen.ask()
            self.screen.waiting_changed = True  # what is on its way stands behind it
        wanted = message.mentioned or message.room.startswith("@")
        looked_at = here and self.layout.focused
        if wanted and not message.own and not looked_at and self.session.state is State.ONLINE:
            self._attention(message)

    def _waits(self, message_id: bytes) -> bool:
        client = self.session.client
        handles = [] if client is None else [self.screen.handle(room) for room in client.rooms]
        return any(each.message_id == message_id for one in handles if one is not None for each in one.waiting())

    def _on_status(self, error: Exception | None) -> None:
        state = self.session.state
        if state is State.WAITING:
            again = translate("Trying again...")
            self.layout.status.say(f"{why_offline(error, was_online=self.session.reached)} {again}")
        elif state is State.ONLINE:
            self.connecting.reached()
            self.screen.follow()
            self.screen.caught_up()
            if self._greeted:
                self._say(translate("Connected again."))
            else:
                self._greeted = True
                said = translate("Connected to {room} as {name}.")
                room = place(self.conversations.current)
                self._say(said.format(room=room, name=shown(self.screen.us)))
                self.layout.leave_bar()
        elif state is State.SYNCING:
            self.screen.follow()

    def _pass_by(self, event: ClientEvent) -> None:
        """Something that matters for a moment."""
        if isinstance(event, TypingSeen) and event.room == self.conversations.current:
            for line in news(event, lambda *_: None):
                self.layout.status.say(line)
            if self._passing is not None and self._passing.active():
                self._passing.cancel()
            self._passing = self._reactor.callLater(
                PASSING_SECONDS, lambda: self.layout.status.say(self._state_text(self.session.state))
            )

    def _go_home_if_left(self) -> None:
        """Whoever leaves a room goes home; who is put out stays, or a line in the making would be said somewhere else."""
        if self.session.running and self.talk is not None and self.screen.handle() is None:
            self.talk.slash.go_home()
        self.screen.follow()

    # -- what is said --------------------------------------------------------------------------------------------------

    def _write(self, line: str) -> None:
        self.screen.follow()
        self.conversations.say(line, RESULT)
        self.screen.chat.ask()

    def _say(self, line: str, style: str = NOTICE) -> None:
        self.conversations.say(line, style)
        self.screen.chat.ask()


def _let_be(stored: "Deferred[int]") -> None:
    """Events tell what becomes of a message."""
    stored.addErrback(lambda _: None)
