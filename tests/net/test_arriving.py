"""What is changed while a login is under way is noticed, whichever step the login is at (docs/crypto.rst)."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.statements import Revocation, make_revocation
from chatserv.domain.roles import Role
from chatserv.wire import messages
from tests.support.server import IDENTITY, MemoryClient, WireServer
from tests.support.sessions import rsa_key
from tests.support.smith import code

ELSEWHERE = "192.0.2.9"
STEPS = ("device", "arriving", "session_number")  # what the store is asked on the way in


class ArrivingTests(SynchronousTestCase):
    """Bob comes; an administrator, or another device of his, is online."""

    def arrive(
        self, step: str, change: Callable[[WireServer, MemoryClient, MemoryClient], Any], role: Role = Role.USER
    ) -> MemoryClient:
        """Bob's login, where something changes while one of the store's answers, the true one of before, is on its way."""
        server = WireServer()
        admin, bob = server.join("ada", Role.ADMIN), server.join("bob", role)
        bob.drop()
        server.settle()
        real, arriving = getattr(server.memory, step), Deferred[None]()
        asked: list[bool] = []

        async def slow(*given: Any) -> Any:
            found = await real(*given)
            if not asked:
                asked.append(True)
                await arriving
            return found

        self.patch(server.memory, step, slow)
        server.host = ELSEWHERE  # an administrator cannot ban the address that they come from
        again = server.log_in(bob.account)
        self.assertEqual(([True], []), (asked, again.all(messages.Welcome)))
        self.assertIn(code(change(server, admin, bob)), {"Ok"})
        arriving.callback(None)
        server.settle()
        return again

    def refused(self, client: MemoryClient) -> str | None:
        """Why a login was refused; None where it was let in."""
        self.assertEqual(client.error is None, bool(client.server.hub.sessions_of("bob")))
        return None if client.error is None else client.error.code

    def test_suspended(self) -> None:
        """Who is suspended meanwhile is not let in."""
        for step in STEPS:
            late = self.arrive(step, lambda _, admin, __: admin.ask(messages.Suspend, user="bob", on=True))
            self.assertEqual("forbidden", self.refused(late), step)

    def test_banned(self) -> None:
        """Nor who is banned, by name or by address."""
        for step in STEPS:
            for kind, subject in (("account", "bob"), ("address", ELSEWHERE)):

                def ban(_: Any, admin: MemoryClient, __: Any, kind: str = kind, subject: str = subject) -> Any:
                    return admin.ask(messages.SetBan, kind=kind, subject=subject, on=True)

                self.assertEqual("forbidden", self.refused(self.arrive(step, ban)), (step, kind))

    def test_revoked(self) -> None:
        """Nor a device that is revoked by another one of its user."""

        def revoke(server: WireServer, admin: MemoryClient, bob: MemoryClient) -> Any:
            said = Revocation(bob.account.device_id, bob.account.cert_hash, server.now_ms(), 0)
            live = admin.seat.live
            assert live is not None
            live.name = "bob"  # as if they were two devices of one account
            reply = admin.ask(messages.Revoke, statement=make_revocation(said, rsa_key(IDENTITY)))
            server.hub.detach(live)
            return reply

        for step in STEPS:
            self.assertEqual("auth_failed", self.refused(self.arrive(step, revoke)), step)

    def test_muted(self) -> None:
        """Who is muted meanwhile comes in muted."""
        for step in STEPS:
            late = self.arrive(step, lambda _, admin, __: admin.ask(messages.ServerMute, user="bob", on=True))
            self.assertEqual((None, True), (self.refused(late), late.one(messages.Welcome).muted), step)
            self.assertEqual("muted", code(late.say("hello")), step)

    def test_promoted(self) -> None:
        """Who is made an administrator meanwhile is one."""
        for step in STEPS:
            late = self.arrive(step, lambda _, admin, __: admin.ask(messages.SetServerRole, user="bob", admin=True))
            self.assertEqual((None, "admin"), (self.refused(late), late.one(messages.Welcome).role), step)

    def test_demoted(self) -> None:
        """Who is none any more is none."""
        for step in STEPS:
            late = self.arrive(
                step, lambda _, admin, __: admin.ask(messages.SetServerRole, user="bob", admin=False), Role.ADMIN
            )
            self.assertEqual((None, "user"), (self.refused(late), late.one(messages.Welcome).role), step)
            self.assertEqual("forbidden", code(late.ask(messages.MakeInvite)), step)

    def test_banned_address_registers_nobody(self) -> None:
        """Who began to register before their address was banned makes no account, and no invite is spent."""
        server = WireServer()
        admin = server.join("ada", Role.ADMIN)
        server.host = ELSEWHERE
        server.pool.held = True
        carol = server.connect(server.account("carol"), token=b"")
        assert carol is not None
        carol.start()
        server.settle()
        admin.ask(messages.SetBan, kind="address", subject=ELSEWHERE, on=True)
        server.pool.held = False
        server.pool.release()
        server.settle()
        self.assertEqual("forbidden", None if carol.error is None else carol.error.code)
        self.assertIsNone(server.wait(server.memory.account("carol")))
