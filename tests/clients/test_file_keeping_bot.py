"""The bot that keeps files, beside people in a server in memory."""

import io
import sys
from pathlib import Path

from twisted.internet.defer import Deferred

from clients.examples.file_keeping_bot import serve
from tests.client.files.cases import FilesCase


class KeepingTests(FilesCase):
    """`clients.examples.file_keeping_bot`."""

    def setUp(self) -> None:
        """It is in the lobby, and serves."""
        super().setUp()
        self.kept = Path(self.mktemp()).absolute()
        self.kept.mkdir()
        self.bot = self.world.person("keeper", listens=False)
        self.output, self.errors = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.output)
        self.patch(sys, "stderr", self.errors)
        self.serving = Deferred.fromCoroutine(serve(self.bot.client, "lobby", str(self.kept)))

    def test_kept(self) -> None:
        """Files of the room are there, byte for byte, the second of a name beside the first; texts are nothing to it."""
        one = self.sent("report.pdf", 70_000)[1]
        self.alice.say("lobby", "that was the report")
        other = self.sent("report.pdf", 100)[1]
        self.world.settle()
        self.assertEqual(self.kept.joinpath("report.pdf").read_bytes(), one)
        self.assertEqual(self.kept.joinpath("report (2).pdf").read_bytes(), other)
        self.assertEqual(self.output.getvalue(), f"{self.kept}/report.pdf\n{self.kept}/report (2).pdf\n")

    def test_refused(self) -> None:
        """One that cannot be saved is told, and the next one is saved."""
        self.kept.rmdir()
        self.sent("lost.pdf", 100)
        self.world.settle()
        self.assertIn("lost.pdf (100 B, PDF): ", self.errors.getvalue())
        self.kept.mkdir()
        data = self.sent("found.pdf", 100)[1]
        self.world.settle()
        self.assertEqual(self.kept.joinpath("found.pdf").read_bytes(), data)

    def test_ends(self) -> None:
        """It ends when its client is stopped."""
        self.assertNoResult(self.serving)
        self.bot.client.stop()
        self.world.run()
        self.successResultOf(self.serving)

    def test_invited(self) -> None:
        """A room that it is not in yet it agrees to when somebody invites it, and has what was sent there before."""
        self.bot.client.stop()
        self.world.run()
        plans = self.alice.do(self.alice.client.create_room("plans"))
        late = self.world.person("late", listens=False)
        serving = Deferred.fromCoroutine(serve(late.client, "plans", str(self.kept)))
        self.alice.do(plans.invite("late"))
        path, data = self.file("plan.txt", 500)
        self.alice.do(plans.send_file(path))
        self.world.settle()
        self.assertEqual(self.kept.joinpath("plan.txt").read_bytes(), data)
        self.assertNoResult(serving)
