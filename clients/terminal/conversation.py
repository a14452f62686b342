"""A person who talks on a terminal, in several rooms."""

import contextlib
from collections.abc import Callable
from typing import Any

from chatserv.client import Client, ClientEvent, Profile, RoomHandle, open_client, place, sender_name, shown, translate
from chatserv.client.errors import ChatError
from chatserv.client.events import (
    FileProgress,
    MessageReceived,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomRewound,
    RoomTitled,
    SendFailed,
    Status,
    StatusChanged,
)
from clients.shared.arguments import Arguments
from clients.shared.desktop import find_desktop
from clients.shared.exit_codes import DONE, INTERRUPTED, NOT_SENT, Exit, exit_for, trying_again
from clients.shared.notifications import Notifier
from clients.shared.own_text import OPEN_MATTERS, open_matters
from clients.shared.run import Run
from clients.shared.server_address import with_address
from clients.shared.showing import Showing
from clients.shared.talk import Talk
from clients.shared.transfers import Transfers
from clients.terminal.completion import candidates
from clients.terminal.news_filter import concerns
from clients.terminal.pending_lines import pending_lines
from clients.terminal.protocols import Screen
from clients.terminal.room_list import RoomList
from clients.terminal.scrollback import Scrollback
from clients.terminal.status_bar import bar
from clients.terminal.styled_lines import Line, news_line, output_line, told_line


class RoomTalk(Talk):
    """A talk whose screen shows a room as soon as a command has led there.

    Args:
        look: Sees whether the room is another one by now.
        given: What `Talk` takes.
        named: That too.
    """

    def __init__(self, look: Callable[[], bool], *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._look = look

    def answer(self, lines: list[str]) -> None:
        """Shows the answer; where it has led to another room, the room itself in place of the word about it."""
        gone = translate("You are now in {room}.").format(room=place(self.slash.room))
        before = lines[: lines.index(gone)] if gone in lines else []
        super().answer(before)
        if not self._look():
            super().answer(lines[len(before) :])


class Conversation(Run):
    """One run with a person.

    Args:
        reactor: The reactor.
        arguments: What was asked for.
        profile: Whose account it is.
        make_screen: Makes the screen, whose keys speak to us.
        make_client: Makes the client.
    """

    def __init__(
        self,
        reactor: Any,
        arguments: Arguments,
        profile: Profile,
        make_screen: "Callable[[Conversation], Screen]",
        make_client: Callable[..., Client] = open_client,
    ) -> None:
        client = make_client(profile, reactor, self._on_event, follow=True, plain=arguments.no_tls)
        super().__init__(reactor, client, reading=True)
        self._screen = make_screen(self)
        self._rooms, self._transfers = RoomList(), Transfers(reactor.seconds)
        self._showing = Showing(client, lambda: self._rooms.current, self._news, talking=True)
        self._scrollback = Scrollback(
            self._screen.write, self._showing.find, lambda function: reactor.callLater(0, function)
        )
        self._talk = RoomTalk(
            self._look, client, arguments.room,
            write=self._write, say=self.say, sent=self.sent, quit=self.quit, give_back=self._screen.give_back,
        )  # fmt: skip
        self._talk.slash.ask_secret = self._screen.ask_secret
        self._notices: list[Line] = []
        self._notifier = Notifier(reactor, arguments.notify, self._screen.bell, find_desktop(reactor))
        self._status: Status | None = None
        self._begun = False
        self._last_said = ""

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self, token: bytes | None) -> None:
        """Connects, shows the room that was asked for as this device knows it, and draws: in this order, as it may fail."""
        super().start(token)
        self._look()
        self.say(translate("Tab completes, Alt+1 to Alt+0 and Alt+A switch rooms, /help shows all commands."))
        self._screen.start()

    async def end(self) -> None:
        """Gives the terminal back."""
        self._notifier.stop()
        self._scrollback.stop()
        await self._screen.leave()

    def say(self, line: str) -> None:
        """News."""
        self._screen.write(news_line(line))

    def _write(self, line: str) -> None:
        self._screen.write(output_line(line))

    def _news(self, line: str) -> None:
        self._screen.write(told_line(line))

    # -- rooms ---------------------------------------------------------------------------------------------------------

    def _look(self) -> bool:
        """Sees which rooms there are, and enters the one where commands have led; says whether it did.

        Who is put out of a room stands in none: a line that is typed in this moment goes nowhere, until a person has chosen.
        """
        handles = {handle.name: handle for handle in self._talk.slash.handles() if not handle.offered}
        before = {place_.name for place_ in self._rooms.places}
        self._rooms.update(handles)
        for name in handles.keys() - before:
            self._rooms.count(name, handles[name].unread)
        wanted = self._talk.slash.room
        entering = wanted in handles and wanted != self._rooms.current
        if entering:
            self._enter(handles[wanted])
        elif wanted not in handles:
            self._rooms.current = ""
        self._screen.refresh()
        return entering

    def _enter(self, handle: RoomHandle) -> None:
        self._rooms.enter(handle.name)
        self._screen.enter(handle)
        self._scrollback.enter(handle)

    def _here(self) -> RoomHandle | None:
        try:
            return self._talk.slash.here() if self._rooms.current else None
        except ChatError:
            return None

    def room_wanted(self, number: int) -> None:
        """Alt with a digit."""
        name = self._rooms.at(number)
        if name is not None and not self.done.called:
            self._go(name)

    def active_room_wanted(self) -> None:
        """Alt-A."""
        name = self._rooms.next_active()
        if name is not None and not self.done.called:
            self._go(name)

    def _go(self, name: str) -> None:
        with contextlib.suppress(ChatError):  # gone in this moment
            self._talk.go(self._talk.slash.room_named(name))
        self._look()

    @property
    def switching(self) -> bool:
        """Whether a command is under way that may lead to another room."""
        return self._talk.waits

    # -- keys ----------------------------------------------------------------------------------------------------------

    def line_typed(self, line: str) -> None:
        """Return."""
        if not self.done.called:
            self._talk.line_typed(line)

    def leave(self) -> None:
        """Ctrl-D."""
        if not self.done.called:
            self.quit()

    def interrupted(self) -> None:
        """Ctrl-C on an empty line, twice."""
        self.finish(Exit(INTERRUPTED))

    def broken(self, error: BaseException | None) -> None:
        """The terminal is gone."""
        said = translate("The terminal cannot be used: {error}").format(error=repr(error))
        self.finish(Exit(DONE) if isinstance(error, EOFError) else Exit(NOT_SENT, said))

    # -- what stands around the prompt ---------------------------------------------------------------------------------

    def prompt(self) -> Line:
        """The room where a line goes."""
        return [("class:prompt", f"{place(self._talk.slash.room)}> ")]

    def bar(self, width: int) -> Line:
        """Who we are, the connection, the rooms."""
        return bar(self._rooms, self._client.user, self._status, width)

    def waiting(self) -> list[Line]:
        """Messages of ours on their way to this room, and files in both directions."""
        handle = None if self.done.called else self._here()
        return [] if handle is None else pending_lines(handle, self._client.user, self._transfers)

    def notices(self) -> list[Line]:
        """New devices that wait, and an identity key that has to be renewed."""
        return self._notices

    def candidates(self, line: str) -> tuple[int, list[str]]:
        """What the line may become."""
        return (0, []) if self.done.called else candidates(line, self._talk.slash)

    # -- events --------------------------------------------------------------------------------------------------------

    def _on_event(self, event: ClientEvent) -> None:
        if self.done.called:
            return
        match event:
            case MessageReceived():
                self._message(event)
            case StatusChanged(status, error):
                self._on_status(status, error)
            case FileProgress():
                self._transfers.take(event)
            case RoomTitled(room=room, before=before):
                self._rooms.rename(before, room)
            case RoomOffered():
                self._notifier.tell(event)
            case RoomRewound(room=room, head=head) if room == self._rooms.current:
                self._scrollback.rewound(head)
        if concerns(event, self._rooms.current) and not self._stands_there(event):
            self._showing.news(event)
        if isinstance(event, RoomJoined | RoomLeft | RoomTitled | StatusChanged):
            self._look()
        if isinstance(event, OPEN_MATTERS):
            self._notices = [[("class:question", each)] for each in open_matters(self._client)]
        self._screen.refresh()

    def _stands_there(self, event: ClientEvent) -> bool:
        """Whether a message that failed is seen above the prompt, with the reason."""
        handle = self._here()
        if handle is None or not isinstance(event, SendFailed):
            return False
        return any(each.message_id == event.message_id for each in handle.waiting())

    def _message(self, message: MessageReceived) -> None:
        wanted = not message.own and (message.mentioned or message.room.startswith("@"))
        if message.room == self._rooms.current:
            self._scrollback.message(message, missed=self._status is not Status.ONLINE)
        elif not message.own and self._rooms.arrived(message.room, mentioned=message.mentioned):
            self._tell(message)
        if wanted:
            self._notifier.tell(message)

    def _tell(self, message: MessageReceived) -> None:
        said = translate("{user} sent you a message: {key}")
        if not message.room.startswith("@"):
            said = translate("{user} mentioned you in {room}: {key}")
        number = self._rooms.number(message.room) or 0
        key = f"Alt+{number % 10}" if 1 <= number <= 10 else "Alt+A"
        self.say(said.format(user=sender_name(message), room=place(message.room), key=key))

    def _on_status(self, status: Status, error: Exception | None) -> None:
        self._status = status
        match status:
            case Status.ONLINE:
                self._greet()
            case Status.FAILED:
                self.finish(exit_for(error))
            case Status.OFFLINE:
                self._scrollback.parted()
                said = trying_again(error, was_online=self._begun)
                if said != self._last_said:  # once, however often it is tried
                    self.say(said)
                self._last_said = said

    def _greet(self) -> None:
        said = translate("Connected again.")
        if not self._begun:
            said = translate("Connected as {name}.").format(name=shown(self._client.user))
        self.say(with_address(said, self._client))
        self._begun, self._last_said = True, ""
