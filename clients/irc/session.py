"""One IRC client: what it has said of itself, its commands in order, and the one place where lines for it are made."""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chatserv.client import ChatError, Client, RoomHandle, Slash, explained, translate
from clients.irc.lines import Line, format_line
from clients.irc.names import SERVER, SERVICE_SOURCE, escaped, source_of
from clients.irc.refusals import as_seen, fail_code, numeric_for
from clients.irc.settings import IrcSettings
from clients.irc.surroundings import Account, Surroundings

log = Logger(namespace="chatserv.irc")
_TAG_CAPS: Final = {
    "time": "server-time",
    "batch": "batch",
    "label": "labeled-response",
    "account": "account-tag",
}  # all others: message-tags
_OWN_REPLIES: Final = {
    "BATCH": "draft/multiline",
    "CHATHISTORY": "draft/chathistory",
    "MARKREAD": "draft/read-marker",
    "REDACT": "draft/message-redaction",
}
"""What has FAIL in its own specification: who knows that knows FAIL. ``*`` is UTF8ONLY, which everybody is told."""
_UNSAFE: Final = str.maketrans(dict.fromkeys("\r\n\0", "\ufffd"))
_LEAST_SAFE: Final = "*"


class Session:
    """One of them.

    Args:
        around: What it has in common with others.
        send: Writes bytes.
        close: Ends the connection, when what was written is gone.
        ready: Told whether more commands may come.

    Attributes:
        account: Whose it is, once the password was right.
        caps: What the client has asked for.
        joined: The channels that it was told, by the room's id.
        own: Labels of messages of its own that were not told yet, by their id.
        watched: Accounts that it watches.
    """

    def __init__(
        self,
        around: Surroundings,
        send: Callable[[bytes], object],
        close: Callable[[], object],
        ready: Callable[[bool], object],
    ) -> None:
        self.around, self._send, self._close, self._ready = around, send, close, ready
        self.account: Account | None = None
        self.caps: set[str] = set()
        self.client_name = ""
        self.registered = self.over = self.away = False
        self.scratch: dict[str, str] = {}
        """What it has said so far to register, or for a login that takes several lines."""
        self.joined: dict[bytes, str] = {}
        self.topics: dict[bytes, str] = {}
        """The topic of each that it was told last."""
        self.ranks: dict[bytes, dict[str, str]] = {}
        """Who is in each, with the mode of their role, as it was told last: by room and user."""
        self.attached: dict[bytes, int] = {}
        """How far each room was when it came: what is not behind that is replayed."""
        self.own: OrderedDict[bytes, str] = OrderedDict()
        self.watched: set[str] = set()
        self.told_waiting = self.told_offline = False
        self.at_end: list[Callable[[], object]] = []
        self._queue: deque[Line] = deque()
        self._working = False
        self._collected: list[Line] | None = None
        self._batches = 0
        self._slash: Slash | None = None

    # -- who is there --------------------------------------------------------------------------------------------------

    @property
    def client(self) -> Client:
        """The account; there is one once the password was right."""
        assert self.account is not None
        return self.account.client

    @property
    def settings(self) -> IrcSettings:
        """What is kept of its IRC side."""
        assert self.account is not None
        return self.account.settings

    @property
    def nick(self) -> str:
        """The account's name; ``*`` before the client is registered."""
        return escaped(self.client.user) if self.registered else "*"

    @property
    def slash(self) -> Slash:
        """Carries out what is said to the service."""
        if self._slash is None:
            self._slash = Slash(self.client, quit=lambda: self.end("quit"))
        return self._slash

    def shows(self, handle: RoomHandle) -> bool:
        """Whether the client is shown a room."""
        return handle.direct or handle.room_id in self.joined

    # -- what comes in -------------------------------------------------------------------------------------------------

    def received(self, line: Line) -> None:
        """A command came; it is carried out behind those before it."""
        if self.over:
            return
        self._queue.append(line)
        if len(self._queue) >= self.around.bounds.queued:
            self._ready(False)
        if not self._working:
            Deferred.fromCoroutine(self._work()).addErrback(_failed)

    async def _work(self) -> None:
        self._working = True
        try:
            while self._queue and not self.over:
                line = self._queue.popleft()
                if len(self._queue) == self.around.bounds.queued - 1:
                    self._ready(True)
                await self._carry_out(line)
        finally:
            self._working = False

    async def _carry_out(self, line: Line) -> None:
        label = line.tags.get("label", "") if "labeled-response" in self.caps else ""
        self._collected = [] if label else None
        row = self.around.table.get(line.verb)
        try:
            if row is None:
                self.numeric("421", line.verb, translate("Unknown command"))
            elif not (self.registered or row.before):
                self.numeric("451", translate("Give the password first"))
            elif len(line.params) < row.least:
                self.numeric("461", line.verb, translate("Not enough parameters"))
            else:
                await row.handler(self, line)
        except ChatError as error:
            self.refuse(line.verb, line.param(0), await as_seen(self.client, line.param(0), error))
        except Exception:  # noqa: BLE001 - a bug in one command ends neither the client nor the program
            log.failure("{verb} failed", verb=line.verb)
            self.fail(line.verb, "INTERNAL_ERROR", translate("That went wrong inside this program."))
        finally:
            collected, self._collected = self._collected, None
            if collected is not None and label not in self.own.values():
                self._write_labelled(label, collected)

    def _write_labelled(self, label: str, lines: list[Line]) -> None:
        """The answer to a command that had a label: one line, or one batch, that has it too."""
        if not lines:
            lines = [self._line("ACK", (), SERVER, {})]
        whole = lines[0].verb == "BATCH" and lines[-1].params == (f"-{lines[0].param(0)[1:]}",)
        if len(lines) > 1 and not whole and "batch" in self.caps:
            reference = self.new_batch()
            inner = [replace(each, tags={"batch": reference, **each.tags}) for each in lines]
            lines = [
                self._line("BATCH", (f"+{reference}", "labeled-response"), SERVER, {}),
                *inner,
                self._line("BATCH", (f"-{reference}",), SERVER, {}),
            ]
        for at, each in enumerate(lines):
            self._put(each if at else replace(each, tags={"label": label, **each.tags}))

    # -- what goes out -------------------------------------------------------------------------------------------------

    def _line(self, verb: str, params: Sequence[str], source: str, tags: Mapping[str, str]) -> Line:
        *middle, last = params or ("",)
        words = [
            each if each and " " not in each and not each.startswith(":") else _LEAST_SAFE
            for each in (each.translate(_UNSAFE) for each in middle)
        ]
        allowed = {key: value for key, value in tags.items() if _TAG_CAPS.get(key, "message-tags") in self.caps}
        return Line(verb, (*words, last.translate(_UNSAFE)) if params else (), source, allowed)

    def tell(self, verb: str, *params: str, source: str = SERVER, tags: Mapping[str, str] | None = None) -> None:
        """Something that happened; no part of an answer."""
        self._put(self._line(verb, params, source, tags or {}))

    def answer(self, verb: str, *params: str, source: str = SERVER, tags: Mapping[str, str] | None = None) -> None:
        """Part of the answer to the command that is carried out now."""
        line = self._line(verb, params, source, tags or {})
        if self._collected is None:
            self._put(line)
        else:
            self._collected.append(line)

    def _put(self, line: Line) -> None:
        if not self.over:
            self._send(format_line(line))

    def numeric(self, code: str, *params: str) -> None:
        """A numeric for this client."""
        self.answer(code, self.nick, *params)

    def notice(self, text: str, target: str = "", source: str = SERVICE_SOURCE) -> None:
        """The service says something, to this client or into a channel. The text is clean."""
        self.tell("NOTICE", target or self.nick, text, source=source)

    def fail(self, verb: str, code: str, text: str, *about: str) -> None:
        """An error that has no numeric."""
        if "standard-replies" in self.caps or verb == "*" or _OWN_REPLIES.get(verb) in self.caps:
            self.answer("FAIL", verb, code, *about, text)
        else:
            self.answer("NOTICE", self.nick, f"{verb}: {text}")

    def refuse(self, verb: str, target: str, error: ChatError) -> None:
        """What a command was refused with; of NOTICE nothing is said, as the standard wants it."""
        code = numeric_for(error, target)
        if verb == "NOTICE":
            return
        if code is None:
            self.fail(verb, fail_code(error), explained(error), target)
        else:
            self.numeric(code, target, explained(error))

    def new_batch(self) -> str:
        """A reference that no other batch of this connection has."""
        self._batches += 1
        return f"b{self._batches}"

    def batch(
        self, kind: str, lines: Sequence[tuple[str, Sequence[str], str, Mapping[str, str]]], *params: str
    ) -> None:
        """Lines (verb, parameters, source, tags) as one batch of the answer, or one by one for who knows no batches."""
        if "batch" not in self.caps:
            for verb, given, source, tags in lines:
                self.answer(verb, *given, source=source, tags=tags)
            return
        reference = self.new_batch()
        self.answer("BATCH", f"+{reference}", kind, *params)
        for verb, given, source, tags in lines:
            self.answer(verb, *given, source=source, tags={"batch": reference, **tags})
        self.answer("BATCH", f"-{reference}")

    def mine(self, message_id: bytes, label: str) -> None:
        """A message of this client is under way."""
        self.own[message_id] = label
        while len(self.own) > self.around.bounds.own:
            self.own.popitem(last=False)

    # -- the end -------------------------------------------------------------------------------------------------------

    def end(self, why: str) -> None:
        """Says why, and closes."""
        if not self.over:
            self.tell("ERROR", why, source="")
            self.gone()
            self._close()

    def gone(self) -> None:
        """The connection is over."""
        self.over = True
        self._queue.clear()
        for each in self.at_end:
            each()
        self.at_end.clear()


def _failed(failure: Any) -> None:
    log.failure("session", failure)


def me(session: Session) -> str:
    """The source of what we do ourselves."""
    return source_of(session.client.user)
