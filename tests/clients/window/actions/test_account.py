"""Tests of `clients.window.actions.account` and `administration`, in the whole window."""

import json
from pathlib import Path

from chatserv.client.errors import LocalFileError, PasswordInvalid
from tests.clients.window.test_application import ApplicationTestCase
from tests.support.make_evidence_vectors import FILE


class AccountCase(ApplicationTestCase):
    """Alice's window, which is connected."""

    def setUp(self) -> None:
        """She is an administrator."""
        super().setUp()
        self.online()

    def enter(self, *texts: str) -> str:
        """Fills the dialog in and presses Return; what it says then, or its successor's title."""
        fields, title = self.parts("TEntry"), self.dialog_title
        for field, text in zip(fields, texts, strict=True):
            field.delete(0, "end")
            field.insert(0, text)
        self.key("<Return>", fields[-1])
        self.pass_time()
        return self.dialog_text if self.dialog_title == title else f"-> {self.dialog_title}"


class AccountTests(AccountCase):
    """One's own account."""

    def test_password(self) -> None:
        """It is entered twice; what cannot be used is told before anything is done, or by whom it is refused."""
        self.application.actions.account.change_password()
        self.assertIn("differ", self.enter("correct horse", "other"))
        self.assertIn("cannot be used", self.enter("", ""))

        async def refuse(new: str) -> None:
            raise PasswordInvalid(new)

        good, self.client.account.change_password = self.client.account.change_password, refuse  # type: ignore[method-assign]
        self.assertIn("cannot be used", self.enter(*["correct horse"] * 2))
        self.client.account.change_password = good  # type: ignore[method-assign]
        self.assertEqual(self.enter(*["correct horse"] * 2), "-> ")
        self.assertEqual(self.client.calls[-1], ("change_password", "correct horse"))
        self.assertIn("Your password is changed", self.chat)

    def test_delete(self) -> None:
        """It takes the typed name, and nothing else; the last administrator cannot."""
        self.application.actions.account.delete()
        self.assertIn("for good", self.dialog_text)
        for wrong in ("", "bob", "alicea"):
            self.assertIn("not your user name", self.enter(wrong))
        self.client.last_administrator = True
        self.assertIn("last administrator", self.enter("alice"))
        self.assertEqual(self.client.calls, [])
        self.client.last_administrator = False
        self.assertEqual(self.enter("@Alice"), "-> ")
        self.assertEqual(self.client.calls[-1], ("delete_account",))
        self.assertIn("Your account is gone", self.chat)

    def test_audit(self) -> None:
        """About everybody, and from the menu of a member about one; it can be read with keys, and Escape closes it."""
        self.application.actions.account.audit()
        self.update()
        (lines,) = self.parts("Text")
        self.assertIn("The server's log: 42 entries", lines.get("1.0", "end"))
        self.key("<Escape>")
        self.application.actions.account.audit("bob")
        self.update()
        self.assertEqual(self.dialog_title, "What the log says about bob")
        self.assertIn("bob", self.parts("Text")[0].get("1.0", "end"))
        self.assertEqual(
            self.menu(lambda menu: self.application.menus.of_member.fill(menu, "bob"))["What the log says…"], "normal"
        )

    def test_evidence(self) -> None:
        """What is none is told in the dialog; what is, with a verdict."""
        cases = json.loads(FILE.read_text("utf-8"))["cases"].values()
        self.application.actions.account.check_evidence()
        self.assertIn("No such file", self.enter("/nowhere/file"))
        path = Path(self.mktemp()).absolute()
        path.write_text("{}")
        self.assertIn("no evidence", self.enter(str(path)))
        path.write_text(next(each["file"] for each in cases if each["verdict"] == "two roots"))
        self.assertEqual(self.enter(str(path)), "-> Evidence")
        self.assertIn("PROOF", self.parts("Text")[0].get("1.0", "end"))

    def test_history(self) -> None:
        """It says that the file is not sealed; what cannot be written or read is told in the dialog."""
        actions = self.application.actions.account
        actions.export_history()
        self.assertIn("will not be sealed", self.dialog_text)
        self.assertIn("missing", self.enter(" "))
        self.assertIn("home", self.enter("~nobody-of-this-name/file"))
        self.assertEqual(self.enter("/tmp/there.jsonl"), "-> ")
        self.assertEqual(self.client.calls[-1], ("export", "/tmp/there.jsonl"))
        self.assertIn("Of these without proof of who wrote them: 2.", self.chat)
        actions.import_history()
        good = self.client.import_history

        async def refuse(path: str) -> None:
            raise LocalFileError(f"{path}: no such file", file=path)

        self.client.import_history = refuse  # type: ignore[method-assign,assignment]
        self.assertIn("no such file", self.enter("/tmp/there.jsonl"))
        self.client.import_history = good  # type: ignore[method-assign]
        self.assertEqual(self.enter("/tmp/there.jsonl"), "-> ")
        self.assertIn("Messages imported: 5.", self.chat)

    def test_menu(self) -> None:
        """Without a connection what is kept can be exported, and evidence checked."""
        self.application.connecting.disconnect()
        self.pass_time()
        lines = self.menu(self.application.menus.of_account.fill)
        on = {label for label, state in lines.items() if state == "normal"}
        self.assertEqual(on, {"Export history…", "Import history…", "Check evidence…", "Seal this device…"})

    def test_secrets_of_commands(self) -> None:
        """A command that needs one asks in a dialog; who closes it has changed nothing."""
        self.type("/password")
        self.assertEqual(self.dialog_title, "New password")
        self.assertIn("missing", self.enter(""))
        self.assertEqual(self.enter("correct horse"), "-> Once more")
        self.enter("correct horse")
        self.assertEqual(self.client.calls[-1], ("change_password", "correct horse"))
        self.type("/password")
        self.key("<Escape>")
        self.pass_time()
        self.assertIn("Nothing entered.", self.chat)


class AdministrationTests(AccountCase):
    """What administrators do to accounts."""

    def test_reset(self) -> None:
        """It says what it means; the link is shown, and somebody unknown is told."""
        self.application.actions.admin.reset_identity("bob")
        self.assertIn("new identity", self.dialog_text)
        self.assertIn("nobody named zed", self.enter("zed"))
        self.assertEqual(self.enter("bob"), "-> New identity for bob")
        self.assertEqual(self.client.calls[-1], ("reset", "bob"))
        self.assertIn("chatserv://", self.parts("TEntry")[0].get())
        self.assertIs(self.root.focus_get(), self.parts("TEntry")[0])

    def test_delete(self) -> None:
        """The name has to be typed; nobody deletes themselves here."""
        self.application.actions.admin.delete_user("bob")
        self.assertIn("another user name", self.enter("carol"))
        self.assertIn("Account, Delete account", self.enter("alice"))
        self.assertEqual(self.enter("bob"), "-> ")
        self.assertEqual(self.client.calls[-1], ("delete", "bob"))
        self.application.actions.admin.delete_user()
        self.assertIn("nobody named zed", self.enter("zed"))

    def test_menus(self) -> None:
        """Administrators alone see it."""
        for admin in (True, False):
            self.client.is_admin = admin
            member = self.menu(lambda menu: self.application.menus.of_member.fill(menu, "bob"))
            server = self.menu(self.application.menus._server)
            self.assertEqual({"Reset identity…", "Delete account…"} <= set(member), admin)
            self.assertEqual({"Reset an identity…", "Delete an account…"} <= set(server), admin)
        self.client.is_admin = True
        own = self.menu(lambda menu: self.application.menus.of_member.fill(menu, "alice"))
        self.assertNotIn("Delete account…", own)
