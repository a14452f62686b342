"""The operating system's keyring, without one."""

import sys
import threading

import keyring
from keyring.backends import SecretService, chainer, fail, kwallet, libsecret, null
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.account.failures import ProfileLocked
from chatserv.client.account.profile_key import ProfileKey
from chatserv.client.account.system_keyring import SystemKeyring, is_trusted, system_keyring

ENTRY = b"e" * 16


class Backend:
    """Keeps secrets in a dictionary, or does what a test says."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.waits: threading.Event | None = None
        self.error: Exception | None = None

    def get_password(self, service: str, username: str) -> str | None:
        """What is kept."""
        if self.waits is not None:
            self.waits.wait()
        if self.error is not None:
            raise self.error
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keeps it."""
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Forgets it."""
        del self.kept[service, username]


class Plaintext(Backend):
    """As keyrings.alt has one, and whoever writes their own."""


class TrustTests(SynchronousTestCase):
    """Which backends count."""

    def test_of_the_system(self) -> None:
        """Those that ask a service of the system do, and what is derived from them."""
        for kind in (SecretService.Keyring, libsecret.Keyring, kwallet.DBusKeyring, kwallet.DBusKeyringKWallet4):
            self.assertTrue(is_trusted(kind.__new__(kind)), kind)

    def test_others(self) -> None:
        """None, one that fails, a chain of several, and whatever else there is, count as none."""
        for kind in (fail.Keyring, null.Keyring, chainer.ChainerBackend, Plaintext):
            self.assertFalse(is_trusted(kind.__new__(kind)), kind)

    def test_found(self) -> None:
        """What this session's configuration names is looked at, and an error of it is as if there were none."""
        for backend, there in ((null.Keyring(), False), (SecretService.Keyring.__new__(SecretService.Keyring), True)):
            self.patch(keyring, "get_keyring", lambda backend=backend: backend)
            self.assertEqual(system_keyring() is not None, there)
        self.patch(keyring, "get_keyring", lambda: 1 / 0)
        self.assertIsNone(system_keyring())
        never = threading.Event()
        self.addCleanup(never.set)
        self.patch(keyring, "get_keyring", never.wait)
        self.assertIsNone(system_keyring(0.05))

    def test_not_imported_before(self) -> None:
        """The library is loaded when it is needed: it takes a fifth of a second."""
        source = sys.modules[SystemKeyring.__module__].__file__
        assert source is not None
        with open(source, encoding="utf-8") as file:
            self.assertFalse([line for line in file if line.startswith(("import keyring", "from keyring"))])


class SystemKeyringTests(SynchronousTestCase):
    """`SystemKeyring`."""

    def setUp(self) -> None:
        """One that answers."""
        self.backend = Backend()
        self.store = SystemKeyring(self.backend)

    def test_kept(self) -> None:
        """What is put is got, under that name alone, until it is deleted; it is no secret how it is named."""
        key = ProfileKey.generate()
        self.store.put(ENTRY, key)
        self.assertEqual((self.store.get(ENTRY), self.store.get(b"f" * 16)), (key, None))
        self.assertEqual(list(self.backend.kept), [("chatserv", ENTRY.hex())])
        self.store.delete(ENTRY)
        self.assertIsNone(self.store.get(ENTRY))

    def test_no_key(self) -> None:
        """What is no key of 32 bytes is none."""
        for text in ("", "AAAA", "A" * 43, "é", "A" * 44 + "====", "\0"):
            self.backend.kept["chatserv", ENTRY.hex()] = text
            self.assertIsNone(self.store.get(ENTRY), text)

    def test_errors(self) -> None:
        """Whatever a backend raises is said without what it says, which could be anything."""
        self.backend.error = RuntimeError("org.freedesktop.DBus.Error: secret stuff")
        error = self.assertRaises(ProfileLocked, self.store.get, ENTRY)
        self.assertIn("RuntimeError", error.detail)
        self.assertNotIn("stuff", error.detail)

    def test_hangs(self) -> None:
        """One that does not answer is given up, and its thread keeps no program from ending."""
        self.backend.waits = threading.Event()
        self.addCleanup(self.backend.waits.set)
        self.store = SystemKeyring(self.backend, 0.05)
        error = self.assertRaises(ProfileLocked, self.store.get, ENTRY)
        self.assertIn("does not answer", error.detail)
        self.assertTrue(all(thread.daemon for thread in threading.enumerate() if thread.name == "keyring"))
