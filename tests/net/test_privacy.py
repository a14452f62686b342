"""What never gets into a log: texts, invites, keys."""

import base64
from typing import Any

from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.logs import format_line
from chatserv.wire import messages
from tests.support.server import WireServer

TEXT = "MEET ME AT THE OLD MILL"


def everything(event: LogEvent) -> str:
    """All that any observer could make of an event: its line, each value, and the values within."""
    found = [formatEvent(event), format_line(event, 0.0)]
    for value in event.values():
        found += [str(value), repr(value)]
        if isinstance(value, Failure):
            found += [value.getTraceback(), value.getTraceback(elideFrameworkCode=True)]
    return "\n".join(found)


def spellings(secret: bytes) -> list[str]:
    """How bytes may look in a text."""
    return [
        secret.hex(),
        repr(secret)[2:-1],
        base64.b64encode(secret).decode().rstrip("="),
        base64.urlsafe_b64encode(secret).decode().rstrip("="),
    ]


class PrivacyTests(SynchronousTestCase):
    """What logs hold of a whole life of a server."""

    def script(self, server: WireServer) -> list[bytes]:
        """Everything that people do, and some things that go wrong. Returns the secrets that it used."""
        admin = server.join("alice", Role.ADMIN)
        admin.sync()
        token = admin.ask(messages.MakeInvite).token
        bob = server.log_in(server.account("bob"), token=token)
        bob.join_room(server.lobby)
        bob.sync()
        server.log_in(server.account("carol"), token=token)
        wrong = b"w" * 32
        server.log_in(server.account("dave"), token=wrong)
        server.log_in(server.account("eve"))
        for client in (admin, bob):
            client.say(TEXT)
            client.say(TEXT, room=b"?" * 16)
            client.say(TEXT * 1000)
        bob.ask(messages.History, room=server.lobby, before=100)
        bob.transmit([b"\x83\xa1t\xa4send\xa5label\x05\xa8envelope\xb7" + TEXT.encode()])
        server.settle()
        self.patch(server.memory, "append", lambda *_: 1 // 0)
        bob.say(TEXT)
        bob.raw(TEXT.encode() + b"\r\n")
        server.settle()
        again = server.log_in(bob.account)
        server.log_in(bob.account)
        again.drop()
        admin.raw(b"A" * 70_000)
        server.settle()
        server.factory.drain()
        server.settle()
        secrets = [token, wrong, sha256(token)]
        for client in (admin, bob):
            secrets += [client.account.signing_key.private_bytes_raw(), client.account.verifier]
            secrets += [line[:-2] for line in client.sent[1:]]
        return secrets

    def test_no_secret(self) -> None:
        """No text, token, key or record of a whole session is in any value of any event."""
        server = WireServer(registration="invite")
        with capturedLogs() as events:
            secrets = self.script(server)
        self.assertGreater(len(self.flushLoggedErrors(ZeroDivisionError)), 0)
        self.assertGreaterEqual(len(events), 12)
        logged = "\n".join(everything(event) for event in events)
        self.assertIn("alice", logged)
        for word in (TEXT, "OLD MILL", *(spelling for secret in secrets for spelling in spellings(secret))):
            self.assertNotIn(word, logged)

    def test_one_line_for_each_end(self) -> None:
        """Each connection that ends is one event with its address, name, age and reason."""
        server = WireServer()
        with capturedLogs() as events:
            alice = server.join("alice")
            server.advance(3)
            alice.ask(messages.Bye)
            server.log_in(server.account("stranger"))
        ends: list[Any] = [event for event in events if "why" in event]
        self.assertEqual([(end["name"], end["seconds"]) for end in ends], [("alice", 3.0), ("nobody yet", 0.0)])
        self.assertIn("ended: normal", ends[0]["why"])
        self.assertIn("auth_failed", ends[1]["why"])
        self.assertTrue(all(str(end["peer"]).startswith("127.0.0.1:") for end in ends))
