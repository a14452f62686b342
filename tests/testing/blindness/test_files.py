"""Files with canaries all over them."""

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.blindness.files import (
    CHUNK_BYTES,
    FILE_BYTES,
    INSIDE,
    OF_A_WINDOW,
    PARTS,
    PREVIEW,
    SECRETS_OF_FILES,
    WINDOW,
    Canaried,
    called,
    leave_unsealed,
    unsealed,
)
from chatserv.testing.blindness.searching import Searcher
from clients.window.pictures import child


class CanariedTests(SynchronousTestCase):
    """One of them."""

    def test_places(self) -> None:
        """Its bytes begin and end with a canary, and have one in the middle and one over the border of two chunks."""
        flock = Flock.hatch(SECRETS_OF_FILES)
        for way in PARTS:
            file = Canaried(flock, way)
            with tempfile.TemporaryDirectory() as name:
                data = file.write(Path(name)).read_bytes()
            start, middle, border, end = (data.find(file.text(part).encode()) for part in INSIDE)
            self.assertEqual((len(data), middle), (FILE_BYTES, FILE_BYTES // 2))
            self.assertLess(border % CHUNK_BYTES, CHUNK_BYTES)
            self.assertGreater(border % CHUNK_BYTES, CHUNK_BYTES - 28)
            if way == WINDOW:
                self.assertLess(start, len("........") + 25 + len("....caNy") + 1)
                self.assertLess(FILE_BYTES - end, 200, "pixels are behind it")
            else:
                self.assertEqual((start, end), (0, FILE_BYTES - 28))

    def test_preview(self) -> None:
        """The one of a preview is in what the window's child makes of the picture, and in the picture nowhere."""
        flock = Flock.hatch(SECRETS_OF_FILES)
        file = Canaried(flock, WINDOW)
        with tempfile.TemporaryDirectory() as name:
            data = file.write(Path(name)).read_bytes()
        made = child.answer(child.PREVIEW, child.PREVIEW_SIDES[0], child.PREVIEW_SIDES[0], data)
        found, before = ([find.canary for find in Searcher(flock).data(each)] for each in (made, data))
        self.assertEqual(set(found), {called(PREVIEW, WINDOW)})
        self.assertEqual(sorted(before), sorted(called(part, WINDOW) for part in INSIDE))

    def test_unsealed(self) -> None:
        """Of files left unsealed every canary is found, once; the rows of a preview have theirs each, maybe so twice."""
        flock = Flock.hatch(SECRETS_OF_FILES)
        with tempfile.TemporaryDirectory() as name:
            files = leave_unsealed(flock, Path(name, "unsealed"))
            found = [(find.canary, find.encoding) for find in Searcher(flock).files(files.iterdir())]
        wanted = [(name, unsealed(name)) for name in SECRETS_OF_FILES]
        self.assertEqual(sorted(set(found) & set(wanted)), sorted(wanted))
        others = [name for name, _ in found if name != called(PREVIEW, WINDOW)]
        self.assertEqual(sorted(others), sorted(set(SECRETS_OF_FILES) - {called(PREVIEW, WINDOW)}))

    def test_without_window(self) -> None:
        """Where no window can be, nothing of its file is left, and the others are."""
        flock = Flock.hatch(set(SECRETS_OF_FILES) - OF_A_WINDOW)
        with tempfile.TemporaryDirectory() as name:
            files = leave_unsealed(flock, Path(name, "unsealed"))
            found = {find.canary for find in Searcher(flock).files(files.iterdir())}
        self.assertEqual(found, set(SECRETS_OF_FILES) - OF_A_WINDOW)
