"""Commands about what was said before: CHATHISTORY, SEARCH, MARKREAD."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from chatserv.client import ChatError, MessageReceived, NotMember, RoomHandle, explained, translate
from chatserv.client.errors import NotFound
from clients.irc.channels import place_of, tell_marker
from clients.irc.lines import Line, parse_tags
from clients.irc.names import SERVER
from clients.irc.replay import replayed
from clients.irc.session import Session
from clients.irc.talk import message_id, our_room
from clients.irc.words import Words, time_tag

LEAST: Final = {"LATEST": 4, "BEFORE": 4, "AFTER": 4, "AROUND": 4, "BETWEEN": 5, "TARGETS": 4}


class _Misused(Exception):
    """A question that makes no sense."""


def moment_ms(text: str) -> int | None:
    """The milliseconds of a ``timestamp=`` as IRC writes it."""
    try:
        at = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        return None
    return int(at.replace(tzinfo=UTC).timestamp() * 1000)


def _place(handle: RoomHandle, selector: str, *, behind: bool) -> int:
    """The place that a selector means: what is before it, or behind it, is asked for. Raises `NotFound` or `_Misused`."""
    kind, _, value = selector.partition("=")
    if kind == "msgid":
        about = message_id(value)
        if about is None:
            raise NotFound("message")
        return handle.find(about).seq
    at_ms = moment_ms(value) if kind == "timestamp" else None
    if at_ms is None:
        raise _Misused
    later = handle.history(1, since_ms=at_ms + behind)
    if not later:
        return handle.position + 1 - behind
    return later[0].seq - behind


def _messages(handle: RoomHandle, kind: str, params: Sequence[str], limit: int) -> list[MessageReceived]:
    match kind:
        case "LATEST" if params[0] == "*":
            return handle.history(limit)
        case "LATEST":
            place = _place(handle, params[0], behind=True)
            return [each for each in handle.history(limit) if each.seq > place]
        case "BEFORE":
            return handle.history(limit, before=_place(handle, params[0], behind=False))
        case "AFTER":
            return handle.history(limit, after=_place(handle, params[0], behind=True))
        case "AROUND":
            return handle.history(limit, around=_place(handle, params[0], behind=False))
        case _:
            return _between(handle, params, limit)


def _between(handle: RoomHandle, params: Sequence[str], limit: int) -> list[MessageReceived]:
    """From the first selector towards the second one, neither included."""
    first, second = _place(handle, params[0], behind=True), _place(handle, params[1], behind=True)
    if first <= second:
        second = _place(handle, params[1], behind=False)
        return [each for each in handle.history(limit, after=first) if each.seq < second]
    first = _place(handle, params[0], behind=False)
    return [each for each in handle.history(limit, before=first) if each.seq > second]


def _limit(session: Session, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text)):
        raise _Misused
    return min(int(text), session.around.bounds.page)


async def chathistory(session: Session, line: Line) -> None:
    """CHATHISTORY: what this device keeps."""
    kind = line.param(0).upper()
    if kind not in LEAST or len(line.params) < LEAST[kind]:
        code = "INVALID_PARAMS" if kind in LEAST else "UNKNOWN_COMMAND"
        session.fail("CHATHISTORY", code, translate("That is no question for history"), kind)
        return
    try:
        limit = _limit(session, line.params[LEAST[kind] - 1])
        if kind == "TARGETS":
            _tell_targets(session, line, limit)
            return
        handle = our_room(session, line.param(1))
        found = _messages(handle, kind, line.params[2:], limit)
    except _Misused:
        session.fail("CHATHISTORY", "INVALID_PARAMS", translate("That is no question for history"), kind)
    except NotMember as error:
        session.fail("CHATHISTORY", "INVALID_TARGET", explained(error), kind, line.param(1))
    except ChatError as error:
        code = "INVALID_TARGET" if isinstance(error, NotFound) and "=" not in line.param(2) else "MESSAGE_ERROR"
        session.fail("CHATHISTORY", code, explained(error), kind, line.param(1))
    else:
        words = [each for message in found for each in replayed(session, message, handle)]
        session.batch("chathistory", words, line.param(1) if handle.direct else place_of(session, handle))


def _tell_targets(session: Session, line: Line, limit: int) -> None:
    """Rooms by the time of the newest message, where that is between two moments."""
    moments = [moment_ms(each.removeprefix("timestamp=")) for each in line.params[1:3]]
    if moments[0] is None or moments[1] is None:
        raise _Misused
    low, high = sorted((moments[0], moments[1]))
    found: list[tuple[int, str]] = []
    for handle in session.client.handles():
        last = [] if handle.offered else handle.history(1)
        if last and low < last[0].at_ms < high:
            found.append((last[0].at_ms, place_of(session, handle)))
    rows: list[Words] = [
        ("CHATHISTORY", ("TARGETS", name, time_tag(at_ms)), SERVER, {}) for at_ms, name in sorted(found)[:limit]
    ]
    session.batch("draft/chathistory-targets", rows)


async def search(session: Session, line: Line) -> None:
    """SEARCH: messages of this device that hold words."""
    asked = parse_tags(line.param(0))
    try:
        limit = _limit(session, asked.get("limit", "50"))
    except _Misused:
        limit = 50
    try:
        where = our_room(session, asked["in"]).name if asked.get("in") else ""
        found = session.client.search(asked.get("text", ""), where, limit)
    except ChatError as error:
        session.refuse("SEARCH", asked.get("in", "*"), error)
        return
    words = []
    for message in reversed(found):
        handle = session.client.room_by_id(message.room_id)
        words += replayed(session, message, handle)
    session.batch("soju.im/search", words)


async def markread(session: Session, line: Line) -> None:
    """MARKREAD: our read marker, told to our own devices and to nobody else."""
    if not line.params:
        session.fail("MARKREAD", "NEED_MORE_PARAMS", translate("Not enough parameters"))
        return
    handle = our_room(session, line.param(0))
    if len(line.params) > 1:
        at_ms = moment_ms(line.param(1).removeprefix("timestamp="))
        if at_ms is None:
            session.fail("MARKREAD", "INVALID_PARAMS", translate("That is no time"), line.param(1))
            return
        later = handle.history(1, since_ms=at_ms + 1)
        handle.mark_seen(later[0].seq - 1 if later else None)
    tell_marker(session, handle)
