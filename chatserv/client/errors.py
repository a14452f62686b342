"""Everything that goes wrong on purpose, in one place for programs: errors of the protocol, and of our own side."""

from chatserv.client.account.failures import ProfileError, ProfileLocked
from chatserv.client.account.keyring import NoIdentityKey
from chatserv.client.commits.room_changes import FalseRoom
from chatserv.client.connection.backoff import Replaced
from chatserv.client.files.failures import FileDamaged, FileGone, FileInvalid, NoFiles
from chatserv.client.history.lines import HistoryInvalid
from chatserv.client.outbound.pending import Withdrawn
from chatserv.client.people import NotANumber
from chatserv.client.recovery.failures import (
    BackupDamaged,
    BackupOutdated,
    EnrolmentRefused,
    IdentityMismatch,
    NoBackup,
    WrongCode,
)
from chatserv.client.slash.command import SlashError
from chatserv.client.state.context import Interrupted, Offline
from chatserv.client.state.standstill import RoomWithheld, ServerDistrusted, StandsStill
from chatserv.client.storage.failures import DiskFailed, DiskFull, StorageError, StorageLocked
from chatserv.client.verification.certificates import FalseKey, NotReady
from chatserv.crypto.e2e.recovery_code import CodeMistyped
from chatserv.domain.passwords import PassphraseInvalid, PasswordInvalid
from chatserv.domain.texts import TextEmpty, TextInvalid
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
    StaleBackup,
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
    "BackupDamaged",
    "BackupOutdated",
    "BadFrame",
    "BadKey",
    "BadMessage",
    "BadWraps",
    "Banned",
    "Busy",
    "ChatError",
    "CodeMistyped",
    "DiskFailed",
    "DiskFull",
    "Draining",
    "EnrolmentRefused",
    "FalseKey",
    "FalseRoom",
    "FileDamaged",
    "FileGone",
    "FileInvalid",
    "Forbidden",
    "HistoryInvalid",
    "IdentityMismatch",
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
    "NoBackup",
    "NoFiles",
    "NoIdentityKey",
    "NotANumber",
    "NotAuthenticated",
    "NotFound",
    "NotMember",
    "NotReady",
    "Offline",
    "PassphraseInvalid",
    "PasswordInvalid",
    "PinMismatch",
    "PrivateFileError",
    "ProfileError",
    "ProfileLocked",
    "Quota",
    "RateLimited",
    "ReadOnly",
    "Reject",
    "Replaced",
    "RoomFull",
    "RoomWithheld",
    "ServerDistrusted",
    "ServerFull",
    "SlashError",
    "SlowReader",
    "StaleBackup",
    "StandsStill",
    "StaleCommit",
    "StaleEpoch",
    "StorageError",
    "StorageFull",
    "StorageLocked",
    "SuiteUnsupported",
    "TextEmpty",
    "TextInvalid",
    "TimedOut",
    "TooLarge",
    "UnknownType",
    "VersionUnsupported",
    "WireError",
    "Withdrawn",
    "WrongCode",
]
