"""One account's directory on this machine."""

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.account.failures import ProfileError
from chatserv.client.account.profile import Profile, profiles_directory
from chatserv.private_files import PrivateFileError
from chatserv.testing.memory_server import keyring


class ProfileTests(SynchronousTestCase):
    """Names and the directory."""

    def setUp(self) -> None:
        """An empty base directory."""
        self.base = Path(self.mktemp()).absolute()

    def test_names(self) -> None:
        """A name of letters, digits, dot, underscore and hyphen is a directory of its own, closed to others."""
        for name in ("default", "a", "Work.2", "a_b-c", "x" * 64):
            profile = Profile.named(name, self.base)
            self.assertEqual(profile.directory, self.base / name)
            self.assertEqual(profile.directory.stat().st_mode & 0o777, 0o700)

    def test_bad_names(self) -> None:
        """Any other name is refused, above all one that leads elsewhere."""
        for name in ("", ".", "..", "../x", "a/b", ".hidden", "-x", "x" * 65, "a b", "a\n", "é", "a\0"):
            with self.assertRaises(ProfileError):
                Profile.named(name, self.base)

    @settings(deadline=None)
    @given(st.text(max_size=80))
    def test_never_elsewhere(self, name: str) -> None:
        """No name leads out of the base directory."""
        try:
            profile = Profile.named(name, self.base)
        except ProfileError:
            return
        self.assertEqual(profile.directory.resolve().parent, self.base.resolve())

    def test_open_to_others(self) -> None:
        """A directory that others may enter is refused, with the command that closes it."""
        directory = Profile.named("x", self.base).directory
        directory.chmod(0o755)
        with self.assertRaises(PrivateFileError) as caught:
            Profile.named("x", self.base)
        self.assertIn(f"chmod 700 {directory}", caught.exception.detail)

    def test_base(self) -> None:
        """CHATSERV_CLIENT_DIR says where profiles are; without it, the user's state directory."""
        self.patch(os, "environ", {"CHATSERV_CLIENT_DIR": str(self.base)})
        self.assertEqual(profiles_directory(), self.base)
        self.patch(os, "environ", {"HOME": str(self.base), "XDG_STATE_HOME": str(self.base / "state")})
        self.assertEqual(profiles_directory(), self.base / "state" / "chatserv-client")

    def test_keyring(self) -> None:
        """The keyring is there after it was saved."""
        profile = Profile.named("x", self.base)
        self.assertIsNone(profile.keyring())
        profile.save_keyring(keyring("alice"))
        self.assertEqual(profile.keyring(), keyring("alice"))
