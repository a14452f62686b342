"""Files in IRC."""

import os
from pathlib import Path

from tests.clients.irc.irc_world import IrcTestCase


class FileTests(IrcTestCase):
    """A file that comes, and one that goes."""

    def test_both_ways(self) -> None:
        """It is told with how it is saved, and what is said beside it; sent and saved by what is said to the program."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        data = os.urandom(70_000)
        (folder / "report.pdf").write_bytes(data)
        alice, bob = self.peer(self.alice), self.peer(self.bob)
        answer = alice.say(f"PRIVMSG *chatserv :#lobby file {folder}/report.pdf as you asked", seconds=30)
        self.assertIn("Sending report.pdf (70 kB). Files of up to", "\n".join(answer))
        came = [line for line in bob.take() if "PRIVMSG #lobby" in line]
        number = self.bob.room("lobby").message("-1", own=False).seq
        front = ":alice!alice@chat PRIVMSG #lobby :"
        self.assertEqual(
            came,
            [f"{front}sends report.pdf (70 kB, PDF): /msg *chatserv #lobby save {number}", f"{front}as you asked"],
        )
        target = folder / "saved"
        target.mkdir()
        answer = bob.say(f"PRIVMSG *chatserv :#lobby save {number} {target}", seconds=30)
        self.assertIn(f"Saved: {target}/report.pdf", "\n".join(answer))
        self.assertEqual((target / "report.pdf").read_bytes(), data)
