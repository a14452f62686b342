"""The operator's way back in."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.bootstrap import Prepared, prepare
from chatserv.config import Config, Logging
from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.local_errors import StateDirectoryError
from chatserv.models import AccountStatus, Ban, BanKind, Registration
from chatserv.net import keys
from chatserv.rescue import Rescue, carry_out
from chatserv.state_directory import StateDirectory
from chatserv.store import statements
from chatserv.store.database import writing_engine
from chatserv.store.limits import StoreLimits
from tests.support.sessions import rsa_key, seeded

NOW_MS = 1_795_000_000_000
EVERYBODY = Ban(BanKind.ADDRESS, "0.0.0.0/1", "alice", NOW_MS)


class RescueTests(SynchronousTestCase):
    """A server with alice, its administrator, and bob, who is suspended and banned; half the world is banned too."""

    def setUp(self) -> None:
        """Makes its directory, and lets it go."""
        self.directory = Path(self.mktemp())
        self.patch(keys, "generate_rsa", lambda: rsa_key("server"))
        prepared = self.start()
        engine = writing_engine(prepared.state.database)
        with engine.begin() as connection:
            for name, token in (("alice", sha256(prepared.invite or b"")), ("bob", None)):
                registration = Registration(token, name, name, name.encode(), name.encode() * 4, name.encode(), b"v")
                statements.register(connection, registration, NOW_MS, StoreLimits())
            statements.set_account(connection, "bob", None, True, True)
            for ban in (EVERYBODY, Ban(BanKind.ACCOUNT, "bob", "alice", NOW_MS)):
                statements.set_ban(connection, ban, True, StoreLimits())
        engine.dispose()

    def start(self) -> Prepared:
        """A start, and its end."""
        prepared = prepare(Config(), self.directory, NOW_MS, seeded("rescue"))
        prepared.state.release()
        return prepared

    def do(self, *, lift_bans: bool = False, unsuspend: tuple[str, ...] = (), grant: tuple[str, ...] = ()) -> list[str]:
        """What is told of an order."""
        return carry_out(Rescue(lift_bans, unsuspend, grant), self.directory, Logging())

    def bob(self) -> AccountStatus:
        """His account."""
        engine = writing_engine(self.directory / "chatserv.db")
        with engine.begin() as connection:
            found = statements.find_account(connection, "bob")
        engine.dispose()
        assert found is not None
        return found

    def test_lift_bans(self) -> None:
        """All bans are lifted and told; the server's log knows."""
        told = ["ban lifted: address 0.0.0.0/1", "ban lifted: account bob"]
        self.assertEqual(told, self.do(lift_bans=True))
        self.assertEqual((), self.start().bans)
        self.assertEqual(["there were no bans"], self.do(lift_bans=True))
        log = (self.directory / "logs" / "server.log").read_text()
        self.assertIn("[INFO] the operator: ban lifted: address 0.0.0.0/1\n", log)

    def test_unsuspend(self) -> None:
        """An account can log in again, whatever kept it out; what it may do stays, and so do other bans."""
        self.assertEqual(["bob can log in again"], self.do(unsuspend=("Bob",)))
        bob = self.bob()
        self.assertEqual((False, True, Role.USER), (bob.suspended, bob.muted, bob.account.role))
        self.assertEqual((EVERYBODY,), self.start().bans)

    def test_grant(self) -> None:
        """An account is made an administrator who is let in."""
        self.assertEqual(["bob is an administrator and can log in"], self.do(grant=("bob",)))
        bob = self.bob()
        self.assertEqual((False, Role.ADMIN), (bob.suspended, bob.account.role))
        self.assertEqual((EVERYBODY,), self.start().bans)

    def test_all_or_nothing(self) -> None:
        """Where one name is wrong, nothing is done."""
        for wrong in ("zoe", "two words", ""):
            error = self.assertRaises(StateDirectoryError, self.do, lift_bans=True, unsuspend=("bob", wrong))
            self.assertIn(f"no account {wrong}", str(error))
        self.assertTrue(self.bob().suspended)
        self.assertEqual(2, len(self.start().bans))

    def test_not_there(self) -> None:
        """Where no server has run, none is made; where one runs, it is told who."""
        nowhere = self.directory / "nowhere"
        self.assertRaises(StateDirectoryError, carry_out, Rescue(lift_bans=True), nowhere, Logging())
        self.assertFalse(nowhere.exists())
        held = StateDirectory(self.directory)
        self.addCleanup(held.release)
        self.assertIn(
            "in use by another chatserv", str(self.assertRaises(StateDirectoryError, self.do, lift_bans=True))
        )

    def test_nothing(self) -> None:
        """An order for nothing is none."""
        self.assertFalse(Rescue())
        for rescue in (Rescue(lift_bans=True), Rescue(unsuspend=("a",)), Rescue(grant=("a",))):
            self.assertTrue(rescue)
