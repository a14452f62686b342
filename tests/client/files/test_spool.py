"""Files that are sealed into the spool."""

import os
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.files.spool import PIECE_BYTES, SMALL_BYTES, Sealing, Spool
from chatserv.client.storage.files import Stage, Upload
from chatserv.crypto.e2e.file import sealed_size
from chatserv.crypto.file_body import File

SIZE = 5 * PIECE_BYTES + 12_345
SLACK = 32_768  # what the sealer holds back, and its tags


class SealingTests(SynchronousTestCase):
    """`Sealing`."""

    def test_little_at_once(self) -> None:
        """A large file is never in memory as more than small pieces; each MiB goes to the disk, and all of it in the end."""
        source, profile = Path(self.mktemp()), Path(self.mktemp())
        source.write_bytes(os.urandom(SIZE))
        profile.mkdir(mode=0o700)
        file = File(b"b" * 16, b"k" * 32, bytes(32), SIZE, "a.bin")
        upload = Upload(
            b"m" * 16, b"r" * 16, file, str(source), Stage.CHOSEN, paused=False, asked=False, at_ms=1_700_000_000_000
        )
        written, synced = [0], [0]
        real_write, real_sync = os.pwrite, os.fdatasync

        def pwrite(descriptor: int, data: bytes, offset: int) -> int:
            if offset < SIZE - SLACK:  # the padding comes at once
                self.assertLessEqual(len(data), SMALL_BYTES + SLACK)
            done = real_write(descriptor, data, offset)
            written[0] = offset + done
            self.assertLessEqual(written[0] - synced[0], PIECE_BYTES + SMALL_BYTES + SLACK)
            return done

        def fdatasync(descriptor: int) -> None:
            real_sync(descriptor)
            synced[0] = written[0]

        sealing = Sealing(Spool(profile), "x.up", upload)
        self.addCleanup(sealing.close)
        with (
            mock.patch("chatserv.client.files.spool.os.pwrite", pwrite),
            mock.patch("chatserv.client.files.spool.os.fdatasync", fdatasync),
        ):
            while sealing.step():
                pass
        self.assertEqual((written[0], synced[0]), (sealed_size(SIZE), sealed_size(SIZE)))
