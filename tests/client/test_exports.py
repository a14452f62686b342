"""The public surface of the library: short, and changed on purpose only."""

from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

import chatserv.client

PUBLIC = [
    "VERSION",
    "Client",
    "prepare_account",
    "Profile",
    "DEFAULT_NAME",
    "ServerLink",
    "format_link",
    "parse_link",
    "RoomHandle",
    "MemberView",
    "WaitingMessage",
    "People",
    "Verification",
    "DeviceView",
    "Administration",
    "AccountView",
    "BanView",
    "ClientEvent",
    "Status",
    "StatusChanged",
    "MessageReceived",
    "MessageEdited",
    "MessageDeleted",
    "Reacted",
    "Delivered",
    "SendQueued",
    "SendAcknowledged",
    "SendFailed",
    "SendHeld",
    "GapSeen",
    "MessagesMissing",
    "RoomRewound",
    "RoomOffered",
    "RoomJoined",
    "RoomLeft",
    "RoomChanged",
    "RoomTitled",
    "ReadMoved",
    "TypingSeen",
    "PresenceSeen",
    "Announced",
    "IdentityChanged",
    "DeviceSeen",
    "KeysBroken",
    "Alarm",
    "ALARMS",
    "AlarmKind",
    "Blame",
    "Slash",
    "SlashCommand",
    "explained",
    "message_line",
    "message_text",
    "parting_line",
    "doubtful_time",
    "quotation",
    "sender_name",
    "clock",
    "date",
    "names",
    "place",
    "shown",
    "clean_line",
    "isolate",
    "translate",
    "user_name",
    "room_name",
    "prepared_password",
    "valid_text",
    "use_steady_clock",
    "steady_seconds",
    "now_ms",
    "ChatError",
    "WireError",
    "AuthFailed",
    "DiskFailed",
    "DiskFull",
    "InviteInvalid",
    "LinkInvalid",
    "LocalFileError",
    "MethodRefused",
    "NameInvalid",
    "NameTaken",
    "NotMember",
    "PasswordInvalid",
    "PinMismatch",
    "PrivateFileError",
    "ProfileError",
    "Quota",
    "Replaced",
    "ServerFull",
    "SlashError",
    "StorageError",
    "StorageLocked",
    "TextInvalid",
    "Withdrawn",
]


class ExportsTests(SynchronousTestCase):
    """``chatserv.client.__all__``."""

    def test_pinned(self) -> None:
        """The public names are these."""
        self.assertEqual(chatserv.client.__all__, PUBLIC)

    def test_events(self) -> None:
        """Every event that a client can be told is public."""
        told = {event.__name__ for event in get_args(chatserv.client.ClientEvent)}
        self.assertEqual(told - set(PUBLIC), set())
