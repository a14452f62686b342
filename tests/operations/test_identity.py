"""Tests of `chatserv.operations.identity`, as the command reaches it."""

import json
import os

from chatserv.bootstrap import prepare
from chatserv.config import Config
from tests.cli.test_main import CommandCase


class RotateTests(CommandCase):
    """While no server runs."""

    def test_rotated(self) -> None:
        """The fingerprint stays, the key does not; the audit log says who has done it, and of the keys only hashes."""
        prepared = prepare(Config(), self.directory, 1_795_000_000_000)
        prepared.state.release()
        first, second = self.json_of("rotate-key"), self.json_of("rotate-key")
        self.assertEqual(first["fingerprint"], second["fingerprint"])
        self.assertEqual(first["new_key"], second["old_key"])
        self.assertNotEqual(second["new_key"], second["old_key"])
        text = (self.directory / "logs" / "audit.log").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        said = [(each["event"], each["who"], each["way"], each["result"], each["fields"]) for each in lines]
        who = f"uid {os.getuid()}"
        self.assertEqual([("rotate-key", who, "alone", "ok", fields) for fields in (first, second)], said)
