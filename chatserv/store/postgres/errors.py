"""What the errors of PostgreSQL and of its connection mean. See PostgreSQL's manual, appendix A."""

from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

from chatserv.errors import BadMessage, Busy, ChatError, Internal, NameTaken, ReadOnly, StorageFull, WireError

Raised = DBAPIError | psycopg.Error
RAISED: Final = (DBAPIError, psycopg.Error)
"""What a call of the database raises, through SQLAlchemy or not."""


class Overtaken(psycopg.Error):
    """Another server has used the database since this one has started: what is in memory is old."""


_FULL: Final = {"53100", "53400"}
_GOING: Final = {"25006", "57P01", "57P02", "57P03", "57P05", "25P03"}  # read-only: a standby; or it is ending
_RACED: Final = {"40001", "40P01", "23505"}
_BUSY: Final = {"55P03", "57014", "53000", "53200", "53300"}
_TAKEN: Final = {
    **dict.fromkeys(("account_name_key", "account_skeleton_key"), (NameTaken, "name or skeleton")),
    **dict.fromkeys(("room_name_key", "room_skeleton_key"), (NameTaken, "name or skeleton of a room")),
    **dict.fromkeys(("device_device_id_key", "device_cert_hash_key"), (BadMessage, "device exists")),
}


def cause_of(error: BaseException | None) -> BaseException | None:
    """What the driver raised."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def state_of(error: BaseException | None) -> str:
    """The SQLSTATE, or an empty text where the server has said none."""
    return getattr(cause_of(error), "sqlstate", None) or ""


def is_lost(error: BaseException) -> bool:
    """Whether the connection is of no use any more: another one may be."""
    state = state_of(error)
    if state:
        return state in _GOING or state.startswith("08")
    return isinstance(cause_of(error), psycopg.OperationalError | psycopg.InterfaceError)


def is_raced(error: BaseException) -> bool:
    """Whether another transaction was in the way, and the same again may do."""
    return state_of(error) in _RACED


def translate(error: BaseException | None) -> WireError:
    """The protocol's error for what a database call raised: full, busy (the same again may do), a bad value, over
    (read-only from now on), or internal.

    The result never holds values of the failed statement.
    """
    cause, state = cause_of(error), state_of(error)
    name = f"{type(cause).__name__} {state}".strip()
    if isinstance(cause, Overtaken):
        return ReadOnly(str(cause))
    if isinstance(cause, psycopg.DataError):
        return BadMessage(name)
    if state in _FULL:
        return StorageFull(name)
    if state in _BUSY or (isinstance(cause, psycopg.Error) and (is_lost(cause) or is_raced(cause))):
        return Busy(name, after_seconds=1)
    return Internal(name)


def refusal_of(error: BaseException) -> ChatError | None:
    """The refusal that a unique index stands for, or that of a value which PostgreSQL has no place for: NUL in a text."""
    cause = cause_of(error)
    if isinstance(cause, psycopg.DataError):
        return translate(cause)
    if not isinstance(cause, psycopg.errors.UniqueViolation):
        return None
    found = _TAKEN.get(cause.diag.constraint_name or "")
    return None if found is None else found[0](found[1])
