"""What a client tells the program of keys, and of who breaks the rules; part of `chatserv.client.events`."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class IdentityChanged:
    """The identity key of ``user`` is another one than was known: nothing is sent to their rooms until it is accepted.

    ``signed``: the known one has signed it (a rotation), so there is nothing to accept, and who was verified still is.
    """

    user: str
    was_verified: bool
    signed: bool = False


@dataclass(frozen=True, slots=True)
class DeviceSeen:
    """A device of ``user`` was not known before; it is certified by the identity that we know."""

    user: str
    device_id: bytes


@dataclass(frozen=True, slots=True)
class KeysBroken:
    """The keys of a change by ``by`` do not open: messages cannot be read until the next change, which is on its way."""

    room: str
    by: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Somebody breaks the rules: the server, or a person.

    ``what`` is a key of `chatserv.client.ALARMS`, which says for each who is to blame and what to do. ``user``: the person
    who did it; of ``bad_commit``, who has signed the change that the server passed on. ``evidence``, with ``log_forked``:
    two signed heads, 432 bytes each, that cannot be of one log. After ``log_forked``, ``false_statement`` and
    ``false_rotation`` nothing is sent any more, also after a restart.
    """

    what: str
    detail: str = ""
    user: str = ""
    evidence: tuple[bytes, ...] = field(default=(), repr=False)
