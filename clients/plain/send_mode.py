"""``--send``, or a pipe: lines of standard input go to one room, and all of them are stored, or the run fails."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatserv.client import ClientEvent, explained, translate
from chatserv.client.errors import ChatError, LocalFileError
from chatserv.client.events import SendAcknowledged, SendFailed, SendHeld
from clients.plain.script import RoomScript
from clients.shared.exit_codes import NOT_SENT, Exit, exit_for
from clients.shared.trouble_text import held_text


class SendMode(RoomScript):
    """Sends lines. One that our own disk does not take waits, and what follows with it, until the disk does."""

    reads = True
    _kept: str | None = None  # the line that waits for the disk

    @property
    def _sending(self) -> bool:
        return True

    # -- lines ---------------------------------------------------------------------------------------------------------

    def line_refused(self, why: str) -> None:
        """It ends the run."""
        self.finish(Exit(NOT_SENT, f"{why} {translate('Nothing after it was sent.')}"))

    def _take(self, line: str) -> None:
        """Sends a line, or ends the run where it cannot be sent."""
        handle = self._wanted.find()
        if handle is None:
            self.finish(self._no_room())
            return
        try:
            self.sent(handle.send(line))
        except LocalFileError as error:
            if not error.retryable:
                self.finish(exit_for(error))
                return
            self._kept, self._trouble = line, error
            self._lines.hold()
            self._patience.begin()
        except ChatError as error:
            self.finish(Exit(NOT_SENT, explained(error), clean=True))

    def _regulate(self) -> None:
        if self._kept is None:
            super()._regulate()

    def _found(self, *, first: bool) -> None:
        if first or not self._client.unacknowledged:
            super()._found(first=first)
        self._wait_for_answers()
        line, self._kept = self._kept, None
        if line is not None:  # the disk may take it now
            self._take(line)
            self._regulate()
        self._lines.begin()

    # -- answers -------------------------------------------------------------------------------------------------------

    def sent(self, stored: "Deferred[int]") -> None:
        """A message is under way."""
        super().sent(stored)
        self._wait_for_answers()

    def _answered(self, result: Any) -> None:
        """A line is stored, or will not be; what other programs have sent is theirs."""
        if isinstance(result, Failure) and isinstance(result.value, ChatError):
            self.finish(Exit(NOT_SENT, explained(result.value), clean=True))
        super()._answered(result)

    def _wait_for_answers(self) -> None:
        """What was taken in has to be stored in time, whatever keeps it from that; each answer begins the time anew."""
        if self._client.unacknowledged:
            self._patience.begin()

    def _look_whether_done(self) -> None:
        if not self.done.called:
            self.check_done()

    def check_done(self) -> None:
        """Ends the run where nothing is left to send."""
        if self._kept is None:
            super().check_done()

    def _happened(self, event: ClientEvent) -> None:
        match event:
            case SendAcknowledged() | SendFailed():  # also of what was there before us
                if isinstance(event, SendAcknowledged):
                    self._patience.end()
                    self._wait_for_answers()
                self._reactor.callLater(0, self._look_whether_done)
            case SendHeld(room, users):
                if room == self._wanted.name:
                    self.finish(Exit(NOT_SENT, held_text(users), clean=True))
            case _:
                super()._happened(event)

    def _give_up(self) -> None:
        if not self._connected or isinstance(self._trouble, LocalFileError) or self._wanted.find() is None:
            super()._give_up()
            return
        text = translate("Not stored within {seconds} s. Lines discarded: {count}.")
        seconds, count = round(self._arguments.timeout_seconds), self._client.unacknowledged
        why = "" if self._client.refusal is None else f" {explained(self._client.refusal)}"
        self.finish(Exit(NOT_SENT, text.format(seconds=seconds, count=count) + why, clean=True))
