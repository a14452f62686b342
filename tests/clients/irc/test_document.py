"""``docs/irc.rst`` names everything that there is."""

import re
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from clients.irc.registration import CAPS
from clients.irc.settings import PREFERENCES
from clients.irc.table import TABLE

ROOT: Final = Path(__file__).parents[3]
RANGES: Final = {"001 to 005": range(1, 6), "730 to 734": range(730, 735)}


class DocumentTests(SynchronousTestCase):
    """Commands, numerics, capabilities, preferences."""

    def setUp(self) -> None:
        """The page, and what is in the code."""
        self.page = (ROOT / "docs" / "irc.rst").read_text(encoding="utf-8")
        sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "clients" / "irc").glob("*.py"))
        self.numerics = set(re.findall(r'"(\d{3})"', sources))

    def test_commands(self) -> None:
        """Each has its place in the table."""
        table = self.page.partition("\nCommands\n")[2].partition("\nCapabilities")[0]
        first = " ".join(line[:38] for line in table.splitlines())
        self.assertEqual(set(re.findall("[A-Z]{3,}", first)), set(TABLE))

    def test_numerics(self) -> None:
        """Each that is said, and no other."""
        table = self.page.partition("\nNumerics\n")[2]
        cells = " ".join(line[:31] for line in table.splitlines() if re.match(r"\d{3}", line))
        told = {f"{number:03}" for words, numbers in RANGES.items() if words in cells for number in numbers}
        self.assertEqual(told | set(re.findall(r"\d{3}", cells)), self.numerics)

    def test_rest(self) -> None:
        """Capabilities, and what can be set."""
        told = set(re.sub("[`.]", " ", self.page.partition("\nCapabilities: ")[2].partition("\n\n")[0]).split())
        self.assertEqual(told, {word for each in CAPS for word in each.replace(".", " ").split()})
        for name in PREFERENCES:
            self.assertIn(f"``set {name} ", self.page)
