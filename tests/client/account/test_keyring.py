"""The file with an account's keys."""

import json
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.account.keyring import FILE_NAME, Keyring, load_keyring, make_keyring, save_keyring
from chatserv.crypto.password import PasswordVerifier
from chatserv.crypto.statements import verify_certificate
from chatserv.crypto.suite import oaep
from chatserv.private_files import PrivateFileError
from chatserv.testing.memory_server import NOW_MS, PASSWORD, keyring, rsa_key, server_id


class KeyringTests(SynchronousTestCase):
    """Saving, loading and using."""

    def setUp(self) -> None:
        """A directory with alice's keyring."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir(mode=0o700)
        self.keyring = keyring("alice")
        self.path = self.directory / FILE_NAME

    def assert_refused(self, *words: str) -> None:
        """Loading fails with a text that names the file and says these words."""
        with self.assertRaises(PrivateFileError) as caught:
            load_keyring(self.directory)
        for word in (str(self.path), *words):
            self.assertIn(word, caught.exception.detail)

    def test_round_trip(self) -> None:
        """What was saved is loaded."""
        save_keyring(self.directory, self.keyring)
        self.assertEqual(load_keyring(self.directory), self.keyring)

    def test_none_yet(self) -> None:
        """A directory without a keyring has none."""
        self.assertIsNone(load_keyring(self.directory))

    def test_mode(self) -> None:
        """Only its owner may read the file, also after it was replaced."""
        for registered in (False, True):
            save_keyring(self.directory, msgspec.structs.replace(self.keyring, registered=registered))
            self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual([path.name for path in self.directory.iterdir()], [FILE_NAME])

    def test_others_may_read(self) -> None:
        """A keyring that others may read is refused, with the command that closes it."""
        save_keyring(self.directory, self.keyring)
        for mode in (0o640, 0o604, 0o660):
            self.path.chmod(mode)
            self.assert_refused("open to others", f"chmod 600 {self.path}")

    def test_damaged(self) -> None:
        """A keyring that does not parse, or lacks something, is refused as damaged."""
        save_keyring(self.directory, self.keyring)
        whole = self.path.read_bytes()
        lacking = json.loads(whole)
        del lacking["device_key"]
        for data in (b"", whole[:-1], b"\xff" + whole, b"[]", json.dumps(lacking).encode()):
            self.path.write_bytes(data)
            self.assert_refused("damaged", "backup")

    def test_newer_version(self) -> None:
        """A keyring of a newer version is refused with the advice to update."""
        save_keyring(self.directory, msgspec.structs.replace(self.keyring, version=2))
        self.assert_refused("newer version", "update this one")

    def test_repr(self) -> None:
        """Neither a key nor the verifier is in the repr."""
        self.assertEqual(repr(self.keyring), "Keyring(user='alice', host='chat.example', port=5000)")

    def test_credentials_repr(self) -> None:
        """What a session logs in and registers with hides its secrets too."""
        new = self.keyring.new_account(b"secret-token")
        self.assertNotIn("secret-token", repr(new) + repr(self.keyring.credentials()))

    def test_unwrapper(self) -> None:
        """The device's key opens what was sealed for it under the same label, and nothing else."""
        unwrap = self.keyring.unwrapper()
        sealed = rsa_key(f"device {self.keyring.user}").public_key().encrypt(b"secret", oaep(b"label"))
        self.assertEqual(unwrap(sealed, b"label"), b"secret")
        self.assertIsNone(unwrap(sealed, b"other"))
        self.assertIsNone(unwrap(b"short", b"label"))

    def test_password(self) -> None:
        """A keyring knows whether it was made with a password."""
        self.assertTrue(self.keyring.has_password(PASSWORD))
        self.assertFalse(self.keyring.has_password(PASSWORD + "x"))

    def test_no_verifier_is_kept(self) -> None:
        """Once the account is registered, nothing in the file tells whether a password is the right one."""
        registered = self.keyring.as_registered()
        self.assertTrue(registered.registered)
        self.assertEqual(registered.verifier, b"")
        self.assertFalse(registered.has_password(PASSWORD))
        # as version 0.1.0 left it
        save_keyring(self.directory, msgspec.structs.replace(self.keyring, registered=True))
        self.assertEqual(load_keyring(self.directory), registered)
        self.assertEqual(json.loads(self.path.read_bytes())["verifier"], "")

    def test_made(self) -> None:
        """New keys come with a certificate that verifies, a verifier that parses, and are not registered."""
        made: Keyring = make_keyring(
            server_id(), ("chat.example", 5000), "bob", PASSWORD, NOW_MS, lambda size: b"r" * size
        )
        identity = made.new_account(b"").identity_spki
        facts = verify_certificate(made.certificate, identity, server_id())
        self.assertEqual((facts.user, facts.device_id), ("bob", made.device_id))
        PasswordVerifier.decode(made.verifier)
        self.assertFalse(made.registered)
        self.assertNotIn(PASSWORD.encode(), msgspec.json.encode(made))
