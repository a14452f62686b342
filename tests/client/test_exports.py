"""The public surface of the library: short, and changed on purpose only."""

from twisted.trial.unittest import SynchronousTestCase

import chatserv.client

PUBLIC = [
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


class ExportsTests(SynchronousTestCase):
    """``chatserv.client.__all__``."""

    def test_pinned(self) -> None:
        """The public names are these."""
        self.assertEqual(chatserv.client.__all__, PUBLIC)

    def test_there(self) -> None:
        """Every public name exists."""
        for name in PUBLIC:
            self.assertTrue(hasattr(chatserv.client, name), name)
