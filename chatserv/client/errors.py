"""Everything that goes wrong on purpose, in one place for programs: errors of the protocol, and of our own side."""

from chatserv.client.account.profile import ProfileError
from chatserv.client.commits.room_changes import FalseRoom
from chatserv.client.connection.backoff import Replaced
from chatserv.client.outbound.pending import Withdrawn
from chatserv.client.people import NotANumber
from chatserv.client.slash.command import SlashError
from chatserv.client.state.context import Interrupted, Offline
from chatserv.client.storage.failures import DiskFailed, DiskFull, StorageError, StorageLocked
from chatserv.client.verification.certificates import FalseKey, NotReady
from chatserv.domain.passwords import PasswordInvalid
from chatserv.domain.texts import TextInvalid
from chatserv.errors import (
    AuthFailed,
    BadFrame,
    BadKey,
    BadMessage,
    BadWraps,
    Banned,
    Busy,
    ChatError,
    Draining,
    Forbidden,
    Internal,
    InviteInvalid,
    KeyChanged,
    Muted,
    NameInvalid,
    NameTaken,
    NotAuthenticated,
    NotFound,
    NotMember,
    Quota,
    RateLimited,
    ReadOnly,
    Reject,
    RoomFull,
    ServerFull,
    SlowReader,
    StaleCommit,
    StaleEpoch,
    StorageFull,
    SuiteUnsupported,
    TimedOut,
    TooLarge,
    UnknownType,
    VersionUnsupported,
    WireError,
)
from chatserv.local_errors import LocalFileError, LocalProtocolError
from chatserv.private_files import PrivateFileError
from chatserv.wire.client_session import MethodRefused, PinMismatch
from chatserv.wire.link import LinkInvalid

__all__ = [
    "AuthFailed",
    "BadFrame",
    "BadKey",
    "BadMessage",
    "BadWraps",
    "Banned",
    "Busy",
    "ChatError",
    "DiskFailed",
    "DiskFull",
    "Draining",
    "FalseKey",
    "FalseRoom",
    "Forbidden",
    "Internal",
    "Interrupted",
    "InviteInvalid",
    "KeyChanged",
    "LinkInvalid",
    "LocalFileError",
    "LocalProtocolError",
    "MethodRefused",
    "Muted",
    "NameInvalid",
    "NameTaken",
    "NotANumber",
    "NotAuthenticated",
    "NotFound",
    "NotMember",
    "NotReady",
    "Offline",
    "PasswordInvalid",
    "PinMismatch",
    "PrivateFileError",
    "ProfileError",
    "Quota",
    "RateLimited",
    "ReadOnly",
    "Reject",
    "Replaced",
    "RoomFull",
    "ServerFull",
    "SlashError",
    "SlowReader",
    "StaleCommit",
    "StaleEpoch",
    "StorageError",
    "StorageFull",
    "StorageLocked",
    "SuiteUnsupported",
    "TextInvalid",
    "TimedOut",
    "TooLarge",
    "UnknownType",
    "VersionUnsupported",
    "WireError",
    "Withdrawn",
]
