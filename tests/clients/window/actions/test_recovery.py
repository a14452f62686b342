"""Tests of `clients.window.actions.recovery` and its dialogs, in the whole window."""

import stat
from pathlib import Path
from typing import Any

from chatserv.client import Status, StatusChanged
from clients.window.actions.recovery import REMIND_SECONDS
from clients.window.arguments import Arguments
from clients.window.settings import load_settings
from tests.clients.window.test_application import ApplicationTestCase

CODE = "JJ544-9N2FP-QKEXK-7WC57-8ZVWJ-H3254-89R9D-CQ28D"


class RecoveryTests(ApplicationTestCase):
    """A code is shown, kept, and asked for once more."""

    def setUp(self) -> None:
        """Alice has just registered."""
        super().setUp()
        self.application.connecting.registration = registration = FakeRegistration()  # type: ignore[assignment]
        self.online()
        self.assertTrue(registration.succeeded)

    def enter(self, *texts: str) -> str:
        """Fills the newest dialog in and presses Return; what it says then, or its successor's title."""
        fields, title = self.parts("TEntry"), self.dialog_title
        for field, text in zip(fields, texts, strict=True):
            field.delete(0, "end")
            field.insert(0, text)
        self.key("<Return>", fields[-1])
        return self.dialog_text if self.dialog_title == title else f"-> {self.dialog_title}"

    @property
    def unchecked(self) -> bool:
        """What is remembered."""
        return load_settings(self.profile.directory).code_unchecked

    @property
    def in_menu(self) -> str:
        """What the menu calls it."""
        lines = self.menu(self.application.menus.of_account.fill)
        return next(label for label in lines if "recovery code" in label)

    def test_a_new_account_gets_one_at_once(self) -> None:
        """Shown in groups with a QR code; asked for once more, until it is right. Only then it counts as had."""
        self.assertEqual((self.dialog_title, self.client.calls[-1]), ("Recovery code", ("recovery", None)))
        self.pass_time(2 * REMIND_SECONDS)
        self.assertNotIn("You have no recovery code", self.chat)
        code = CODE.split("-")
        self.assertIn(f"{' '.join(code[:4])}\n{' '.join(code[4:])}", self.dialog_text)
        self.assertEqual(len(self.parts("Canvas")), 1)
        self.client.account.recovery = "set"
        self.assertEqual((self.unchecked, self.in_menu), (True, "No recovery code…"))
        self.press("I have written it down")
        self.assertIn("missing", self.enter(""))
        self.assertIn("look at group 8", self.enter(CODE[:-1] + "0"))
        self.assertIn("another code", self.enter("00000-00001-00002-00003-00004-00005-00006-00007"))
        self.press("Show it again")
        self.assertEqual(self.dialog_title, "Recovery code")
        self.press("I have written it down")
        self.assertEqual(self.enter(CODE.lower().replace("-", " ")), "-> ")
        self.assertEqual((self.unchecked, self.in_menu), (False, "New recovery code…"))

    def test_who_skips_it_is_warned(self) -> None:
        """By a button, by Escape, and where it was shown already; the menu says so from then on."""
        self.press("I have written it down")
        self.press("Skip")
        self.assertIn("loses the account", self.dialog_text)
        self.press("OK")
        self.application.actions.recovery.make_first()
        self.update()
        self.key("<Escape>")
        self.assertEqual(self.dialog_title, "No recovery code")
        self.client.account.recovery = "set"
        self.assertEqual((self.unchecked, self.in_menu), (True, "No recovery code…"))

    def test_file(self) -> None:
        """Nobody else may read it; what is there is not written over, and where it stands is told."""
        path = Path(self.mktemp()).absolute()
        for taken in (True, False):
            self.press("Save to a file…")
            if taken:
                path.touch()
                self.assertIn("File exists", self.enter(str(path)))
                self.press("Cancel")
                path.unlink()
        self.assertEqual(self.enter(str(path)), "-> Recovery code")
        self.assertIn(str(path), self.dialog_text)
        self.assertIn(CODE, path.read_text())
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.press("Save to a file…")
        self.assertIn("home", self.enter("~nobody-of-this-name/code"))

    def test_nothing_goes_to_the_clipboard(self) -> None:
        """There is nothing that a person could mark, and keys copy nothing."""
        self.assertEqual(self.parts("Text") + self.parts("TEntry"), [])
        self.root.clipboard_clear()
        self.root.clipboard_append("before")
        for key in ("<Control-a>", "<Control-c>", "<<SelectAll>>", "<<Copy>>"):
            self.key(key)
        self.assertEqual(self.root.clipboard_get(), "before")

    def test_a_new_one_with_a_passphrase(self) -> None:
        """It is asked for twice; what is refused is told in the dialog."""
        self.key("<Escape>")
        self.press("OK")
        self.application.actions.recovery.ask_for_new()
        self.assertIn("differ", self.enter("five words are enough here", "other"))
        self.client.account.refusal = True
        self.assertIn("identity key", self.enter("", ""))
        self.client.account.refusal = False
        self.assertEqual(self.enter(*["five words are enough here"] * 2), "-> Recovery code")
        self.assertEqual(self.client.calls[-1], ("recovery", "five words are enough here"))
        focus = self.root.focus_get()
        assert focus is not None
        self.assertIs(focus.winfo_toplevel(), self.dialog())

    def test_who_has_none_is_told(self) -> None:
        """At each start, until there is one."""
        for recovery, told in (("none", True), ("set", False)):
            self.restart(recovery)
            self.assertNotIn("You have no recovery code", self.chat)
            self.pass_time(REMIND_SECONDS)
            self.assertEqual("You have no recovery code" in self.chat, told, recovery)

    def restart(self, recovery: str) -> None:
        """The window anew, of an account that is not new."""
        self.successResultOf(self.application.stop())
        self.close()
        (self.profile.directory / "window.json").unlink(missing_ok=True)
        self.root = self.new_root()
        self.application = self.make(Arguments(offline=True))
        self.application.connecting.connect()
        self.client.account.recovery = recovery
        self.tell(StatusChanged(Status.SYNCING), StatusChanged(Status.ONLINE))


class FakeRegistration:
    """A dialog that waits for the server's yes."""

    is_open, succeeded = False, False

    def succeed(self) -> None:
        """There is an account."""
        self.succeeded = True

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)
