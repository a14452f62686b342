"""What is kept of the IRC side."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Profile, leave_unsealed
from clients.irc.settings import LEAST_LINE_BYTES, MAX_CLIENTS, MAX_HIDDEN, MOST_LINE_BYTES, IrcSettings


class SettingsTests(SynchronousTestCase):
    """One file."""

    def setUp(self) -> None:
        """A profile."""
        base = Path(self.mktemp())
        base.mkdir(mode=0o700)
        self.profile = Profile.named("alice", base)
        leave_unsealed(self.profile)

    def test_password(self) -> None:
        """128 random bits in base32, kept, for nobody else to read; in no repr; another one where that is asked for."""
        settings = IrcSettings(self.profile)
        self.assertTrue(re.fullmatch("[a-z2-7]{26}", settings.password))
        file = self.profile.directory / "irc.json"
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(IrcSettings(self.profile).password, settings.password)
        self.assertTrue(settings.fits(settings.password.upper()))
        for wrong in ("", settings.password[1:], "ü"):
            self.assertFalse(settings.fits(wrong))
        before = settings.password
        self.assertNotIn(before, repr(vars(settings)))
        renewed = IrcSettings(self.profile).renew()  # by another program
        self.assertEqual((settings.fits(before), settings.fits(renewed)), (False, True))
        settings.hide("irc", bytes(16))
        self.assertEqual(IrcSettings(self.profile).password, renewed)

    def test_damaged(self) -> None:
        """A file that makes no sense is made anew."""
        for data in (b"", b"[" * 100_000, b'{"password": 7}'):
            self.profile.write("irc.json", data)
            self.assertEqual(len(IrcSettings(self.profile).password), 26)

    def test_preferences(self) -> None:
        """Those that there are, within their bounds."""
        settings = IrcSettings(self.profile)
        for name, value, taken in (
            ("reactions", "all", True),
            ("reactions", "some", False),
            ("create_on_join", "private", True),
            ("create_on_join", "yes", False),
            ("line_bytes", str(LEAST_LINE_BYTES), True),
            ("line_bytes", str(LEAST_LINE_BYTES - 1), False),
            ("line_bytes", str(MOST_LINE_BYTES), True),
            ("line_bytes", str(MOST_LINE_BYTES + 1), False),
            ("line_bytes", "x", False),
            ("password", "x", False),
        ):
            self.assertEqual(settings.set(name, value), taken, (name, value))
        again = IrcSettings(self.profile)
        self.assertEqual((again.reactions, again.create_on_join, again.line_bytes), ("all", "private", MOST_LINE_BYTES))

    def test_hidden(self) -> None:
        """Rooms are put away by client; of too many clients or rooms the first are forgotten."""
        settings = IrcSettings(self.profile)
        settings.hide("a", bytes(16))
        self.assertEqual((settings.hidden("a", bytes(16)), settings.hidden("b", bytes(16))), (True, False))
        settings.show("a", bytes(16))
        self.assertFalse(IrcSettings(self.profile).hidden("a", bytes(16)))
        for number in range(MAX_CLIENTS + 1):
            settings.hide(f"c{number}", bytes(16))
        self.assertEqual((settings.hidden("c0", bytes(16)), settings.hidden("c1", bytes(16))), (False, True))
        settings._kept.hidden["full"] = [n.to_bytes(16, "big").hex() for n in range(1, MAX_HIDDEN + 1)]
        settings._save()
        settings.hide("full", bytes(16))
        self.assertEqual(
            (settings.hidden("full", (1).to_bytes(16, "big")), settings.hidden("full", bytes(16))), (False, True)
        )
