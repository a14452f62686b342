"""``chatserv-client``: lines of standard input go to a room, messages of the room come out.

Three ways to run it, all on Twisted's stdio: a person on a terminal, ``--send`` and ``--follow`` on pipes, and ``--invite``.
"""

import os
import sys
from typing import Any

from twisted.internet import stdio
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.failure import Failure

from chatserv.client import (
    ChatError,
    Client,
    ClientEvent,
    GapSeen,
    MessageReceived,
    Profile,
    RoomRewound,
    SendFailed,
    Status,
    StatusChanged,
    clean_line,
    format_link,
    room_name,
    translate,
)
from clients.arguments import Arguments, parse_arguments
from clients.exits import DONE, INTERRUPTED, NOT_SENT, REFUSED, Exit, exit_for, why_offline
from clients.lines import as_json, readable
from clients.registering import open_account
from clients.typing_in import Lines

PAUSE_ABOVE = 1000  # unacknowledged lines; standard input waits meanwhile
RESUME_BELOW = 500


class Program:
    """One run of the program.

    Args:
        reactor: The reactor.
        arguments: What was asked for.
        profile: Whose account it is.
    """

    def __init__(self, reactor: Any, arguments: Arguments, profile: Profile) -> None:
        self._reactor, self._arguments = reactor, arguments
        self._talking = arguments.interactive
        self._following = arguments.follow or self._talking
        self._room = room_name(arguments.room)
        self._client = Client(profile, reactor, self._on_event, follow=self._following, plain=arguments.plain)
        self._lines = Lines(self)
        self._stdio: Any = None
        self._reading = self._talking or not (arguments.follow or arguments.invite) or arguments.send
        self._input_over = not self._reading
        self._shown = 0
        self._patience: Any = None
        self._paused = False
        self._trouble: Exception | None = None
        self.done: Deferred[Exit] = Deferred()

    def start(self, token: bytes | None) -> None:
        """Connects; input is read once the first connection is up."""
        self._patience = self._reactor.callLater(self._arguments.timeout_seconds, self._give_up)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._interrupted)
        self._client.start(token)

    def _interrupted(self) -> "Deferred[None]":
        """Ctrl-C or SIGTERM, or the end: says goodbye to the server first."""
        stopping = self._client.stop()
        self.finish(Exit(INTERRUPTED))
        return stopping

    async def run(self, token: bytes | None) -> int:
        """Until everything is done. Returns the exit code."""
        self.start(token)
        end = await self.done
        if self._patience.active():
            self._patience.cancel()
        await self._client.stop()
        if end.message:
            print(clean_line(end.message), file=sys.stderr, flush=True)
        return end.code

    def finish(self, end: Exit) -> None:
        """Ends the run; the first call counts."""
        if not self.done.called:
            self.done.callback(end)

    # -- input ----------------------------------------------------------------------------------------------------------

    def line_typed(self, line: str) -> None:
        """A line to send; empty ones are not sent. In a talk, a line that begins with ``/`` is an order to the program."""
        if not line.strip() or self.done.called:
            return
        if self._talking and line.startswith("/"):
            if not line.startswith("//"):
                self._obey(line.strip())
                return
            line = line[1:]
        try:
            self._client.send(self._room, line).addBoth(self._answered)
        except ChatError as error:
            self._not_sent(error)
        if self._client.unacknowledged > PAUSE_ABOVE and not self._paused:
            self._paused = True
            self._lines.pauseProducing()

    def _obey(self, order: str) -> None:
        match order:
            case "/quit" | "/exit":
                self._quit()
            case "/help":
                self._say(translate("A line goes to the room when you press Return. /quit leaves, //text sends /text."))
            case _:
                self._say(translate("There is no {order} here; /help tells what there is.").format(order=order))

    def _quit(self) -> None:
        """Waits for the lines that are under way; a second ``/quit`` does not."""
        if self._input_over and self._client.unacknowledged:
            text = translate("Lines that are not stored: {count}.").format(count=self._client.unacknowledged)
            self.finish(Exit(NOT_SENT, text))
            return
        self.input_ended()
        if not self.done.called:
            text = translate("Lines that wait for the server: {count}. /quit once more leaves without them.")
            self._say(text.format(count=self._client.unacknowledged))

    def _not_sent(self, error: ChatError) -> None:
        """A script ends here; a person is told and goes on."""
        if self._talking:
            self._say(f"{translate('Not sent:')} {error.explain()}")
        else:
            self.finish(Exit(NOT_SENT, error.explain()))

    def input_ended(self) -> None:
        """No more lines will come."""
        self._input_over = True
        self._check_done()

    def _answered(self, result: Any) -> None:  # noqa: ARG002 - failures are shown by SendFailed
        if self._paused and self._client.unacknowledged < RESUME_BELOW:
            self._paused = False
            self._lines.resumeProducing()
        self._check_done()

    def _check_done(self) -> None:
        count = self._arguments.count
        counted = not self._arguments.follow or (count is not None and self._shown >= count)
        if self._input_over and self._client.unacknowledged == 0 and counted and not self._arguments.invite:
            self.finish(Exit(DONE))

    # -- events ---------------------------------------------------------------------------------------------------------

    def _on_event(self, event: ClientEvent) -> None:
        match event:
            case MessageReceived():
                self._show(event)
            case RoomRewound(room, _, _):
                text = translate("the server has lost messages that were here; what is left may be shown again")
                self._say(f"#{room}: {text}")
            case GapSeen(room, first, last):
                text = translate("{count} messages are missing here: the server lost or withheld them.")
                self._say(f"#{room}: {text.format(count=last - first + 1)}")
            case SendFailed(_, error):
                self._not_sent(error)
            case StatusChanged(status, error):
                self._on_status(status, error)

    def _show(self, message: MessageReceived) -> None:
        if message.room != self._room or self.done.called:
            return
        if message.own and self._talking:
            return
        self._print(as_json(message) if self._arguments.json else readable(message))
        self._shown += 1
        self._check_done()

    def _on_status(self, status: Status, error: Exception | None) -> None:
        match status:
            case Status.ONLINE:
                if self._patience.active():
                    self._patience.cancel()
                self._trouble = None
                self._on_online()
            case Status.FAILED:
                self.finish(exit_for(error))
            case Status.OFFLINE:
                self._trouble = error or self._trouble
                self._say(f"{why_offline(error, was_online=self._stdio is not None)} {translate('Trying again...')}")
                if not self._patience.active():
                    self._patience = self._reactor.callLater(self._arguments.timeout_seconds, self._give_up)

    def _on_online(self) -> None:
        if self._room not in self._client.rooms and not self._arguments.invite:
            text = translate("There is no room #{room} here that you are a member of.")
            self.finish(Exit(NOT_SENT if self._reading else REFUSED, text.format(room=self._room)))
        elif self._arguments.invite:
            Deferred.fromCoroutine(self._invite()).addErrback(self._refused)
        elif self._stdio is None:
            name = self._client.keyring.user
            self._say(translate("Connected to #{room} as {name}.").format(room=self._room, name=name))
            if self._reading:
                self._stdio = stdio.StandardIO(self._lines)
                # Twisted makes both non-blocking, and a `print` into a full pipe would fail; it only reads when there is
                # something, and writes nothing itself.
                for stream in (sys.stdin, sys.stdout):
                    os.set_blocking(stream.fileno(), True)
        else:
            self._say(translate("Connected again."))

    async def _invite(self) -> None:
        link = await self._client.make_invite(self._arguments.invite_name, admin=self._arguments.invite_admin)
        self._print(format_link(link))
        self.finish(Exit(DONE))

    def _refused(self, failure: Failure) -> None:
        error = failure.value
        self.finish(exit_for(error if isinstance(error, Exception) else None))

    def _give_up(self) -> None:
        if not self._talking:
            self.finish(exit_for(self._trouble))

    # -- output ---------------------------------------------------------------------------------------------------------

    def _print(self, line: str) -> None:
        try:
            print(line, flush=True)
        except BrokenPipeError:
            # What is left in the buffer must not fail once more when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self.finish(Exit(DONE))

    def _say(self, text: str) -> None:
        """News about the connection: for people only, beside the messages."""
        if self._talking:
            self._print(f"-- {clean_line(text)}")


async def run(reactor: Any, arguments: Arguments) -> None:
    """Registers where needed, then runs. Raises `SystemExit` with the exit code."""
    try:
        profile = Profile.named(arguments.profile)
        token = await open_account(arguments, profile)
        code = await Program(reactor, arguments, profile).run(token)
    except ChatError as error:
        end = exit_for(error)
    except Exit as end_:
        end = end_
    except KeyboardInterrupt:
        print(file=sys.stderr)  # ends the line of the question
        end = Exit(INTERRUPTED, translate("Interrupted."))
    else:
        raise SystemExit(code)
    print(clean_line(end.message), file=sys.stderr, flush=True)
    raise SystemExit(end.code)


def main() -> None:
    """The console script."""
    arguments = parse_arguments(sys.argv[1:])
    react(lambda reactor: Deferred.fromCoroutine(run(reactor, arguments)))


if __name__ == "__main__":
    main()
