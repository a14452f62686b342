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

    # once Status.ONLINE is told:
    client.send("lobby", "hello").addCallback(lambda seq: print("stored as", seq))
    plans = await client.create_room("plans")           # a RoomHandle: end-to-end encrypted, name and topic too
    await plans.invite("bob")
    bob = await client.direct("bob")                    # direct messages
    print((await client.people.verification("bob")).number)

    slash = Slash(client)                               # what people type, the same in every client
    for line in await slash.run("/who"):
        print(line)
"""

from chatserv import VERSION
from chatserv.client.account.profile import DEFAULT_NAME, Profile
from chatserv.client.account.registration import prepare_account
from chatserv.client.admin import AccountView, Administration, BanView
from chatserv.client.alarms import KINDS as ALARMS
from chatserv.client.alarms import AlarmKind, Blame
from chatserv.client.client import Client
from chatserv.client.errors import (
    AuthFailed,
    ChatError,
    DiskFailed,
    DiskFull,
    InviteInvalid,
    LinkInvalid,
    LocalFileError,
    MethodRefused,
    NameInvalid,
    NameTaken,
    NotMember,
    PasswordInvalid,
    PinMismatch,
    PrivateFileError,
    ProfileError,
    Quota,
    Replaced,
    ServerFull,
    SlashError,
    StorageError,
    StorageLocked,
    TextInvalid,
    WireError,
    Withdrawn,
)
from chatserv.client.events import (
    Alarm,
    Announced,
    ClientEvent,
    Delivered,
    DeviceSeen,
    GapSeen,
    IdentityChanged,
    KeysBroken,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessagesMissing,
    PresenceSeen,
    Reacted,
    ReadMoved,
    RoomChanged,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomRewound,
    RoomTitled,
    SendAcknowledged,
    SendDelayed,
    SendFailed,
    SendHeld,
    SendQueued,
    Status,
    StatusChanged,
    TypingSeen,
)
from chatserv.client.outbound.pending import WaitingMessage
from chatserv.client.people import DeviceView, People, Verification
from chatserv.client.room_handle import RoomHandle
from chatserv.client.room_view import MemberView
from chatserv.client.slash.command import SlashCommand, explained, place, shown
from chatserv.client.slash.dispatcher import Slash
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
from chatserv.clocks import now_ms, steady_seconds, use_steady_clock
from chatserv.domain.kept_names import new_user_name
from chatserv.domain.names import LOBBY, room_name, user_name
from chatserv.domain.passwords import prepared_password
from chatserv.domain.texts import valid_text
from chatserv.i18n import _ as translate
from chatserv.sanitize import clean_line, isolate
from chatserv.wire.link import ServerLink, format_link, parse_link

__all__ = [
    "VERSION",
    # an account
    "Client",
    "prepare_account",
    "Profile",
    "DEFAULT_NAME",
    "ServerLink",
    "format_link",
    "parse_link",
    # rooms, people, the server
    "LOBBY",
    "RoomHandle",
    "MemberView",
    "WaitingMessage",
    "People",
    "Verification",
    "DeviceView",
    "Administration",
    "AccountView",
    "BanView",
    # what happens
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
    "SendDelayed",
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
    # what people type and read
    "Slash",
    "SlashCommand",
    "explained",
    "message_line",
    "message_text",
    "moment",
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
    "new_user_name",
    "user_name",
    "room_name",
    "prepared_password",
    "valid_text",
    # a program's clock
    "use_steady_clock",
    "steady_seconds",
    "now_ms",
    # what goes wrong
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
