"""One run of ``chatserv-client``: a person who talks, ``--send``, ``--follow``, ``--command`` or ``--invite``."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatserv.client import (
    ChatError,
    Client,
    ClientEvent,
    LocalFileError,
    MessageReceived,
    Profile,
    RoomJoined,
    RoomOffered,
    RoomTitled,
    SendAcknowledged,
    SendFailed,
    SendHeld,
    Status,
    StatusChanged,
    explained,
    format_link,
    place,
    translate,
)
from clients.plain.commands import Orders
from clients.plain.patience import Patience
from clients.plain.sending import Sending
from clients.plain.warnings import Warnings
from clients.shared.arguments import Arguments
from clients.shared.event_text import held_text
from clients.shared.exit_codes import DONE, INTERRUPTED, NOT_SENT, REFUSED, SERVER_AWAY, Exit, exit_for, why_offline
from clients.shared.line_queue import Lines
from clients.shared.notifications import NONE
from clients.shared.printing import Printing
from clients.shared.run import Life
from clients.shared.showing import Showing
from clients.shared.talk import Talk
from clients.shared.wanted_room import WantedRoom


class Program(Life):
    """One run of the program.

    Args:
        reactor: The reactor.
        arguments: What was asked for.
        profile: Whose account it is.
        make_client: Makes the client.
    """

    def __init__(
        self, reactor: Any, arguments: Arguments, profile: Profile, make_client: type[Client] = Client
    ) -> None:
        self._arguments = arguments
        talking = self._talking = arguments.interactive
        self._following = arguments.follow or talking
        self._reading = arguments.reading
        client = make_client(profile, reactor, self._on_event, follow=self._following, plain=arguments.no_tls)
        super().__init__(reactor, client, reading=self._reading)
        printing = Printing(self.finish)
        self._print = printing.line
        rings = talking and printing.terminal and arguments.notify != NONE
        self._showing = Showing(
            self._client, self._room_name, self._print, talking=talking, json=arguments.json, bell=rings
        )
        self._talk = Talk(
            self._client, arguments.room, write=self._print, say=self._showing.say, sent=self.sent, quit=self.quit,
            codes=False,
        )  # fmt: skip
        self._orders = Orders(
            self._client, arguments.room, reactor, arguments.timeout_seconds, write=self._print, finish=self.finish
        )
        self._wanted = WantedRoom(self._client, arguments.room)
        self._lines = Lines(self)
        self._sending = Sending(self._client, self._wanted, self._lines, self, self._stumbled)
        self._warnings = Warnings(self._client, self._room_name)
        self._connected = self._begun = False
        self._shown = 0
        self._patience = Patience(reactor, arguments.timeout_seconds, self._give_up)
        self._trouble: Exception | None = None

    def start(self, token: bytes | None) -> None:
        """Connects; input is read once the first connection is up."""
        self._patience.begin()
        super().start(token)

    async def end(self) -> None:
        """Nothing is waited for any more."""
        self._patience.end()
        self._orders.stop()

    def finish(self, end: Exit) -> None:
        """Ends the run; the first call counts. What a script could not send does not go out behind its back later."""
        sending = (self._reading and not self._talking) or self._orders.sending
        if end.code == SERVER_AWAY and isinstance(self._trouble, LocalFileError):
            end = exit_for(self._trouble)
        if not self.done.called and sending and end.code not in {DONE, INTERRUPTED}:
            end = self._sending.give_up(end)
        super().finish(end)

    def say(self, line: str) -> None:
        """News for a person."""
        self._showing.say(line)

    # -- patience ------------------------------------------------------------------------------------------------------

    @property
    def _waits_for_answers(self) -> bool:
        return self._reading and not self._talking

    def _wait_for_answers(self) -> None:
        """What was taken in has to be stored in time, whatever keeps it from that; each answer begins the time anew."""
        if self._waits_for_answers and self._client.unacknowledged:
            self._patience.begin()

    def _give_up(self) -> None:
        if self._talking:
            return
        if not self._connected or isinstance(self._trouble, LocalFileError):
            self.finish(exit_for(self._trouble))
        elif self._wanted.find() is None:
            self.finish(self._no_room())
        else:
            text = translate("Not stored within {seconds} s. Lines that were given up: {count}.")
            seconds, count = round(self._arguments.timeout_seconds), self._client.unacknowledged
            why = "" if self._client.refusal is None else f" {explained(self._client.refusal)}"
            self.finish(Exit(NOT_SENT, text.format(seconds=seconds, count=count) + why, clean=True))

    # -- the room ------------------------------------------------------------------------------------------------------

    def _room_name(self) -> str:
        return self._talk.slash.room if self._talking else self._wanted.name

    def _no_room(self) -> Exit:
        return Exit(NOT_SENT if self._reading else REFUSED, self._wanted.missing(), clean=True)

    # -- input ---------------------------------------------------------------------------------------------------------

    def line_typed(self, line: str) -> None:
        """A line to send; empty ones are not sent. In a talk, a line that begins with ``/`` is a command."""
        if not line.strip() or self.done.called:
            return
        if self._talking:
            self._talk.line_typed(line)
        else:
            self._sending.send(line)
        self._sending.regulate()

    def line_refused(self, why: str) -> None:
        """A line that cannot be taken: a person is told, a script is ended."""
        if self._talking:
            self._showing.say(why)
        else:
            self.finish(Exit(NOT_SENT, f"{why} {translate('Nothing behind it was sent.')}"))

    def sent(self, stored: "Deferred[int]") -> None:
        """A message is under way."""
        super().sent(stored)
        self._wait_for_answers()

    def _stumbled(self, error: LocalFileError) -> None:
        self._trouble = error
        self._patience.begin()

    def _answered(self, result: Any) -> None:
        if not self.done.called:
            self._sending.regulate()
        super()._answered(result)

    def check_done(self) -> None:
        """Ends the run where nothing is left to send, to show or to do."""
        count = self._arguments.count
        counted = not self._arguments.follow or (count is not None and self._shown >= count)
        sent = not self._sending.waits
        if counted and sent and not self._arguments.invite and not self._arguments.commands:
            super().check_done()

    # -- events --------------------------------------------------------------------------------------------------------

    def _on_event(self, event: ClientEvent) -> None:
        match event:
            case MessageReceived():
                self._show(event)
            case StatusChanged(status, error):
                self._on_status(status, error)
            case SendAcknowledged() | SendFailed() if self._arguments.commands:
                self._orders.settled()
            case SendAcknowledged() if self._waits_for_answers:
                self._patience.end()
                self._wait_for_answers()
            case SendFailed(error=error) if self._reading and not self._talking:
                self.finish(Exit(NOT_SENT, explained(error), clean=True))
            case SendHeld(room, users) if not self._talking:
                self._held(room, users)
            case RoomOffered(room=room) if self._arguments.accept_invites:
                self._reactor.callLater(0, self._accept, room)
            case RoomJoined() | RoomTitled() if not self._talking:
                self._look_for_room()
            case _ if not self._talking:
                self._look_out(event)
            case _:
                self._showing.news(event)

    def _look_out(self, event: ClientEvent) -> None:
        end = self._warnings.look(event)
        if end is not None and (self._following or self._reading):
            self._reactor.callLater(0, self.finish, end)  # the library is in the middle of something

    def _show(self, message: MessageReceived) -> None:
        if self._following and not self.done.called and self._showing.message(message):
            self._shown += 1
            self.check_done()

    def _held(self, room: str, users: tuple[str, ...]) -> None:
        if self._arguments.commands:
            self._orders.held(room, users)
        elif self._reading and room == self._room_name():
            self.finish(Exit(NOT_SENT, held_text(users), clean=True))

    def _accept(self, room: str) -> None:
        try:
            handle = self._client.room(room)
            kept = handle.accept() if handle.offered else []
        except ChatError:
            return  # gone already
        for message in kept:
            self._show(message)
        self._look_for_room()

    def _on_status(self, status: Status, error: Exception | None) -> None:
        match status:
            case Status.ONLINE:
                self._trouble = None
                self._on_online()
            case Status.FAILED:
                self.finish(exit_for(error))
            case Status.OFFLINE:
                self._connected = False
                self._trouble = error or self._trouble
                again = translate("Trying again...")
                self._showing.say(f"{why_offline(error, was_online=self._begun)} {again}")
                self._patience.begin()

    def _on_online(self) -> None:
        first, self._begun, self._connected = not self._begun, True, True
        if self._arguments.accept_invites:
            for room in self._client.rooms:
                self._accept(room)
        if self._arguments.invite or self._arguments.commands:
            self._patience.end()
            if first:
                work = self._invite() if self._arguments.invite else self._orders.run(self._arguments.commands)
                Deferred.fromCoroutine(work).addErrback(self._refused)
        elif self._talking:
            self._patience.end()
            self._greet(first=first)
        else:
            self._look_for_room(first=first)

    def _look_for_room(self, *, first: bool = False) -> None:
        """Whoever sends needs the room now; whoever follows waits for it a while."""
        if not self._connected or self._arguments.invite or self._arguments.commands:
            return
        if self._wanted.find() is not None:
            if first or not (self._waits_for_answers and self._client.unacknowledged):
                self._patience.end()
            self._wait_for_answers()
            if self._reading:
                self._sending.again()
                self._lines.begin()
        elif self._reading:
            self.finish(self._no_room())

    def _greet(self, *, first: bool) -> None:
        handle = self._wanted.find()
        if not first:
            said = translate("Connected again.")
        elif handle is None:
            said = self._wanted.missing()
        else:
            said = translate("Connected to {room} as {name}.")
            said = said.format(room=place(handle.name), name=self._client.keyring.user)
        self._showing.say(said)
        self._lines.begin()

    async def _invite(self) -> None:
        link = await self._client.admin.make_invite(self._arguments.invite_name, admin=self._arguments.invite_admin)
        self._print(format_link(link))
        self.finish(Exit(DONE))

    def _refused(self, failure: Failure) -> None:
        self.finish(exit_for(failure.value if isinstance(failure.value, Exception) else None))
