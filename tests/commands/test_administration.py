"""What administrators do: suspend, mute, ban, change roles, announce."""

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.closing import CloseReason
from chatserv.domain.roles import Role
from chatserv.wire import messages
from tests.support.server import MemoryClient, WireServer
from tests.support.smith import code


class AdministrationTests(SynchronousTestCase):
    """An administrator and Bob are online."""

    def setUp(self) -> None:
        """Both hear the lobby."""
        self.server = WireServer(bans=3)
        self.admin, self.bob = self.server.join("ada", Role.ADMIN), self.server.join("bob")
        for client in (self.admin, self.bob):
            client.sync()

    def refused(self, client: MemoryClient) -> str | None:
        """Why a login was refused, or None."""
        return None if client.error is None else client.error.code

    def restart(self) -> None:
        """The server starts anew; the administrator comes back."""
        self.server.restart()
        self.admin = self.server.log_in(self.admin.account)

    def ended(self, why: str) -> None:
        """Bob was told why, and his connection has ended; nothing more reaches him."""
        self.assertEqual(self.bob.received[-1], messages.Farewell(why))
        self.assertEqual((self.bob.close_reason, self.bob.lost), (CloseReason.NORMAL, True))
        self.assertEqual(self.server.hub.sessions_of("bob"), [])

    def test_suspend(self) -> None:
        """A suspended account's sessions end, and it cannot log in, also after a restart, until that is lifted."""
        self.assertEqual(code(self.admin.ask(messages.Suspend, user="bob", on=True)), "Ok")
        self.ended("suspended")
        for _ in range(2):
            self.assertEqual(self.refused(self.server.log_in(self.bob.account)), "forbidden")
            self.restart()
        state = self.server.smith.state(self.server.lobby)
        assert state is not None
        self.assertIsNotNone(state.device(self.bob.account.device_id))
        self.admin.ask(messages.Suspend, user="bob", on=False)
        again = self.server.log_in(self.bob.account)
        self.assertEqual((self.refused(again), len(again.one(messages.Welcome).rooms)), (None, 1))

    def test_stranger_learns_nothing(self) -> None:
        """Who cannot prove to be the device of a suspended account hears what every stranger hears."""
        self.admin.ask(messages.Suspend, user="bob", on=True)
        stranger = self.server.account("bob")
        self.assertEqual(self.refused(self.server.log_in(stranger)), "auth_failed")

    def test_commands_that_were_on_their_way(self) -> None:
        """What a suspended session had sent already is not done."""
        self.bob.tell(messages.BeginCommit(90, self.server.lobby))
        self.server.settle()
        self.admin.ask(messages.Suspend, user="bob", on=True)
        self.assertEqual(self.server.message_seqs(), [])
        self.assertEqual(code(self.admin.begin(self.server.lobby)), "Lease")

    def test_unknown(self) -> None:
        """An account that there is not cannot be suspended, muted or promoted."""
        for reply in (
            self.admin.ask(messages.Suspend, user="nobody", on=True),
            self.admin.ask(messages.ServerMute, user="nobody", on=True),
            self.admin.ask(messages.SetServerRole, user="nobody", admin=True),
        ):
            self.assertEqual(code(reply), "not_found")
        self.assertEqual(code(self.admin.ask(messages.Suspend, user="two words", on=True)), "name_invalid")

    def test_last_administrator(self) -> None:
        """Nobody takes the server its last administrator, by whatever means."""
        for reply in (
            self.admin.ask(messages.Suspend, user="ada", on=True),
            self.admin.ask(messages.SetServerRole, user="ada", admin=False),
            self.admin.ask(messages.SetBan, kind="account", subject="ada", on=True),
        ):
            self.assertEqual(code(reply), "forbidden")
        self.admin.ask(messages.SetBan, kind="account", subject="bob", on=True)
        self.assertEqual(code(self.admin.ask(messages.SetServerRole, user="bob", admin=True)), "forbidden")
        self.assertFalse(self.admin.lost)

    def test_oneself(self) -> None:
        """What ends one's own way back is not done, also where there is another administrator, who may do it."""
        self.admin.ask(messages.SetServerRole, user="bob", admin=True)
        for reply in (
            self.admin.ask(messages.Suspend, user="Ada", on=True),
            self.admin.ask(messages.SetServerRole, user="ADA", admin=False),
            self.admin.ask(messages.SetBan, kind="account", subject="ada", on=True),
        ):
            self.assertEqual(code(reply), "forbidden")
        self.assertFalse(self.admin.lost)
        self.assertEqual(code(self.admin.ask(messages.Suspend, user="ada", on=False)), "Ok")
        self.assertEqual(code(self.bob.ask(messages.SetServerRole, user="ada", admin=False)), "Ok")
        self.assertEqual(code(self.admin.ask(messages.ListBans)), "forbidden")

    def test_where_one_comes_from(self) -> None:
        """Nobody bans their own address, the server's own machine or nearly everybody; a ban from before can be lifted."""
        self.server.host = "198.51.100.7"
        self.admin = self.server.log_in(self.admin.account)
        for subject, refusal in (
            ("198.51.100.7", "forbidden"),
            ("198.51.0.0/16", "forbidden"),
            ("::ffff:198.51.100.0/120", "forbidden"),
            ("127.0.0.1", "forbidden"),
            ("127.8.0.0/16", "forbidden"),
            ("::1", "forbidden"),
            ("0.0.0.0/1", "bad_message"),
            ("128.0.0.0/1", "bad_message"),
            ("2000::/3", "bad_message"),
        ):
            reply = self.admin.ask(messages.SetBan, kind="address", subject=subject, on=True)
            self.assertEqual(code(reply), refusal, subject)
            self.assertEqual(code(self.admin.ask(messages.SetBan, kind="address", subject=subject, on=False)), "Ok")
        for host in ("198.51.100.7", "127.0.0.1", "203.0.113.9", "2001:db8::1"):
            self.assertTrue(self.connects(host), host)
        self.assertEqual(
            code(self.admin.ask(messages.SetBan, kind="address", subject="198.51.101.0/24", on=True)), "Ok"
        )

    def test_role(self) -> None:
        """A new role counts at once, and after a restart; names come in any spelling."""
        self.assertEqual(code(self.bob.ask(messages.ListBans)), "forbidden")
        self.assertEqual(code(self.admin.ask(messages.SetServerRole, user="BOB", admin=True)), "Ok")
        self.assertEqual(code(self.bob.ask(messages.ListBans)), "BanList")
        self.restart()
        self.bob = self.server.log_in(self.bob.account)
        self.assertEqual(self.bob.one(messages.Welcome).role, "admin")
        self.admin.ask(messages.SetServerRole, user="bob", admin=False)
        self.assertEqual(code(self.bob.ask(messages.ListBans)), "forbidden")

    def test_ban_of_a_name(self) -> None:
        """A banned name neither logs in nor registers, at once and after a restart, until that is lifted."""
        self.assertEqual(code(self.admin.ask(messages.SetBan, kind="account", subject="Bob", on=True)), "Ok")
        self.ended("banned")
        self.admin.ask(messages.SetBan, kind="account", subject="eve", on=True)
        for _ in range(2):
            self.assertEqual(self.refused(self.server.log_in(self.bob.account)), "forbidden")
            self.assertEqual(self.refused(self.server.log_in(self.server.account("eve"), token=b"")), "forbidden")
            self.restart()
        for name in ("bob", "eve"):
            self.admin.ask(messages.SetBan, kind="account", subject=name, on=False)
        self.assertIsNone(self.refused(self.server.log_in(self.bob.account)))
        self.assertIsNone(self.refused(self.server.log_in(self.server.account("eve"), token=b"")))

    def connects(self, host: str) -> bool:
        """Whether a connection from there is taken."""
        address = (IPv6Address if ":" in host else IPv4Address)("TCP", host, 4000)
        protocol = self.server.factory.build(address, tls=False)
        if protocol is not None:
            self.server.factory.forget(protocol)
        return protocol is not None

    def test_ban_of_an_address(self) -> None:
        """Nobody connects from a banned address or network, at once and after a restart; others do."""
        for subject in ("192.0.2.7", "198.51.100.0/24", "2001:db8::/32"):
            self.assertEqual(code(self.admin.ask(messages.SetBan, kind="address", subject=subject, on=True)), "Ok")
        self.assertFalse(self.bob.lost)
        for _ in range(2):
            for host in ("192.0.2.7", "198.51.100.200", "::ffff:192.0.2.7", "2001:db8:1::1"):
                self.assertFalse(self.connects(host), host)
            for host in ("192.0.2.8", "198.51.101.1", "2001:db9::1", "127.0.0.1"):
                self.assertTrue(self.connects(host), host)
            self.restart()
        self.admin.ask(messages.SetBan, kind="address", subject="192.0.2.7/32", on=False)
        self.assertTrue(self.connects("192.0.2.7"))

    def test_impossible_bans(self) -> None:
        """What is no address, everybody, and an unknown kind are refused."""
        for kind, subject in (
            ("address", "nowhere"),
            ("address", "0.0.0.0/0"),
            ("address", "::/0"),
            ("address", "192.0.2.0/33"),
            ("planet", "earth"),
        ):
            reply = self.admin.ask(messages.SetBan, kind=kind, subject=subject, on=True)
            self.assertEqual(code(reply), "bad_message", subject)

    def test_most_bans(self) -> None:
        """There are as many bans as the limit; one more is refused and not in force."""
        for number in range(3):
            self.admin.ask(messages.SetBan, kind="address", subject=f"192.0.2.{number}", on=True)
        self.assertEqual(code(self.admin.ask(messages.SetBan, kind="address", subject="192.0.2.9", on=True)), "quota")
        self.assertTrue(self.connects("192.0.2.9"))
        found = self.admin.ask(messages.ListBans, after="192.0.2.0")
        self.assertEqual([ban.subject for ban in found.bans], ["192.0.2.1", "192.0.2.2"])
        self.assertEqual((found.more, found.bans[0].kind, found.bans[0].by), (False, "address", "ada"))

    def test_long_lists(self) -> None:
        """Lists come in pages of a hundred, in order, with a word about whether there is more."""
        server = WireServer()
        admin = server.join("ada", Role.ADMIN)
        for number in range(101):
            server.smith.register(server.account(f"user{number:03}"))
            admin.ask(messages.SetBan, kind="account", subject=f"user{number:03}", on=True)
        first = admin.ask(messages.ListAccounts)
        rest = admin.ask(messages.ListAccounts, after=first.accounts[-1].name)
        names = [item.name for item in (*first.accounts, *rest.accounts)]
        self.assertEqual((first.more, rest.more, len(first.accounts)), (True, False, 100))
        self.assertEqual(names, sorted(names))
        self.assertEqual(len(set(names)), 103)
        bans = admin.ask(messages.ListBans)
        self.assertEqual((bans.more, len(bans.bans)), (True, 100))
        self.assertEqual(len(admin.ask(messages.ListBans, after=bans.bans[-1].subject).bans), 1)

    def test_same_subject(self) -> None:
        """An address and an account of the same subject are never on two pages: the second would be lost."""
        server = WireServer()
        admin = server.join("ada", Role.ADMIN)
        for number in range(99):
            admin.ask(messages.SetBan, kind="address", subject=f"10.0.0.{number}", on=True)
        for kind in ("address", "account"):
            admin.ask(messages.SetBan, kind=kind, subject="9.9.9.9", on=True)
        first = admin.ask(messages.ListBans)
        rest = admin.ask(messages.ListBans, after=first.bans[-1].subject)
        self.assertEqual((len(first.bans), first.more), (99, True))
        self.assertEqual([ban.kind for ban in rest.bans], ["account", "address"])

    def test_accounts(self) -> None:
        """The list says of each account what it is."""
        self.admin.ask(messages.ServerMute, user="bob", on=True)
        found = {item.name: item for item in self.admin.ask(messages.ListAccounts).accounts}
        self.assertEqual((found["ada"].role, found["ada"].muted), ("admin", False))
        self.assertEqual((found["bob"].role, found["bob"].muted, found["bob"].suspended), ("user", True, False))

    def test_announce(self) -> None:
        """Everybody who is online is told."""
        stranger = self.server.join("stranger", lobby=False)
        self.admin.ask(messages.Announce, text="tea at five")
        for client in (self.admin, self.bob, stranger):
            self.assertEqual(
                client.one(messages.Announcement), messages.Announcement("tea at five", self.server.now_ms())
            )
