"""The table of commands: what happens around the handlers. Who may do what is in `tests.commands.test_matrix`."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands import table
from chatserv.commands.table import dispatch, error_reply
from chatserv.domain.hub import LiveSession
from chatserv.domain.roles import Role
from chatserv.errors import Muted, RateLimited
from chatserv.local_errors import SettingsError
from chatserv.wire import messages
from chatserv.wire.codec import Refused, client_decoder, encode_message, join
from tests.domain.test_hub import Box
from tests.support.server import WireServer


class Elsewhere(messages.Command, frozen=True, tag="elsewhere"):
    """A command that the table does not have."""


def session_of(server: WireServer, role: Role) -> LiveSession:
    """An attached session without rooms."""
    session = LiveSession(b"a" * 16, "alice", role, b"d" * 16, Box(), {})
    server.hub.attach(session)
    return session


class DispatchTests(SynchronousTestCase):
    """What `dispatch` promises."""

    def setUp(self) -> None:
        """A server."""
        self.server = WireServer()

    def reply(self, command: messages.Command, role: Role = Role.USER) -> Any:
        """The reply to a command."""
        session = session_of(self.server, role)
        return self.successResultOf(Deferred.fromCoroutine(dispatch(self.server.context, session, command)))

    def test_refused_before_the_handler(self) -> None:
        """A command that is forbidden leaves no trace."""
        self.reply(messages.MakeInvite(7))
        self.assertEqual(self.server.memory._accounts.invites.unused, {})

    def test_not_in_the_table(self) -> None:
        """What is not in the table is refused, for administrators too."""
        for role in Role:
            self.assertEqual(self.reply(Elsewhere(9), role).code, "unknown_type")

    def test_counted(self) -> None:
        """What is refused is counted by its code; what is done is not."""
        self.reply(messages.MakeInvite(7))
        self.reply(Elsewhere(9))
        self.reply(messages.Ping(3))
        self.assertEqual(dict(self.server.counts.of("refusals")), {"forbidden": 1, "unknown_type": 1})

    def test_expelled(self) -> None:
        """Nothing is done any more for a session that is being ended, whatever it had sent before."""
        session = session_of(self.server, Role.ADMIN)
        session.expelled = True
        running = Deferred.fromCoroutine(dispatch(self.server.context, session, messages.Ping(1)))
        reply: Any = self.successResultOf(running)
        self.assertEqual(reply.code, "not_authenticated")

    def test_audit(self) -> None:
        """What an administrator does, and what somebody tries who is none, is noted with its result; nothing else is."""
        self.reply(messages.Announce(1, "hello"), Role.ADMIN)
        self.reply(messages.SetBan(2, "address", "nowhere", on=True), Role.ADMIN)
        self.reply(messages.MakeInvite(3))
        self.reply(messages.Ping(4), Role.ADMIN)
        who = {"who": "alice", "way": "chat"}
        self.assertEqual(
            self.server.audited,
            [
                ("Announce", {**who, "result": "ok", "text": "hello"}),
                (
                    "SetBan",
                    {
                        "who": "alice",
                        "way": "chat",
                        "result": "bad_message",
                        "kind": "address",
                        "subject": "nowhere",
                        "on": True,
                    },
                ),
                (
                    "MakeInvite",
                    {**who, "result": "forbidden", "name": "", "admin": False, "reset": False},
                ),
            ],
        )

    def test_unknown_on_the_wire(self) -> None:
        """A message of a type that nobody knows is refused under its label, and its neighbours are taken."""
        parts = [encode_message(messages.Ping(1)), encode_message(Elsewhere(9)), encode_message(messages.Ping(2))]
        first, refused, last = client_decoder.decode(join(parts))
        self.assertEqual((first, last), (messages.Ping(1), messages.Ping(2)))
        assert isinstance(refused, Refused)
        self.assertEqual((refused.label, refused.error.code), (9, "unknown_type"))

    def test_bug_passes(self) -> None:
        """An exception that is no `WireError` is not turned into an answer here, nor is an error of another tree."""
        for error in (ZeroDivisionError(), SettingsError("f", "k", "m", "h")):

            async def broken(*_: Any, error: Exception = error) -> messages.Reply:
                raise error

            self.patch(table, "TABLE", {messages.Ping: table.Row(broken, table.UPKEEP)})
            running = Deferred.fromCoroutine(
                dispatch(self.server.context, session_of(self.server, Role.USER), messages.Ping(1))
            )
            self.failureResultOf(running, type(error))

    def test_error_reply(self) -> None:
        """An answer carries code, text, time and author of an error, never its detail."""
        reply = error_reply(5, RateLimited("the secret detail", after_seconds=2.5))
        self.assertEqual(
            (reply.label, reply.code, reply.retryable, reply.after_seconds), (5, "rate_limited", True, 2.5)
        )
        self.assertNotIn(b"secret", encode_message(reply))
        self.assertEqual(error_reply(5, Muted("", by="server")).by, "server")
