"""Tests of `clients.window.actions.sealing`, with a real profile."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import maybeDeferred, succeed

from chatserv.client import Profile, change_passphrase, leave_unsealed, seal_profile, unlock
from chatserv.testing.memory_server import CHEAP, keyring
from clients.window.arguments import Arguments
from tests.clients.window.screens import ScreenTestCase

if TYPE_CHECKING:
    from clients.window.actions.sealing import SealingActions

OLD, NEW = "maple river candle", "another one to know"


class SealingTests(ScreenTestCase):
    """Sealed later, and another passphrase."""

    def setUp(self) -> None:
        """A profile that was left unsealed; there is no keyring."""
        super().setUp()
        from clients.window.actions import sealing, unlocking

        self.profile = Profile.named("alice", Path(self.mktemp()).absolute())
        self.profile.save_keyring(keyring("alice"))
        nowhere: Any = {"find": lambda: None}
        self.patch(unlocking, "seal_profile", partial(seal_profile, cost=CHEAP, **nowhere))
        self.patch(sealing, "unlock", partial(unlock, **nowhere))
        self.patch(sealing, "change_passphrase", partial(change_passphrase, cost=CHEAP, **nowhere))
        self.calls: list[str] = []
        self.said: list[str] = []
        self.sealing = self.make()

    def make(self) -> "SealingActions":
        """The window's actions."""
        from clients.window.actions.doing import Doing
        from clients.window.actions.sealing import SealingActions
        from clients.window.actions.unlocking import Unlocking

        def pause() -> Any:
            self.calls.append("pause")
            return succeed(None)

        self.session = SimpleNamespace(profile=self.profile, pause=pause)
        layout = SimpleNamespace(entry=SimpleNamespace(typed=0))
        context: Any = SimpleNamespace(root=self.root, session=self.session, arguments=Arguments(), layout=layout)
        presenter: Any = SimpleNamespace(say=lambda *lines, **_: self.said.extend(lines))
        unlocking = Unlocking(context, lambda: self.calls.append("done"), maybeDeferred)
        return SealingActions(Doing(context, presenter), unlocking, maybeDeferred)

    def enter(self, *texts: str) -> str:
        """Fills the dialog in and presses Return; what it says then, or that it is closed."""
        fields = self.parts("TEntry")
        for field, text in zip(fields, texts, strict=True):
            field.delete(0, "end")
            field.insert(0, text)
        self.key("<Return>", fields[-1])
        return self.dialog_text if self.dialog() is not None else "closed"

    def seal(self) -> None:
        """Asks, and chooses a passphrase."""
        self.sealing.seal()
        self.press("Seal")
        self.assertEqual(self.enter(OLD, OLD), "closed")

    def test_sealed_later(self) -> None:
        """The client is out of the way first; then a passphrase is chosen, and everything begins anew with its key."""
        leave_unsealed(self.profile)
        self.assertFalse(self.sealing.sealed)
        self.seal()
        self.assertEqual(self.calls, ["pause", "done"])
        self.assertTrue(self.sealing.sealed)
        self.assertEqual(self.profile.sealing.value, "passphrase")
        self.assertIsNotNone(self.session.profile.keyring())

    def test_put_off(self) -> None:
        """Who cancels goes on unsealed."""
        leave_unsealed(self.profile)
        self.sealing.seal()
        self.press("Cancel")
        self.assertEqual(self.calls, [])
        self.sealing.seal()
        self.press("Seal")
        self.press("Cancel")
        self.assertEqual((self.calls, self.sealing.sealed), (["pause", "done"], False))

    def test_another_passphrase(self) -> None:
        """It takes the one until now; the new one is entered twice, and opens the profile from then on."""
        self.seal()
        self.sealing.change()
        self.assertIn("differ", self.enter(OLD, NEW, OLD))
        self.assertIn("cannot be used", self.enter(OLD, "", ""))
        self.assertIn("not the passphrase", self.enter(NEW, NEW, NEW))
        self.assertEqual(self.enter(OLD, NEW, NEW), "closed")
        self.assertIn("another one now", self.said[-1])
        opened = unlock(self.profile, NEW, find=lambda: None)
        self.assertEqual(opened, self.session.profile.key)
