"""Invites."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.wire import messages
from tests.support.server import WireServer

HOUR_MS = 3_600_000


class MakeInviteTests(SynchronousTestCase):
    """What `make_invite` promises."""

    def setUp(self) -> None:
        """An administrator on a server that takes three invites, and needs one for each registration."""
        self.server = WireServer(registration="invite", open_invites=3, invite_hours=2)
        self.admin = self.server.join("alice", Role.ADMIN)

    def invite(self, **fields: Any) -> Any:
        """The reply to an invite command."""
        return self.admin.ask(messages.MakeInvite, **fields)

    def test_where_links_lead(self) -> None:
        """The answer names the advertised host with the server's port, and nothing where none is advertised."""
        self.assertEqual(("", 0), (self.invite().host, self.invite().port))
        server = WireServer(advertise="Chat.Example")
        invited = server.join("alice", Role.ADMIN).ask(messages.MakeInvite)
        self.assertEqual(("chat.example", 5000, ()), (invited.host, invited.port, invited.others))
        server = WireServer(advertise="a.example, b.example:443, [::1]:7")
        invited = server.join("alice", Role.ADMIN).ask(messages.MakeInvite)
        self.assertEqual(("a.example", ("b.example:443", "[::1]:7")), (invited.host, invited.others))

    def test_closed(self) -> None:
        """Where nobody can register, no link is made that would not work."""
        msgspec.structs.force_setattr(self.server.config.security, "registration", "closed")
        self.assertEqual(("forbidden", "server"), (self.invite().code, self.invite().by))

    def test_works_once(self) -> None:
        """An invite lets one account in, as a user, and then nobody."""
        token = self.invite().token
        bob = self.server.log_in(self.server.account("bob"), token=token)
        self.assertEqual(bob.one(messages.Welcome).role, "user")
        carol = self.server.log_in(self.server.account("carol"), token=token)
        assert carol.error is not None
        self.assertEqual(carol.error.code, "invite_invalid")

    def test_administrator(self) -> None:
        """An invite for an administrator makes one."""
        bob = self.server.log_in(self.server.account("bob"), token=self.invite(admin=True).token)
        self.assertEqual(bob.one(messages.Welcome).role, "admin")

    def test_only_the_hash_is_kept(self) -> None:
        """The store learns the hash of a token, never the token; no two tokens are the same."""
        tokens = {self.invite().token for _ in range(3)}
        self.assertEqual(len(tokens), 3)
        stored = repr(self.server.memory._accounts.invites.unused).encode()
        for token in tokens:
            self.assertIn(sha256(token), self.server.memory._accounts.invites.unused)
            self.assertNotIn(repr(token).encode(), stored)

    def test_end(self) -> None:
        """An invite says when it ends, works until then, and not at that moment."""
        first, second = self.invite(), self.invite()
        self.assertEqual(first.expires, self.server.now_ms() + 2 * HOUR_MS)
        self.server.clock.advance(2 * 3600 - 1)
        self.assertTrue(self.server.log_in(self.server.account("bob"), token=first.token).authenticated)
        self.server.clock.advance(1)
        self.assertFalse(self.server.log_in(self.server.account("carol"), token=second.token).authenticated)

    def test_quota(self) -> None:
        """As many open invites as the limit can be had; the next is refused until one is used."""
        tokens = [self.invite().token for _ in range(3)]
        self.assertEqual(self.invite().code, "quota")
        self.server.log_in(self.server.account("bob"), token=tokens[0])
        self.assertIsInstance(self.invite(), messages.Invited)

    def test_for_one_name(self) -> None:
        """An invite for a name, in any spelling of it, lets nobody else in."""
        token = self.invite(name="BOB").token
        self.assertFalse(self.server.log_in(self.server.account("carol"), token=token).authenticated)
        self.assertTrue(self.server.log_in(self.server.account("bob"), token=token).authenticated)

    def test_impossible_name(self) -> None:
        """An invite for a name that nobody can have is refused."""
        self.assertEqual(self.invite(name="two words").code, "name_invalid")
