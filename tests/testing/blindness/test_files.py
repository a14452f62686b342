"""Files with canaries all over them."""

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.blindness.files import (
    CHUNK_BYTES,
    FILE_BYTES,
    INSIDE,
    PARTS,
    SECRETS_OF_FILES,
    WINDOW,
    Canaried,
    leave_unsealed,
)
from chatserv.testing.blindness.searching import Searcher
from chatserv.testing.blindness.sending import send_file
from chatserv.testing.processes import ProgramError


class CanariedTests(SynchronousTestCase):
    """One of them."""

    def test_places(self) -> None:
        """Its bytes begin and end with a canary, and have one in the middle and one over the border of two chunks."""
        file = Canaried(Flock.hatch(SECRETS_OF_FILES), WINDOW)
        with tempfile.TemporaryDirectory() as name:
            data = file.write(Path(name), ".picture").read_bytes()
        start, middle, border, end = (data.find(file.text(part).encode()) for part in INSIDE)
        self.assertEqual((len(data), start, middle, end), (FILE_BYTES, 0, FILE_BYTES // 2, FILE_BYTES - 28))
        self.assertLess(border % CHUNK_BYTES, CHUNK_BYTES)
        self.assertGreater(border % CHUNK_BYTES, CHUNK_BYTES - 28)

    def test_unsealed(self) -> None:
        """Of files left unsealed every canary is found, once."""
        flock = Flock.hatch(SECRETS_OF_FILES)
        with tempfile.TemporaryDirectory() as name:
            files = leave_unsealed(flock, Path(name, "unsealed"))
            found = [find.canary for find in Searcher(flock).files(files.iterdir())]
        self.assertEqual(sorted(found), sorted(SECRETS_OF_FILES))
        self.assertEqual(len(found), sum(map(len, PARTS.values())))


class SendingTests(SynchronousTestCase):
    """The program that sends one as the window does; that it does is seen by ``tests.integration.test_blind``."""

    def test_failure(self) -> None:
        """Who has no account sends nothing, and it is said who and what."""
        with tempfile.TemporaryDirectory() as name:
            path = Path(name, "a.picture")
            path.touch()
            error = self.assertRaises(
                ProgramError, send_file, Path(name), "nobody", "lobby", path, "words", "image/x", "picture"
            )
        self.assertIn("nobody does not send a.picture: exit 1", str(error))
