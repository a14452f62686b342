"""``chatserv-client --check-evidence FILE``: words and exit codes, without profile and server."""

import io
import json
import os
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import fingerprint_text
from clients import stdio
from clients.shared.evidence_text import _time
from tests.support.make_evidence_vectors import FILE

CASES = json.loads(FILE.read_text("utf-8"))["cases"]


class CheckTests(SynchronousTestCase):
    """The whole program, but for the process."""

    def check(self, data: bytes | None) -> tuple[int, str, str]:
        """Exit code, output and errors for a file with these bytes; None: there is none."""
        path, outputs = Path(self.mktemp()), (io.StringIO(), io.StringIO())
        if data is not None:
            path.write_bytes(data)
        self.patch(sys, "stdout", outputs[0])
        self.patch(sys, "stderr", outputs[1])
        self.patch(sys, "argv", ["chatserv-client", "--check-evidence", str(path)])
        self.patch(stdio, "begin_program", frozenset)
        self.patch(os, "environ", {"CHATSERV_CLIENT_DIR": str(path.parent / "profiles")})
        with self.assertRaises(SystemExit) as caught:
            stdio.main()
        self.assertFalse((path.parent / "profiles").exists())
        self.assertIsInstance(caught.exception.code, int)
        return int(caught.exception.code or 0), outputs[0].getvalue(), outputs[1].getvalue()

    def test_verdicts(self) -> None:
        """Each says which key has signed what, and why that is a proof or none; 0 for a proof alone."""
        words = {
            "two roots": "PROOF: one log has one root",
            "rewritten": "PROOF: a log only grows",
            "went back": "No proof: the server signed a shorter log after a longer one",
            "consistent": "No proof: both statements are of the same log",
            "undecided": "No proof: both statements may be of the same log",
        }
        for name, case in CASES.items():
            code, said, errors = self.check(case["file"].encode())
            self.assertEqual((0 if case["verdict"] in {"two roots", "rewritten"} else 1, ""), (code, errors), name)
            self.assertIn(words[case["verdict"]], said)
            self.assertIn(fingerprint_text(bytes.fromhex(case["server_id"])), said)
            for head in case["heads"]:
                self.assertIn(head["root"], said)
                self.assertIn(f"a log of {head['size']} entries", said)
            self.assertIn("2025-10-09 08:53:20 UTC", said)

    def test_forged(self) -> None:
        """What is forged is refused in words, and ends with 1."""
        file = json.loads(CASES["two roots"]["file"])
        file["heads"][0] = file["heads"][0].replace("A", "B").replace("a", "b")
        for data in (json.dumps(file).encode(), b"", b"\x00" * 100_000, b'{"evidence": 7}'):
            code, said, errors = self.check(data)
            self.assertEqual((1, ""), (code, said))
            self.assertIn("This is no evidence, or something in it is forged: ", errors)

    def test_no_file(self) -> None:
        """A file that cannot be read is named."""
        code, _, errors = self.check(None)
        self.assertEqual(1, code)
        self.assertIn("No such file", errors)

    def test_foreign_time(self) -> None:
        """A time that is none breaks nothing."""
        self.assertEqual("18446744073709551615 ms", _time(2**64 - 1))
