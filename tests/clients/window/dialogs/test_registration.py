"""Tests of `clients.window.dialogs.registration`, on a screen."""

from typing import cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatserv.client import NameTaken, Profile
from chatserv.wire.link import ServerLink
from tests.clients.window.screens import ScreenTestCase

PASSWORD = "correct horse"


class RegistrationTests(ScreenTestCase):
    """The dialog of the first minute."""

    def setUp(self) -> None:
        """It is open."""
        super().setUp()
        from clients.window.dialogs import registration

        self.making: list[tuple[str, str]] = []
        self.made: Deferred[None] = Deferred()
        self.calls: list[str] = []

        async def prepare(profile: Profile, link: ServerLink, user: str, password: str) -> None:
            del profile, link
            self.making.append((user, password))
            await self.made

        self.patch(registration, "prepare_account", prepare)
        profile = cast(Profile, type("Fake", (), {"keyring": lambda _: None})())
        self.dialog_ = registration.Registration(
            self.root, profile, ServerLink("chat.example", 5000, bytes(32)),
            lambda: self.calls.append("ready"), lambda: self.calls.append("given up"),
        )  # fmt: skip
        self.dialog_.ask()

    def fill(self, *texts: str) -> None:
        """Fills the fields in and presses the button."""
        for value, text in zip(self.dialog_.values, texts, strict=True):
            value.set(text)
        self.dialog_.go()
        self.update()

    @property
    def error(self) -> str:
        """What is wrong."""
        return str(self.dialog_.error.cget("text"))

    def test_name_and_password_are_looked_at_before_keys_are_made(self) -> None:
        """Each with its own words."""
        self.fill("", PASSWORD, PASSWORD)
        self.assertTrue(self.error)
        self.fill("alice", "", "")
        self.assertTrue(self.error)
        self.fill("alice", PASSWORD, "other")
        self.assertEqual(self.error, "The two passwords differ.")
        self.assertEqual(self.making, [])

    def test_while_keys_are_made_a_bar_moves_and_nothing_can_be_changed(self) -> None:
        """Nor can the dialog be closed. Then the program connects, and the dialog goes when there is an account."""
        self.fill("alice", PASSWORD, PASSWORD)
        self.assertEqual(self.making, [("alice", PASSWORD)])
        self.assertTrue(self.dialog_._bar.winfo_ismapped())
        self.assertTrue(self.dialog_.entries[0].instate(["disabled"]))
        self.dialog_.close()
        self.dialog_.go()
        self.assertEqual((self.dialog_.is_open, len(self.making)), (True, 1))
        self.made.callback(None)
        self.assertEqual(self.calls, ["ready"])
        self.dialog_.succeed()
        self.assertEqual((self.dialog_.is_open, self.calls), (False, ["ready"]))

    def test_a_refusal_is_told_in_it_and_another_try_is_possible(self) -> None:
        """The server's, and that of making keys."""
        self.fill("alice", PASSWORD, PASSWORD)
        self.made.errback(Failure(NameTaken("alice")))
        self.assertTrue(self.error)
        self.assertTrue(self.dialog_.entries[0].instate(["!disabled"]))
        self.made = Deferred()
        self.fill("bob", PASSWORD, PASSWORD)
        self.made.callback(None)
        self.dialog_.refuse("This name is taken.")
        self.assertEqual((self.error, self.dialog_.busy), ("This name is taken.", False))

    def test_who_closes_it_has_given_up(self) -> None:
        """That is told once."""
        self.dialog_.close()
        self.dialog_.close()
        self.assertEqual(self.calls, ["given up"])
