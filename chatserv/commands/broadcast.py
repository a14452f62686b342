"""Notices for several sessions at once: encoded once, and dropped where they may be."""

from collections.abc import Iterable

from chatserv.domain.hub import LiveSession
from chatserv.wire import messages
from chatserv.wire.codec import encode_message


def notify(sessions: Iterable[LiveSession], notice: messages.Message) -> None:
    """Queues a notice for sessions, encoded once."""
    part = encode_message(notice)
    for session in sessions:
        session.outbox.queue((part,), len(part))


def notify_relaxed(sessions: Iterable[LiveSession], notice: messages.Message) -> None:
    """Queues a notice for those sessions that keep up; it may be lost, as typing and presence may."""
    part = encode_message(notice)
    for session in sessions:
        if session.outbox.relaxed:
            session.outbox.queue((part,), len(part))


def notify_if_place(sessions: Iterable[LiveSession], part: bytes) -> None:
    """Queues an encoded notice for those sessions that have place for it; the others see later that they missed it."""
    for session in sessions:
        if session.outbox.has_place(len(part)):
            session.outbox.queue((part,), len(part))
