"""Tests of `clients.window.actions.unlocking` and its dialog, on a screen."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import maybeDeferred

from chatserv.client import Profile, seal_profile, unlock
from chatserv.client.account.system_keyring import SystemKeyring
from chatserv.testing.memory_server import CHEAP, keyring
from clients.window.arguments import Arguments
from tests.client.sealing_victim import FileBackend
from tests.clients.window.screens import ScreenTestCase

if TYPE_CHECKING:
    from clients.window.actions.unlocking import Unlocking

PASSPHRASE = "maple river candle"


class UnlockingTests(ScreenTestCase):
    """The first thing that a window asks."""

    def setUp(self) -> None:
        """A profile with an account that nobody has decided about, and no keyring."""
        super().setUp()
        from clients.window.actions import unlocking

        self.base = Path(self.mktemp()).absolute()
        self.profile = Profile.named("alice", self.base)
        self.profile.save_keyring(keyring("alice"))
        self.store: SystemKeyring | None = None
        self.patch(unlocking, "seal_profile", partial(seal_profile, find=lambda: self.store, cost=CHEAP))
        self.patch(unlocking, "unlock", partial(unlock, find=lambda: self.store))
        self.calls: list[str] = []

    def start(self, arguments: Arguments | None = None) -> "Unlocking":
        """One start of the window."""
        from clients.window.actions.unlocking import Unlocking

        self.session = SimpleNamespace(profile=self.profile)
        context: Any = SimpleNamespace(
            root=self.root,
            session=self.session,
            arguments=arguments or Arguments(),
            quit=lambda: self.calls.append("quit"),
        )
        unlocking = Unlocking(context, lambda: self.calls.append("done"), maybeDeferred)
        unlocking.start()
        self.update()
        return unlocking

    def enter(self, unlocking: "Unlocking", *texts: str) -> str:
        """Fills the dialog in, presses the button; what it says then, or that it is closed."""
        form = unlocking.form
        assert form is not None
        for value, text in zip(form.values, texts, strict=True):
            value.set(text)
        form.go()
        self.update()
        return str(form.error.cget("text")) if form.is_open else "closed"

    def assert_open(self, way: str) -> None:
        """It went on, once, with what it needs."""
        self.assertEqual(self.calls, ["done"])
        self.calls.clear()
        profile = cast(Profile, self.session.profile)
        self.assertEqual((profile.sealing, profile.keyring()), (way, keyring("alice")))
        self.assertEqual(self.dialog_title, "")

    def test_sealed_and_unlocked(self) -> None:
        """A passphrase is chosen, the same twice; the next start asks until it is right."""
        unlocking = self.start()
        self.assertEqual(self.enter(unlocking, PASSPHRASE, "another one"), "The two passphrases differ.")
        self.assertIn("at least 8 characters", self.enter(unlocking, "short", "short"))
        self.assertEqual(self.enter(unlocking, PASSPHRASE, PASSPHRASE), "closed")
        self.assert_open("passphrase")
        unlocking = self.start()
        self.assertEqual(self.enter(unlocking, "maple river"), "That is not the passphrase.")
        self.assertEqual(self.calls, [])
        self.assertEqual(self.enter(unlocking, PASSPHRASE), "closed")
        self.assert_open("passphrase")

    def test_left_unsealed(self) -> None:
        """Who presses that is not asked again."""
        self.start()
        self.press("Leave unsealed")
        self.assert_open("none")
        self.start()
        self.assert_open("none")

    def test_put_off(self) -> None:
        """Who closes the dialog goes on as before, and is asked the next time."""
        self.start()
        self.press("Cancel")
        self.assert_open("none")
        self.assertIsNone(self.profile.seal)

    def test_given_up(self) -> None:
        """Who has no passphrase cannot go on: the window closes."""
        self.enter(self.start(), PASSPHRASE, PASSPHRASE)
        self.calls.clear()
        self.start()
        self.press("Cancel")
        self.assertEqual(self.calls, ["quit"])

    def test_keyring(self) -> None:
        """With a keyring nothing is asked; where its key is gone, that is said, and can be tried again."""
        kept = self.base / "kept"
        kept.mkdir()
        self.store = SystemKeyring(FileBackend(kept))
        self.start()
        self.assert_open("keyring")
        self.start()
        self.assert_open("keyring")
        store, self.store = self.store, None
        self.start()
        self.assertEqual((self.calls, self.dialog_title), ([], "Profile"))
        self.store = store
        self.press("Try again")
        self.assert_open("keyring")
        self.store = None
        self.start()
        self.press("Quit")
        self.assertEqual(self.calls, ["quit"])

    def test_file(self) -> None:
        """A passphrase from a file needs no dialog; a file that cannot be read is told."""
        path = self.base / "passphrase"
        self.start(Arguments(passphrase_file=path))
        self.assertEqual((self.calls, self.dialog_title), ([], "Profile"))
        path.touch(0o600)
        path.write_text(PASSPHRASE + "\n")
        self.press("Try again")
        self.assert_open("passphrase")
        self.start(Arguments(passphrase_file=path))
        self.assert_open("passphrase")

    def test_cannot_be_sealed(self) -> None:
        """Where sealing fails for another reason, that is told, and everything goes on as it was."""
        (self.profile.directory / "seal.json.begun.new").mkdir()
        self.assertEqual(self.enter(self.start(), PASSPHRASE, PASSPHRASE), "closed")
        self.assertEqual((self.calls, self.dialog_title), (["done"], "Profile"))
        self.assertEqual(self.profile.sealing, "none")
