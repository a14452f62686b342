"""The server's own identity key on the disk, and how it gets another one."""

from pathlib import Path

from chatserv import own_identity
from chatserv.crypto.log_leaves import LeafType
from chatserv.crypto.password import own_secret
from chatserv.crypto.server_keys import MAX_ROTATIONS
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.local_errors import StateDirectoryError
from chatserv.net import keys
from chatserv.own_identity import Rotated, rotate_identity
from chatserv.store.database import DatabaseRefused, writing_engine
from chatserv.store.schema import log_leaf
from tests.support.sessions import rsa_key, spki
from tests.test_bootstrap import NOW_MS, BootstrapCase

FIRST = sha256(spki("server"))


class Killed(Exception):
    """The process dies here."""


class RotationTests(BootstrapCase):
    """A server that was started once."""

    def setUp(self) -> None:
        """Its keys have names: the first start makes "server", each rotation the next one."""
        super().setUp()
        names = iter(["server", *(f"one of many {number}" for number in range(MAX_ROTATIONS + 1))])

        def generate() -> object:
            return rsa_key(next(names))

        self.patch(keys, "generate_rsa", generate)
        self.patch(own_identity, "generate_rsa", generate)
        self.first = self.start()

    def rotate(self) -> Rotated:
        """One rotation."""
        return rotate_identity(self.directory, NOW_MS)

    def kill_in(self, name: str) -> None:
        """A rotation whose process dies when it calls this."""

        def die(*_: object) -> None:
            raise Killed

        with self.assertRaises(Killed):
            patched = self.patch(own_identity, name, die)
            try:
                self.rotate()
            finally:
                patched.restore()

    def test_rotated(self) -> None:
        """The next start speaks with the new key, has the same name, and its logins by password the same secret."""
        done = self.rotate()
        second = sha256(spki("one of many 0"))
        self.assertEqual(Rotated(FIRST, FIRST, second), done)
        prepared = self.start()
        self.assertEqual((FIRST, second), (prepared.public.server_id, prepared.public.key_id))
        self.assertEqual(own_secret(rsa_key("server")), prepared.login_secret)
        self.assertEqual([LeafType.SERVER_KEY], [leaf[0] for leaf in prepared.stored.log])
        self.assertFalse((self.directory / "identity-next.pem").exists())
        self.rotate()
        self.assertEqual(own_secret(rsa_key("server")), self.start().login_secret)
        self.assertEqual(2, len(self.start().rotations))

    def test_no_other_file(self) -> None:
        """Nothing that is left has the old key in it."""
        old = (self.directory / "identity.pem").read_bytes()
        self.rotate()
        for file in Path(self.directory).rglob("*"):
            if file.is_file():
                self.assertNotIn(old[100:200], file.read_bytes(), file)

    def test_killed_before_the_log(self) -> None:
        """Where the log has no leaf yet, everything is as before."""
        self.kill_in("append_leaves")
        self.assertTrue((self.directory / "identity-next.pem").exists())
        prepared = self.start()
        self.assertEqual((FIRST, ()), (prepared.public.key_id, prepared.rotations))
        self.assertFalse((self.directory / "identity-next.pem").exists())

    def test_killed_at_each_step_of_the_end(self) -> None:
        """Wherever the last step is cut, also where the old key is gone already."""
        for name in ("overwrite", "sync_directory"):
            before = self.start().public.key_id
            self.kill_in(name)
            prepared = self.start()
            self.assertNotEqual(before, prepared.public.key_id)
            self.assertEqual(sha256(rsa_spki(prepared.identity.public_key())), prepared.public.key_id)

    def test_another_key(self) -> None:
        """A key that the log does not name is refused, with the file: an old copy of it does not come back."""
        old = (self.directory / "identity.pem").read_bytes()
        self.rotate()
        (self.directory / "identity.pem").write_bytes(old)
        error = self.assertRaises(StateDirectoryError, self.start)
        self.assertIn("identity.pem: not the newest key of this server", str(error))

    def test_changed_log(self) -> None:
        """A leaf that nobody has signed is refused."""
        self.rotate()
        engine = writing_engine(self.directory / "chatserv.db")
        with engine.begin() as connection:
            connection.execute(log_leaf.update().values(statement=b"x" * 1658))
        engine.dispose()
        self.assertRaises(DatabaseRefused, self.start)

    def test_bound(self) -> None:
        """As often as clients follow, and no more."""
        for _ in range(MAX_ROTATIONS):
            self.rotate()
        self.assertIn(f"has changed {MAX_ROTATIONS} times", str(self.assertRaises(StateDirectoryError, self.rotate)))
        self.assertEqual(MAX_ROTATIONS, len(self.start().rotations))

    def test_refused(self) -> None:
        """Where a server runs, or none ever did, nothing is changed."""
        self.assertRaises(StateDirectoryError, rotate_identity, Path(self.mktemp()), NOW_MS)
        running = self.first.state.__class__(self.directory)
        self.addCleanup(running.release)
        self.assertRaises(StateDirectoryError, self.rotate)
