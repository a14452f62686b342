"""IRC clients beside the window: they have whichever client it has."""

from typing import TYPE_CHECKING
from unittest.mock import patch

from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock

from clients.window.arguments import Arguments
from tests.clients.window.test_application import ApplicationTestCase

if TYPE_CHECKING:
    from clients.irc.surroundings import Account


class IrcClientsTests(ApplicationTestCase):
    """``chatserv-tk --irc``."""

    arguments = Arguments(offline=True, irc=7000)

    def accounts(self) -> "list[Account]":
        """Whom IRC clients can be."""
        service = self.application._irc._service
        assert service is not None
        return list(service._face.around.accounts.values())

    def test_life(self) -> None:
        """It listens once there is a client, says where, goes over to the next client, and ends with the window."""
        self.pass_time()
        listening = [(port, interface) for port, _, _, interface in self.reactor.tcpServers]
        self.assertEqual(listening, [(7000, "127.0.0.1"), (7000, "::1")])
        (account,) = self.accounts()
        self.assertIs(account.client, self.client)
        self.assertIn("IRC clients connect to 127.0.0.1, port 7000", self.chat)
        self.assertIn(account.settings.password, self.chat)
        self.online()
        (account,) = self.accounts()
        self.assertIs(account.client, self.client)
        self.assertEqual(len(self.reactor.tcpServers), 2)
        service = self.application._irc._service
        assert service is not None
        self.successResultOf(self.application.stop())
        self.assertFalse(service.running)
        self.assertEqual(service._face._ports, [])


class TakenTests(ApplicationTestCase):
    """``chatserv-tk --irc`` beside a program that has the port."""

    arguments = Arguments(offline=True, irc=6667)

    def setUp(self) -> None:
        """The port is taken."""
        taken = CannotListenError("127.0.0.1", 6667, OSError(98, "Address already in use"))
        with patch.object(MemoryReactorClock, "listenTCP", side_effect=taken):
            super().setUp()

    def test_taken(self) -> None:
        """That is told in a dialog, and the window goes on."""
        dialog = self.dialog()
        assert dialog is not None
        self.assertEqual(dialog.title(), "IRC")
        self.press("OK")
        self.assertIsNone(self.application._irc._service)
        self.assertTrue(self.context.session.running)
        self.online()
        self.assertIsNotNone(self.application._irc._service, "tried again with the next client")
