"""005: what is told there is so."""

import re

from tests.clients.irc.standard.scene import SceneTestCase


class SupportedTests(SceneTestCase):
    """Its words."""

    def told(self) -> dict[str, str]:
        """By name."""
        self.play("alice: VERSION")
        lines = [line for line in self.waiting["alice"] if " 005 " in line]
        words = [word for line in lines for word in line.partition(" :are supported")[0].split(" ")[3:]]
        return {name: value for name, _, value in (word.partition("=") for word in words)}

    def test_lines(self) -> None:
        """At most thirteen words a line, and a text at the end."""
        self.play("alice: VERSION")
        for line in self.waiting["alice"]:
            if " 005 " in line:
                self.assertLessEqual(len(line.partition(" :")[0].split(" ")), 16)
                self.assertTrue(line.endswith(":are supported by this server"))

    def test_ranks(self) -> None:
        """As many signs as modes, the highest first."""
        found = re.fullmatch(r"\((\w+)\)(\S+)", self.told()["PREFIX"])
        assert found is not None
        self.assertEqual((found[1], found[2]), ("qo", "~@"))

    def test_bounds(self) -> None:
        """Numbers are numbers."""
        told = self.told()
        for name in ("NICKLEN", "CHANNELLEN", "TOPICLEN", "MONITOR", "CHATHISTORY", "LINELEN", "MODES"):
            self.assertGreater(int(told[name]), 0)
