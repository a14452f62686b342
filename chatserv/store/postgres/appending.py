"""A batch of drafts into the log: one call of ``append_events``."""

from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
import psycopg
from sqlalchemy import Connection

from chatserv.errors import Busy, NotFound
from chatserv.models import Appended, Duplicate, Event, EventDraft, EventKind, Stale
from chatserv.ports import NO_GENERATION
from chatserv.store.appending import Outcome
from chatserv.store.message_key import message_key
from chatserv.store.retention_statements import digest

_APPENDED: Final = 0
_DUPLICATE: Final = 1
_CALL: Final = (
    b"SELECT n, what, o_seq, o_at FROM append_events(%b::bytea[], %b::bytea[], %b::bytea[], %b::bigint[], %b::bigint[], "
    b"%b::bigint[], %b::bigint[], %s::text[], %b::bytea[], %b::bytea[])"
)
_IF_ALL_MAY_SPEAK: Final = (  # else the function is not called: its rows are not asked for
    b" WHERE NOT EXISTS (SELECT FROM account WHERE name = ANY(%s::text[]) AND (suspended OR muted))"
    b" AND NOT EXISTS (SELECT FROM ban WHERE subject = ANY(%s::text[]) AND kind = 'account')"
)
_SILENT: Final = (
    b"SELECT name FROM account WHERE name = ANY(%s::text[]) AND (suspended OR muted) UNION "
    b"SELECT subject FROM ban WHERE subject = ANY(%s::text[]) AND kind = 'account'"
)


def append_batch(conn: Connection, drafts: Sequence[EventDraft], again: bool = False) -> list[Outcome | Busy]:
    """Decides and stores drafts in their order, as `chatserv.ports.Store.append` says.

    Nothing is stored of who is suspended, muted or banned: their node has not heard of it yet, and they are told that it is
    busy.

    Args:
        conn: A connection, inside a transaction or not.
        drafts: What wants its place: one at least.
        again: They were given before, and it is not known what has become of them: what is there with the very time of a
            draft was stored then, and counts as stored now.

    Returns:
        An outcome for each draft, in the same order.
    """
    driver = cast("psycopg.Connection[Any]", conn.connection.driver_connection)
    senders = list({each.sender for each in drafts})
    rows = driver.execute(
        _CALL + _IF_ALL_MAY_SPEAK, (*_columns(drafts), senders, senders), prepare=True, binary=True
    ).fetchall()
    silent = set() if rows else {name for (name,) in driver.execute(_SILENT, (senders, senders))}
    if not silent:
        return _outcomes(drafts, rows, again)
    others = iter(append_batch(conn, [each for each in drafts if each.sender not in silent], again))
    theirs = [each for each in drafts if each.sender in silent]
    asking = [msgspec.structs.replace(each, generation=NO_GENERATION) for each in theirs]
    found = _outcomes(asking, driver.execute(_CALL, _columns(asking), binary=True).fetchall(), again)
    refused = iter([_of_silent(each, outcome) for each, outcome in zip(theirs, found, strict=True)])
    return [next(refused) if each.sender in silent else next(others) for each in drafts]


def _of_silent(draft: EventDraft, found: Outcome | Busy) -> Outcome | Busy:
    """What was stored before is answered as ever, and so is who only asks for that."""
    stays = not isinstance(found, Stale) or draft.generation == NO_GENERATION
    return found if stays else Busy("its sender may not speak", after_seconds=1)


def _outcomes(drafts: Sequence[EventDraft], rows: Sequence[tuple[Any, ...]], again: bool) -> list[Outcome | Busy]:
    outcomes: list[Outcome | None] = [None] * len(drafts)
    seen: set[tuple[bytes, int]] = set()
    for number, what, seq, at_ms in rows:
        draft = drafts[number - 1]
        stored_before = again and what == _DUPLICATE and at_ms == draft.at_ms and (draft.room_id, seq) not in seen
        if what == _APPENDED or stored_before:
            seen.add((draft.room_id, seq))
            event = Event(draft.room_id, seq, at_ms, draft.sender, EventKind.MESSAGE, draft.body)
            outcomes[number - 1] = Appended(event)
        else:
            outcomes[number - 1] = Duplicate(seq, at_ms) if what == _DUPLICATE else Stale(seq)
    return [NotFound("room") if outcome is None else outcome for outcome in outcomes]


def _columns(drafts: Sequence[EventDraft]) -> tuple[list[Any], ...]:
    return (
        [each.room_id for each in drafts],
        [each.id for each in drafts],
        [each.device_id for each in drafts],
        [each.epoch for each in drafts],
        [each.leaf for each in drafts],
        [each.generation for each in drafts],
        [each.at_ms for each in drafts],
        [each.sender for each in drafts],
        [each.body for each in drafts],
        [digest(each.room_id, each.device_id, message_key(each.body, each.id)) for each in drafts],
    )
