"""Tests of `clients.window.settings`."""

import json
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from clients.window.settings import DARK, WindowSettings, bounded_scale, load_settings, save_settings


class SettingsTests(SynchronousTestCase):
    """A file beside the profile."""

    def setUp(self) -> None:
        """An empty directory."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.path = self.directory / "window.json"

    def test_what_is_saved_is_loaded_again(self) -> None:
        """Nobody else can read it."""
        settings = WindowSettings(DARK, 1.5, 800, 600)
        save_settings(self.directory, settings)
        self.assertEqual(load_settings(self.directory), settings)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_what_makes_no_sense_is_not_taken(self) -> None:
        """Each part by itself."""
        self.assertEqual(load_settings(self.directory), WindowSettings())
        for text in ("", "[]", "{", "[" * 4000, '{"theme": 5, "scale": true, "width": -1, "height": "x"}', "\xff"):
            self.path.write_bytes(text.encode("latin-1"))
            self.assertEqual(load_settings(self.directory), WindowSettings(), text[:20])
        self.path.write_text(json.dumps({"theme": "dark", "scale": 99, "width": 10, "height": 10**9}))
        self.assertEqual(load_settings(self.directory), WindowSettings(DARK))

    def test_a_directory_that_cannot_be_written_is_no_reason_to_end(self) -> None:
        """The settings are lost."""
        save_settings(self.directory / "nowhere", WindowSettings())
        self.assertFalse((self.directory / "nowhere").exists())

    def test_a_scale_has_bounds_and_steps(self) -> None:
        """Nobody gets stuck with letters that cannot be read."""
        self.assertEqual([bounded_scale(each) for each in (0.01, 1.04, 1.16, 50)], [0.5, 1.0, 1.2, 3.0])
