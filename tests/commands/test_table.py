"""The table of commands: who may do what, and what happens to everything else."""

from collections.abc import Callable
from typing import Any, get_args

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands import table
from chatserv.commands.table import TABLE, dispatch, error_reply
from chatserv.domain.hub import LiveSession
from chatserv.domain.roles import Role
from chatserv.errors import RateLimited, SettingsError
from chatserv.wire import messages
from chatserv.wire.codec import Refused, client_decoder, encode_message, join
from tests.domain.test_hub import Box
from tests.support.server import MemoryServer

ADMIN_ONLY = {messages.MakeInvite}
EXAMPLES: dict[type[messages.Command], Callable[[MemoryServer], messages.Command]] = {
    messages.Ping: lambda _: messages.Ping(7),
    messages.Bye: lambda _: messages.Bye(7),
    messages.Sync: lambda server: messages.Sync(7, server.memory.incarnation),
    messages.Send: lambda server: messages.Send(7, server.lobby, b"i" * 16, 0, b"hello"),
    messages.History: lambda server: messages.History(7, server.lobby, 100),
    messages.MakeInvite: lambda _: messages.MakeInvite(7),
}


class Elsewhere(messages.Command, frozen=True, tag="elsewhere"):
    """A command that the table does not have."""


class EndingBox(Box):
    """An outbox that may end."""

    def end(self, reason: Any) -> None:  # noqa: ARG002 - any will do
        """Ends."""
        self.closed = True


def session_of(server: MemoryServer, role: Role) -> LiveSession:
    """An attached session that hears the lobby."""
    session = LiveSession(b"a" * 16, "alice", role, b"d" * 16, EndingBox(), {server.lobby: 0})
    server.hub.attach(session)
    return session


class DispatchTests(SynchronousTestCase):
    """What `dispatch` promises."""

    def setUp(self) -> None:
        """A server."""
        self.server = MemoryServer()

    def reply(self, command: messages.Command, role: Role = Role.USER) -> Any:
        """The reply to a command."""
        session = session_of(self.server, role)
        return self.successResultOf(Deferred.fromCoroutine(dispatch(self.server.context, session, command)))

    def test_every_command_has_a_row(self) -> None:
        """Every message that a client may send has a row, and there is no other row."""
        self.assertEqual(set(TABLE), set(get_args(messages.ClientMessage)))
        self.assertEqual(set(EXAMPLES), set(TABLE))

    def test_permissions(self) -> None:
        """Each command for each role: administrators may everything, users everything but the commands listed here."""
        for kind, example in EXAMPLES.items():
            for role in Role:
                with self.subTest(command=kind.__name__, role=role.name):
                    self.server = MemoryServer()
                    reply = self.reply(example(self.server), role)
                    self.assertEqual(reply.label, 7)
                    if role is Role.USER and kind in ADMIN_ONLY:
                        self.assertEqual((type(reply), reply.code), (messages.Error, "forbidden"))
                    else:
                        self.assertNotIsInstance(reply, messages.Error)

    def test_refused_before_the_handler(self) -> None:
        """A command that is forbidden leaves no trace."""
        self.reply(messages.MakeInvite(7))
        self.assertEqual(self.server.memory._invites, {})

    def test_not_in_the_table(self) -> None:
        """What is not in the table is refused, for administrators too."""
        for role in Role:
            self.assertEqual(self.reply(Elsewhere(9), role).code, "unknown_type")

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

            self.patch(table, "TABLE", {messages.Ping: table.Row(broken)})
            running = Deferred.fromCoroutine(
                dispatch(self.server.context, session_of(self.server, Role.USER), messages.Ping(1))
            )
            self.failureResultOf(running, type(error))

    def test_error_reply(self) -> None:
        """An answer carries code, text and time of an error, never its detail."""
        reply = error_reply(5, RateLimited("the secret detail", after_seconds=2.5))
        self.assertEqual(
            (reply.label, reply.code, reply.retryable, reply.after_seconds), (5, "rate_limited", True, 2.5)
        )
        self.assertNotIn(b"secret", encode_message(reply))
