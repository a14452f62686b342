"""The file with an account's keys."""

import json
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.account.failures import ProfileError
from chatserv.client.account.keyring import FILE_NAME, Keyring, NewDevice, NoIdentityKey, make_keyring
from chatserv.client.account.profile import Profile
from chatserv.client.client import Client
from chatserv.crypto.password import PasswordVerifier
from chatserv.crypto.statements import make_certificate, verify_certificate
from chatserv.crypto.suite import oaep
from chatserv.private_files import PrivateFileError
from chatserv.testing.memory_server import NOW_MS, PASSWORD, keyring, rsa_key, server_id
from chatserv.wire.fields import MAX_ADDRESSES

CHAT = ("chat.example", 5000)


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
            Profile(self.directory).keyring()
        for word in (str(self.path), *words):
            self.assertIn(word, caught.exception.detail)

    def test_round_trip(self) -> None:
        """What was saved is loaded."""
        Profile(self.directory).save_keyring(self.keyring)
        self.assertEqual(Profile(self.directory).keyring(), self.keyring)

    def test_new_device(self) -> None:
        """A device that waits for its certificate is made again from its keyring; without the identity key it signs none."""
        new = NewDevice.make(NOW_MS, bytes)
        facts = new.facts(server_id(), "alice", self.keyring.identity_fingerprint())
        certificate = make_certificate(facts, self.keyring.load_identity(), new.signing)
        made = new.keyring((server_id(), "chat.example", 5000), "alice", certificate)
        self.assertTrue(made.enrolling)
        self.assertFalse(made.as_registered().enrolling or self.keyring.enrolling)
        again = NewDevice.of(made)
        self.assertEqual(again.facts(server_id(), "alice", facts.identity_fingerprint), facts)
        self.assertEqual(again.offer, new.offer)
        self.assertRaises(NoIdentityKey, made.load_identity)
        self.assertRaises(NoIdentityKey, made.identity_spki)

    def test_enrolment_not_finished(self) -> None:
        """A profile whose enrolment was begun makes no client: it would register an account that exists."""
        profile = Profile(self.directory)
        profile.save_keyring(msgspec.structs.replace(self.keyring, verifier=b""))
        error = self.assertRaises(ProfileError, Client, profile, None)
        self.assertIn("log in again", error.detail)

    def test_addresses(self) -> None:
        """Where the person says that the server is comes first, each address once; where it was found stays known."""
        ring = self.keyring.as_registered().moved((("b.example", 5000), ("::1", 5001)))
        self.assertEqual((("b.example", 5000), ("::1", 5001), CHAT), ring.everywhere)
        again = ring.moved((("::1", 5001), ("c.example", 1)))
        self.assertEqual((("::1", 5001), ("c.example", 1), CHAT), again.everywhere)
        self.assertEqual(again, again.moved((("::1", 5001), ("c.example", 1))))

    def test_links_displace_nothing(self) -> None:
        """However many addresses links name: where the server was found, and what it tells, are tried all the same."""
        ring = self.keyring.as_registered()
        ring = told = msgspec.structs.replace(ring, addresses=("b.example:1", "c.example:1"))
        for number in range(MAX_ADDRESSES + 1):
            link = tuple((f"evil{number}-{each}.example", 1) for each in range(MAX_ADDRESSES))
            ring = ring.moved(link)
            self.assertEqual((*link[:1], *told.everywhere[1:]), ring.named)
            self.assertEqual({*link, *told.everywhere}, set(ring.everywhere))

    def test_only_who_was_there_has_found(self) -> None:
        """Of a link that nobody has registered by yet nothing stays where another one is given."""
        ring = self.keyring.moved((("b.example", 1),))
        self.assertEqual((("b.example", 1),), ring.everywhere)

    def test_found(self) -> None:
        """Where the server was found comes first; of those before the newest stay known, and what the person gave does."""
        ring = self.keyring
        self.assertIs(ring, ring.found_at(CHAT))
        for number in range(2 * MAX_ADDRESSES):
            given = ("given.example", number + 1)
            ring = ring.moved((given,)).found_at(given)
            for node in range(MAX_ADDRESSES + 1):
                ring = ring.found_at((f"h{node}.example", 1))
                self.assertEqual((f"h{node}.example", 1), ring.everywhere[0])
                self.assertIn(given, ring.everywhere)
        self.assertEqual(MAX_ADDRESSES, len(ring.found))
        self.assertEqual(f"h{MAX_ADDRESSES}.example:1", ring.found[0])
        self.assertIs(ring, ring.found_at((f"h{MAX_ADDRESSES}.example", 1)))
        self.assertIn((f"h{MAX_ADDRESSES}.example", 1), ring.moved((("evil.example", 1),)).everywhere)

    def test_moved(self) -> None:
        """A profile is told where its server is besides; one of version 0.1.0, which knew one address, opens as it is."""
        profile = Profile(self.directory)
        fields = json.loads(msgspec.json.encode(self.keyring.as_registered()))
        for name in ("addresses", "given", "found"):
            del fields[name]
        profile.write(FILE_NAME, json.dumps(fields).encode())
        self.assertEqual((("chat.example", 5000),), profile.require_keyring().everywhere)
        profile.move("b.example", 1, (("c.example", 2),))
        self.assertEqual((("b.example", 1), ("c.example", 2), CHAT), profile.require_keyring().everywhere)
        profile.move("d.example", 3)
        self.assertEqual((("d.example", 3), CHAT), profile.require_keyring().everywhere)

    def test_none_yet(self) -> None:
        """A directory without a keyring has none."""
        self.assertIsNone(Profile(self.directory).keyring())

    def test_mode(self) -> None:
        """Only its owner may read the file, also after it was replaced."""
        for registered in (False, True):
            Profile(self.directory).save_keyring(msgspec.structs.replace(self.keyring, registered=registered))
            self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual([path.name for path in self.directory.iterdir()], [FILE_NAME])

    def test_others_may_read(self) -> None:
        """A keyring that others may read is refused, with the command that closes it."""
        Profile(self.directory).save_keyring(self.keyring)
        for mode in (0o640, 0o604, 0o660):
            self.path.chmod(mode)
            self.assert_refused("open to others", f"chmod 600 {self.path}")

    def test_damaged(self) -> None:
        """A keyring that does not parse, or lacks something, is refused as damaged."""
        Profile(self.directory).save_keyring(self.keyring)
        whole = self.path.read_bytes()
        lacking = json.loads(whole)
        del lacking["device_key"]
        nowhere = [json.dumps({**json.loads(whole), name: ["x"]}).encode() for name in ("addresses", "given", "found")]
        for data in (b"", whole[:-1], b"\xff" + whole, b"[]", json.dumps(lacking).encode(), *nowhere):
            self.path.write_bytes(data)
            self.assert_refused("damaged", "backup")

    def test_newer_version(self) -> None:
        """A keyring of a newer version is refused with the advice to update."""
        Profile(self.directory).save_keyring(msgspec.structs.replace(self.keyring, version=2))
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
        Profile(self.directory).save_keyring(msgspec.structs.replace(self.keyring, registered=True))
        self.assertEqual(Profile(self.directory).keyring(), registered)
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
