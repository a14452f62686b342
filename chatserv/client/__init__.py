"""The library that every client uses; programs in ``clients/`` import nothing else of this package.

Events stand in `chatserv.client.events` too, and errors, more of them, in `chatserv.client.errors`.

::

    from chatserv.client import Client, MessageReceived, Profile, RoomOffered, Slash

    def show(event):
        match event:
            case MessageReceived(room=room, sender=sender, text=text):
                print(room, sender, text)
            case RoomOffered(room=room, by=by):
                print(f"{by} invites you to {room}")

    client = Client(Profile.named("alice"), reactor, show)
    client.start()
    client.send("lobby", "hello").addCallback(lambda seq: print("stored as", seq))  # once Status.ONLINE is told

Everything else is in ``docs/library.rst``, by examples.
"""

from chatserv import VERSION
from chatserv.client.account.profile import DEFAULT_NAME, Profile
from chatserv.client.account.profile_key import ProfileKey
from chatserv.client.account.registration import prepare_account
from chatserv.client.admin import AccountView, Administration, BanView
from chatserv.client.alarms import KINDS as ALARMS
from chatserv.client.alarms import AlarmKind, Blame
from chatserv.client.client import Client
from chatserv.client.device_list import OwnDevice
from chatserv.client.errors import (
    AuthFailed,
    ChatError,
    DiskFailed,
    DiskFull,
    FileDamaged,
    FileGone,
    FileInvalid,
    HistoryInvalid,
    InviteInvalid,
    LinkInvalid,
    LocalFileError,
    MethodRefused,
    NameInvalid,
    NameTaken,
    NoFiles,
    NotMember,
    PasswordInvalid,
    PinMismatch,
    PrivateFileError,
    ProfileError,
    ProfileLocked,
    Quota,
    Replaced,
    ServerFull,
    SlashError,
    StorageError,
    StorageLocked,
    TextEmpty,
    TextInvalid,
    WireError,
    Withdrawn,
)
from chatserv.client.events import (
    Alarm,
    Announced,
    ArchiveFull,
    ClientEvent,
    Delivered,
    DeviceAsks,
    DeviceGone,
    DeviceSeen,
    GapSeen,
    IdentityChanged,
    KeysBroken,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessagesExpired,
    MessagesMissing,
    OtherServer,
    PresenceSeen,
    Reacted,
    ReadMoved,
    RetentionChanged,
    RoomChanged,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomRewound,
    RoomTitled,
    RotationDone,
    RotationOpen,
    SendAcknowledged,
    SendDelayed,
    SendFailed,
    SendHeld,
    SendQueued,
    ServerKeyChanged,
    ServerRestored,
    Status,
    StatusChanged,
    TypingSeen,
)
from chatserv.client.file_events import Attachment, FileLimits, FileProgress, FileState, OwnFile, OwnFiles, Preview
from chatserv.client.file_names import safe_file_name
from chatserv.client.history_results import Exported, HistoryReceived, Imported, RefusedLine
from chatserv.client.joining.remote_client import RemoteClient, open_client, shared_key
from chatserv.client.outbound.pending import WaitingMessage
from chatserv.client.outbound.sent import Sent
from chatserv.client.own_account import OwnAccount
from chatserv.client.own_devices import OwnDevices
from chatserv.client.people import DeviceView, People, Verification
from chatserv.client.recovery.approvals import DeviceRequest
from chatserv.client.recovery.backups import NewRecovery
from chatserv.client.recovery.guest import BackupView, Guest, Recovered
from chatserv.client.recovery.login import log_in
from chatserv.client.room_handle import RoomHandle
from chatserv.client.room_view import MemberView
from chatserv.client.sealing import change_passphrase, leave_unsealed, seal_profile, unlock
from chatserv.client.slash.command import SlashCommand, explained, place, shown, shown_lines
from chatserv.client.slash.dispatcher import Slash
from chatserv.client.slash.file_text import file_text, limits_text, progress_text, size_text
from chatserv.client.slash.files import downloads
from chatserv.client.slash.formatting import (
    clock,
    date,
    doubtful_time,
    message_line,
    message_text,
    moment,
    names,
    parting_line,
    quotation,
    sender_name,
)
from chatserv.client.slash.rule_text import room_rule_text, rule_text
from chatserv.client.storage.cursors import DEFAULT_CURSOR, cursor_name
from chatserv.client.trust_events import short_id
from chatserv.client.verification.audit import Audit, AuditEntry, PersonAudit
from chatserv.client.verification.evidence import Finding, Verdict, check_evidence
from chatserv.clocks import now_ms, steady_seconds, use_steady_clock
from chatserv.domain.kept_names import new_user_name
from chatserv.domain.names import LOBBY, room_name, user_name
from chatserv.domain.passwords import prepared_password
from chatserv.domain.texts import valid_text
from chatserv.i18n import _ as translate
from chatserv.owners import system_text
from chatserv.qr import terminal_qr
from chatserv.sanitize import clean_line, is_blank, isolate
from chatserv.wire.link import ServerLink, fingerprint_text, format_link, parse_link

__all__ = [
    "VERSION",
    # an account
    "Client", "RemoteClient", "open_client", "shared_key", "prepare_account", "log_in", "Guest", "BackupView",
    "Recovered", "Profile", "DEFAULT_NAME", "ProfileKey", "unlock", "seal_profile", "leave_unsealed",
    "change_passphrase", "DEFAULT_CURSOR", "cursor_name", "ServerLink", "format_link", "parse_link",
    "fingerprint_text",
    # rooms, people, the server
    "LOBBY", "RoomHandle", "MemberView", "WaitingMessage", "Exported", "Imported", "RefusedLine", "Sent",
    "People", "Verification", "DeviceView", "Audit", "AuditEntry", "PersonAudit", "OwnAccount", "NewRecovery",
    "OwnDevices", "OwnDevice", "DeviceRequest", "Administration", "AccountView", "BanView",
    # files
    "Attachment", "Preview", "FileLimits", "OwnFile", "OwnFiles", "FileProgress", "FileState",
    "HistoryReceived", "safe_file_name",
    # what happens
    "ClientEvent", "Status", "StatusChanged", "MessageReceived", "MessageEdited", "MessageDeleted", "Reacted",
    "Delivered", "SendQueued", "SendAcknowledged", "SendDelayed", "SendFailed", "SendHeld", "GapSeen",
    "MessagesExpired", "MessagesMissing", "RoomRewound", "ServerRestored", "ArchiveFull", "RoomOffered",
    "RoomJoined", "RoomLeft", "RoomChanged", "RoomTitled", "RotationDone", "ServerKeyChanged", "OtherServer",
    "RotationOpen", "ReadMoved", "TypingSeen", "PresenceSeen", "Announced", "RetentionChanged",
    "IdentityChanged", "DeviceAsks", "DeviceGone", "DeviceSeen", "KeysBroken", "Alarm", "ALARMS", "AlarmKind",
    "Blame", "check_evidence", "Finding", "Verdict",
    # what people type and read
    "Slash", "SlashCommand", "downloads", "explained", "file_text", "limits_text", "progress_text", "size_text",
    "message_line", "message_text", "moment", "parting_line", "room_rule_text", "rule_text", "doubtful_time", "quotation",
    "sender_name", "short_id", "clock", "date", "names", "place",
    "shown", "shown_lines", "system_text", "terminal_qr", "clean_line", "is_blank", "isolate", "translate", "new_user_name",
    "user_name", "room_name", "prepared_password", "valid_text",
    # a program's clock
    "use_steady_clock", "steady_seconds", "now_ms",
    # what goes wrong
    "ChatError", "WireError", "AuthFailed", "DiskFailed", "DiskFull", "FileDamaged", "FileGone", "FileInvalid",
    "HistoryInvalid", "InviteInvalid", "NoFiles", "LinkInvalid", "LocalFileError", "MethodRefused", "NameInvalid",
    "NameTaken", "NotMember", "PasswordInvalid", "PinMismatch", "PrivateFileError", "ProfileError", "ProfileLocked",
    "Quota", "Replaced", "ServerFull", "SlashError", "StorageError", "StorageLocked", "TextEmpty", "TextInvalid",
    "Withdrawn",
]  # fmt: skip
