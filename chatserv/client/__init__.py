"""The library that every client uses; programs in ``clients/`` import nothing else of this package.

::

    from chatserv.client import Client, MessageReceived, Profile

    def show(event):
        if isinstance(event, MessageReceived):
            print(event.room, event.sender, event.text)

    client = Client(Profile.named("alice"), reactor, show)
    client.start()
    client.send("lobby", "hello").addCallback(lambda seq: print("stored as", seq))
"""

from chatserv import VERSION
from chatserv.client.api import Client
from chatserv.client.events import (
    ClientEvent,
    GapSeen,
    MessageReceived,
    Replaced,
    RoomRewound,
    SendAcknowledged,
    SendFailed,
    Status,
    StatusChanged,
)
from chatserv.client.profile import DEFAULT_NAME, Profile, ProfileError
from chatserv.client.registration import prepare_account
from chatserv.domain.names import room_name, user_name
from chatserv.domain.passwords import PasswordInvalid, prepared_password
from chatserv.errors import (
    AuthFailed,
    ChatError,
    InviteInvalid,
    NameInvalid,
    NameTaken,
    Quota,
    ServerFull,
    WireError,
)
from chatserv.i18n import _ as translate
from chatserv.private_files import PrivateFileError
from chatserv.terminal import clean_line, isolate
from chatserv.wire.client_session import MethodRefused, PinMismatch
from chatserv.wire.link import LinkInvalid, ServerLink, format_link, parse_link

__all__ = [
    "VERSION",
    "Client",
    "prepare_account",
    "Profile",
    "DEFAULT_NAME",
    "ClientEvent",
    "GapSeen",
    "MessageReceived",
    "Replaced",
    "RoomRewound",
    "SendAcknowledged",
    "SendFailed",
    "Status",
    "StatusChanged",
    "ServerLink",
    "format_link",
    "parse_link",
    "user_name",
    "room_name",
    "prepared_password",
    "clean_line",
    "isolate",
    "translate",
    "ChatError",
    "WireError",
    "AuthFailed",
    "InviteInvalid",
    "LinkInvalid",
    "MethodRefused",
    "NameInvalid",
    "NameTaken",
    "PasswordInvalid",
    "PinMismatch",
    "PrivateFileError",
    "ProfileError",
    "Quota",
    "ServerFull",
]
