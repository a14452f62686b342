"""One tree of errors. Each class carries its wire ``code`` and a translatable ``text`` for whoever meets it.

The codes are stable: clients and scripts may rely on them. ``retryable`` says whether the same request can succeed later
without a change. The table of docs/protocol.rst is checked against this module by a test.
"""

from typing import ClassVar

from chatserv.i18n import N_, _


class ChatError(Exception):
    """The root of everything that goes wrong here on purpose.

    Args:
        detail: What was wrong and where, for a log or a developer. Never holds a secret or message text.
        after_seconds: When a retry makes sense, if that is known.
        by: Who refuses, where that may be in doubt: ``room`` (its signed state) or ``server`` (its administrators).
    """

    code: ClassVar[str] = "internal"
    text: ClassVar[str] = N_("Something went wrong on the server.")
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str = "", *, after_seconds: float | None = None, by: str = "") -> None:
        super().__init__(detail or type(self).text)
        self.detail = detail
        self.after_seconds = after_seconds
        self.by = by

    def explain(self) -> str:
        """What a person is told, in their language."""
        return _(type(self).text)


class WireError(ChatError):
    """An error that travels: each concrete class is one code of the protocol."""

    by_code: ClassVar[dict[str, type["WireError"]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        WireError.by_code.setdefault(cls.code, cls)


class Internal(WireError):
    """The server failed; its log knows more."""

    code = "internal"
    retryable = True


class BadFrame(WireError):
    """A line that is not a record, or a record that does not open."""

    code = "bad_frame"
    text = N_("The connection sent something unreadable.")


class BadMessage(WireError):
    """A message with a missing field, a wrong type or an impossible value."""

    code = "bad_message"
    text = N_("The request was not understood.")


class TooLarge(WireError):
    """A line, message or envelope above its limit."""

    code = "too_large"
    text = N_("That is too long to send.")


class UnknownType(WireError):
    """A message type that this end does not know."""

    code = "unknown_type"
    text = N_("The other side does not know this request; it may be older.")


class NotAuthenticated(WireError):
    """A command before login."""

    code = "not_authenticated"
    text = N_("Log in first.")


class AuthFailed(WireError):
    """Unknown user, wrong key, wrong password, wrong proof: all look alike."""

    code = "auth_failed"
    text = N_("The server does not accept this device or account: it may have been revoked or deleted.")


class VersionUnsupported(WireError):
    """No protocol version in common."""

    code = "version"
    text = N_("Client and server speak different versions; update the older one.")


class SuiteUnsupported(WireError):
    """No cipher suite in common."""

    code = "suite"
    text = N_("Client and server have no cipher suite in common.")


class NotFound(WireError):
    """No such room, account or message for this asker."""

    code = "not_found"
    text = N_("That does not exist here.")


class NotMember(WireError):
    """A room that the asker is not a member of."""

    code = "not_member"
    text = N_("You are not a member of this room.")


class Forbidden(WireError):
    """The asker's role does not allow it."""

    code = "forbidden"
    text = N_("You are not allowed to do that.")


class Muted(WireError):
    """The asker may read and not write: muted in the room, or by the server's administrators (``by``)."""

    code = "muted"
    text = N_("You are muted and cannot write here.")


class Banned(WireError):
    """The asker is banned: from the room, or by the server's administrators (``by``)."""

    code = "banned"
    text = N_("You are banned.")


class RoomFull(WireError):
    """The room has as many devices as its policy allows."""

    code = "room_full"
    text = N_("The room is full.")


class RateLimited(WireError):
    """Too much, too fast."""

    code = "rate_limited"
    text = N_("Slow down a little.")
    retryable = True


class Busy(WireError):
    """A queue of the server is at its bound; nothing was stored."""

    code = "busy"
    text = N_("The server is busy; try again in a moment.")
    retryable = True


class StaleEpoch(WireError):
    """A message sealed for another epoch of the room than the current one, or for a place in it that is used already."""

    code = "stale_epoch"
    text = N_("The room has changed meanwhile; the message is being prepared again.")
    retryable = True


class StaleCommit(WireError):
    """A commit that does not follow the room's head, or without the lease: process what came between and begin anew."""

    code = "stale_commit"
    text = N_("The room has changed meanwhile; the change is being prepared again.")
    retryable = True


class StaleBackup(WireError):
    """A backup that is not newer than the one that the server has: read that first."""

    code = "stale_backup"
    text = N_("Another of your devices has made a newer backup.")


class BadWraps(WireError):
    """The wraps of a commit are not those that it names."""

    code = "bad_wraps"
    text = N_("The keys of the change to the room are not complete.")


class BadKey(WireError):
    """A prekey, certificate or statement that does not verify."""

    code = "bad_key"
    text = N_("A key was not accepted.")


class KeyChanged(WireError):
    """The identity of somebody is another one than was known; sending to them waits until a person has decided."""

    code = "key_changed"
    text = N_("The identity of somebody in the room has changed. Nothing is sent until you have checked it.")


class InviteInvalid(WireError):
    """An invite that is unknown, used, expired or for another name."""

    code = "invite_invalid"
    text = N_("This invite does not work: it was already used, has expired, never existed or is for another name.")


class NameTaken(WireError):
    """A name that exists, or that looks like one that exists."""

    code = "name_taken"
    text = N_("This name is taken, or looks too much like one that is.")


class NameInvalid(WireError):
    """A name that the rules of names refuse."""

    code = "name_invalid"
    text = N_("This name cannot be used: 1 to 32 letters, digits or signs of one script, no space, no sign in front.")


class Quota(WireError):
    """A bound on how many of something one may have."""

    code = "quota"
    text = N_("A limit has been reached; remove something first.")


class StorageFull(WireError):
    """The disk is full; nothing was stored."""

    code = "storage_full"
    text = N_("The server's disk is full; nothing was stored.")
    retryable = True


class ReadOnly(WireError):
    """The store refuses writes after a disk error."""

    code = "read_only"
    text = N_("The server cannot store anything at the moment.")
    retryable = True


class ServerFull(WireError):
    """``max_connections`` sessions are logged in."""

    code = "server_full"
    text = N_("The server is full; try again later.")
    retryable = True


class Draining(WireError):
    """The server is going down and takes no new work."""

    code = "draining"
    text = N_("The server is shutting down.")
    retryable = True


class SlowReader(WireError):
    """A session cut because it does not read what it is sent; a ``sync`` brings what it missed."""

    code = "slow_reader"
    text = N_("The connection was too slow to keep up and was cut.")
    retryable = True


class TimedOut(WireError):
    """A deadline passed: TLS handshake, login or silence."""

    code = "timed_out"
    text = N_("The other side did not answer in time.")
    retryable = True


class Reject(BadFrame):
    """A cryptographic structure that does not parse, verify or open. Says where, never why it could have opened."""

    code = "bad_frame"


def wire_error(code: str, detail: str = "", after_seconds: float | None = None, by: str = "") -> WireError:
    """The error for a ``code`` that came over the wire; an unknown code becomes `Internal` with the code as detail."""
    cls = WireError.by_code.get(code)
    if cls is None:
        return Internal(f"unknown error code {code!r}", after_seconds=after_seconds, by=by)
    return cls(detail, after_seconds=after_seconds, by=by)
