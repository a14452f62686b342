"""Bytes that nobody meant: each reader of msgspec's refuses them in its own words, however they are wrong."""

import re
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from chatserv.backup.archive import read_manifest
from chatserv.backup.highest_head import read_head
from chatserv.backup.refusals import BackupError
from chatserv.client.account.keyring import decode_keyring
from chatserv.client.account.seal import FILE_NAME, read_seal
from chatserv.client.joining.values import Values
from chatserv.crypto.log_evidence import Evidence
from chatserv.errors import BadFrame, Reject
from chatserv.local_errors import StateDirectoryError
from chatserv.private_files import PrivateFileError, write_private

ROOT: Final = Path(__file__).parents[1]
LEVELS: Final = 3000  # more than Python's stack has
BROKEN: Final = {
    "deep": b'{"format":1,"version":1,"evidence":1,"x":' + b"[" * LEVELS + b"]" * LEVELS + b"}",
    "not UTF-8": b'{"format":1,"version":1,"evidence":1,"\xff":1}',
    "a text that is not UTF-8": b'{"format":1,"program":"\xff","way":"\xff","user":"\xff","server_key":"\xff"}',
    "a half of a pair": b'{"format":1,"program":"\\ud800","way":"\\ud800"}',
    "cut": b'{"format":1,',
    "nothing": b"",
}


class ReadersTests(SynchronousTestCase):
    """What is read from a file or from another program."""

    def test_files(self) -> None:
        """Nested too deeply, not UTF-8, cut: that is a damaged file, and no fault of the program."""
        directory = Path(self.mktemp())
        directory.mkdir(mode=0o700)
        head, seal = directory / "head", directory / FILE_NAME
        for name, data in BROKEN.items():
            head.unlink(missing_ok=True)
            seal.unlink(missing_ok=True)
            write_private(head, data)
            write_private(seal, data)
            with self.subTest(name):
                self.assertRaises(BackupError, read_manifest, head, data)
                self.assertRaises(Reject, Evidence.decode, data)
                self.assertRaises(PrivateFileError, decode_keyring, data, head)
                self.assertRaises(PrivateFileError, read_seal, directory)
                self.assertRaises(StateDirectoryError, read_head, head)

    def test_frames(self) -> None:
        """So are the values of a program that has joined."""
        for data in (b"\x91" * LEVELS + b"\xc0", b"\xa1\xff", b"", b"\xc1"):
            self.assertRaises(BadFrame, Values(repr, lambda _kind, plain: plain).decode, data, list[str])

    def test_everywhere(self) -> None:
        """Nobody names a part of `UNREADABLE` alone: the other part would be a traceback."""
        for path in (*ROOT.glob("chatserv/**/*.py"), *ROOT.glob("clients/**/*.py")):
            if path.name != "decoding.py":
                found = re.search(r"except .*msgspec\.(MsgspecError|DecodeError)", path.read_text(encoding="utf-8"))
                self.assertIsNone(found, path)
