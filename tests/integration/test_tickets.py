"""The server's TLS as a client sees it, message by message."""

import contextlib
import socket
import ssl
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.processes import ServerProgram
from chatserv.wire.framing import ALPN

NEW_SESSION_TICKET, FINISHED, HANDSHAKE = 4, 20, 22


class TicketTests(SynchronousTestCase):
    """Session tickets: nobody resumes a session, and a ticket tells an observer that two connections are one client's."""

    def messages(self, port: int) -> list[int]:
        """The types of the handshake messages that the server sends, to half a second after its last one."""
        seen: list[int] = []

        def note(_: Any, direction: str, __: Any, content: int, kind: int, ___: Any) -> None:
            if direction == "read" and content == HANDSHAKE:
                seen.append(int(kind))

        context: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # clients of ours pin the identity key
        context.set_alpn_protocols([ALPN.decode()])
        context._msg_callback = note
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 120)) as connection:
            connection.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                connection.recv(1)
        return seen

    def test_none(self) -> None:
        """None is sent after the handshake."""
        directory = Path(self.mktemp()).resolve()
        directory.mkdir(parents=True)
        with ServerProgram(directory) as server:
            seen = self.messages(server.port)
        self.assertIn(FINISHED, seen)
        self.assertNotIn(NEW_SESSION_TICKET, seen)
