"""Tests of `clients.window.actions.arriving` and its dialogs, on a screen, against a whole server in memory."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from chatserv.client import Profile, ServerLink, log_in
from chatserv.client.errors import ChatError
from chatserv.client.recovery.guest import Guest
from chatserv.store.limits import StoreLimits
from chatserv.testing.memory_server import PASSWORD, server_id
from chatserv.testing.world import World
from clients.window.arguments import Arguments
from tests.clients.window.screens import ScreenTestCase

if TYPE_CHECKING:
    from clients.window.actions.arriving import Arriving

LINK = ServerLink("chat.example", 5000, server_id())
WORDS = "anchor bread cellar dune engine"


class ArrivingTests(ScreenTestCase):
    """Alice has an account, and sits at another machine."""

    def setUp(self) -> None:
        """A window without an account."""
        super().setUp()
        self.world = World()
        self.addCleanup(self.world.close)
        self.alice = self.world.person("alice", admin=True)
        self.calls: list[tuple[str, ServerLink]] = []
        self.arriving = self.window()

    def window(self, *, link: ServerLink = LINK) -> "Arriving":
        """A window of her machine, which has asked the first question."""
        from clients.window.actions.arriving import Arriving

        self.profile = Profile.named("machine", Path(self.world.directory))
        said: list[str] = []
        context: Any = SimpleNamespace(
            root=self.root, reactor=self.world.reactor, arguments=Arguments(),
            session=SimpleNamespace(profile=self.profile),
            layout=SimpleNamespace(status=SimpleNamespace(say=said.append)),
        )  # fmt: skip
        self.said = said
        around = {key: self.world.surroundings[key] for key in ("endpoint", "in_thread", "clock", "seconds")}
        arriving = Arriving(
            context, lambda link: self.calls.append(("register", link)),
            lambda link: self.calls.append(("arrived", link)), partial(log_in, **around),
        )  # fmt: skip
        arriving.choose(link)
        self.update()
        return arriving

    def wait(self, seconds: int = 3) -> None:
        """Time passes, and is drawn."""
        self.world.settle(seconds)
        self.update()

    def fill(self, *texts: str) -> str:
        """Fills the fields in, presses Return; what is wrong then."""
        form: Any = self.arriving.dialog
        for value, text in zip(form.values, texts, strict=True):
            value.set(text)
        self.key("<Return>", form.entries[-1])
        self.wait()
        return str(form.error.cget("text")) if form.is_open else "closed"

    def log_in(self, password: str = PASSWORD) -> str:
        """Name and password."""
        self.press("I have an account")
        return self.fill("Alice", password)

    @property
    def arrived(self) -> bool:
        """Whether the profile is a device of alice's, and was connected with."""
        keyring = self.profile.keyring()
        return self.calls == [("arrived", LINK)] and keyring is not None and keyring.registered

    def test_who_is_new_registers(self) -> None:
        """Return takes the first answer; keys go from one to the next."""
        answers = self.parts("TButton")
        for key, at in (("<Down>", 1), ("<Down>", 0), ("<Up>", 1), ("<Up>", 0)):
            self.key(key)
            self.assertIs(self.root.focus_get(), answers[at])
        self.key("<Return>", self.dialog())
        self.assertEqual(self.calls, [("register", LINK)])
        self.assertIsNone(self.arriving.open_dialog)

    def test_reset(self) -> None:
        """A reset link says what it does before it is used; only a link with a token may be one."""
        self.assertEqual(
            [each.cget("text") for each in self.parts("TButton")][:-1], ["I am new here", "I have an account"]
        )
        link = ServerLink("chat.example", 5000, server_id(), b"t" * 32)
        self.arriving = self.window(link=link)
        self.press("I have a reset link")
        self.assertIn("new identity", self.dialog_text)
        self.assertIn("cannot be undone", self.dialog_text)
        self.press("Cancel")
        self.assertEqual(self.calls, [])
        self.arriving.choose(link)
        self.press("I have a reset link")
        self.press("Reset your account")
        self.assertEqual(self.calls, [("register", link)])

    def test_code(self) -> None:
        """The backup's date is told; each wrong code is told in words, and the right one lets her in."""
        code = self.alice.recovery_code
        self.assertEqual(self.log_in(), "closed")
        self.assertIn("backup of your account is from 2025-", self.dialog_text)
        self.assertNotIn("Passphrase", self.dialog_text)
        wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
        self.assertIn("missing", self.fill(" "))
        self.assertIn("look at group 8", self.fill(wrong))
        self.assertIn("characters", self.fill(code[:-3]))
        self.assertIn("does not open the backup", self.fill("JJ544-9N2FP-QKEXK-7WC57-8ZVWJ-H3254-89R9D-CQ28D"))
        self.assertEqual(self.fill(code.lower()), "closed")
        self.assertTrue(self.arrived)
        self.assertIn("rooms: 1", self.said[-1])

    def test_passphrase(self) -> None:
        """Where there is one, it has a field of its own."""
        self.alice.do(self.alice.client.account.new_recovery(WORDS))
        self.log_in()
        self.assertIn("does not open", self.fill("", "five words that are others"))
        self.assertIn("at least five different words", self.fill("", "short"))
        self.assertEqual(self.fill("", WORDS), "closed")
        self.assertTrue(self.arrived)

    def test_wrong_password(self) -> None:
        """It is told as somebody unknown would be, and can be entered again; then the times to wait are told."""
        self.press("I have an account")
        self.assertIn("name", self.fill("", PASSWORD).lower())
        self.assertTrue(self.fill("alice", ""))
        for user in ("alice", "nobody"):
            self.assertEqual(
                self.fill(user, "not the one"), "There is no such account, or the password is another one."
            )
        said = [self.fill("alice", "not the one") for _ in range(5)][-1]
        self.assertRegex(said, r"Try again in \d+ s\.")
        self.assertEqual(self.calls, [])

    def test_server_away(self) -> None:
        """That is told beside the field too."""
        self.world.server.up = False
        said = self.log_in()
        self.assertIn("cannot be reached", said)
        self.world.server.up = True
        self.assertEqual(self.fill("alice", PASSWORD), "closed")

    def test_approval(self) -> None:
        """Without a backup it is the only way; the words and a QR code are shown, and what is approved is let in."""
        self.log_in()
        self.assertIn("no backup", self.dialog_text)
        self.press("Approve on another device…")
        self.wait()
        (request,) = self.alice.client.devices.waiting
        self.assertIn(request.words, " ".join(self.dialog_text.split()))
        self.assertEqual(len(self.parts("Canvas")), 1)
        self.alice.do(self.alice.client.devices.approve(request.device_id))
        self.wait()
        self.assertIn(request.words, " ".join(self.dialog_text.split()))
        self.press("They are the same")
        self.wait()
        self.assertTrue(self.arrived)
        self.assertIsNone(self.arriving.open_dialog)

    def test_other_words(self) -> None:
        """Who says that the words are others, or closes the question, is back at the password; nothing is kept."""
        for close in (lambda: self.press("They are different"), lambda: self.key("<Escape>")):
            self.arriving = self.window()
            self.log_in()
            self.press("Approve on another device…")
            self.wait()
            (request,) = self.alice.client.devices.waiting
            self.alice.do(self.alice.client.devices.approve(request.device_id))
            self.wait()
            close()
            self.wait()
            self.assertFalse(self.arrived)
            self.assertIn("was refused", self.dialog_text)

    def test_approval_given_up_and_asked_again(self) -> None:
        """Who stops waiting can enter a code, or ask again: the words are the same ones, here and there."""
        self.assertTrue(self.alice.recovery_code)
        self.log_in()
        for _ in range(2):
            self.press("Approve on another device…")
            self.wait()
            (request,) = self.alice.client.devices.waiting
            self.assertIn(request.words, " ".join(self.dialog_text.split()))
            self.key("<Escape>")
            self.assertEqual(self.dialog_title, "Back into your account")
        self.press("Approve on another device…")
        self.wait()
        self.alice.do(self.alice.client.devices.approve(request.device_id))
        self.wait()
        self.assertIn(request.words, " ".join(self.dialog_text.split()))
        self.press("They are the same")
        self.wait()
        self.assertTrue(self.arrived)

    def test_refused(self) -> None:
        """That is told, and she is back at the password."""
        self.log_in()
        self.press("Approve on another device…")
        self.wait()
        (request,) = self.alice.client.devices.waiting
        self.alice.do(self.alice.client.devices.refuse(request.device_id))
        self.wait()
        self.assertEqual(self.dialog_title, "Log in")
        self.assertIn("refused", self.dialog_text)
        self.assertEqual([each.get() for each in self.parts("TEntry")], ["alice", ""])
        self.assertEqual(self.calls, [])

    def test_a_lost_connection(self) -> None:
        """The password is asked for again, and everything can be done then."""
        code = self.alice.recovery_code
        self.log_in()
        self.world.server.cut()
        self.wait()
        self.fill(code)
        self.assertEqual(self.dialog_title, "Log in")
        self.assertEqual(self.fill("alice", PASSWORD), "closed")
        self.assertEqual(self.fill(code), "closed")
        self.assertTrue(self.arrived)

    def test_too_many_devices(self) -> None:
        """The oldest one makes room, where that is wanted."""
        self.world.server.store._accounts._limits = StoreLimits(devices=2)
        code = self.alice.recovery_code
        self.world.new_device(self.alice, code).leave_the_machine()
        self.alice.leave_the_machine()
        self.log_in()
        self.fill(code)
        self.assertEqual(self.dialog_title, "Too many devices")
        self.key("<Escape>")
        self.assertEqual(self.dialog_title, "Back into your account")
        self.fill(code)
        self.press("Revoke it")
        self.wait()
        self.assertTrue(self.arrived)

    def test_given_up(self) -> None:
        """The session of the guest ends with the dialog, also where it comes too late; the profile is free again."""
        self.log_in()
        self.press("Cancel")
        self.wait()
        self.assertIsNone(self.arriving.guest)
        self.arriving.choose(LINK)
        self.press("I have an account")
        form: Any = self.arriving.dialog
        for value, text in zip(form.values, ("alice", PASSWORD), strict=True):
            value.set(text)
        form.go()
        form.close()
        self.wait()
        self.assertIsNone(self.arriving.guest)
        self.profile.hold()()
        self.assertEqual(self.alice.client.devices.waiting, ())

    def test_what_was_begun_is_finished(self) -> None:
        """A login that ended between the keys and the server's yes goes on at the password, and asks nothing more."""
        code = self.alice.recovery_code
        enrol = Guest._enrol

        async def stop(guest: Guest, keyring: Any) -> None:
            del guest, keyring
            raise ChatError

        self.patch(Guest, "_enrol", stop)
        self.log_in()
        self.fill(code)
        self.press("Cancel")
        self.patch(Guest, "_enrol", enrol)
        self.wait()
        keyring = self.profile.keyring()
        assert keyring is not None
        self.assertTrue(keyring.enrolling)
        self.arriving.log_in(LINK, keyring.user)
        self.assertEqual(self.fill("alice", PASSWORD), "closed")
        self.assertTrue(self.arrived)
