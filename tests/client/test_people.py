"""Comparing safety numbers."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.people import NotANumber
from chatserv.testing.world import World


class CompareTests(SynchronousTestCase):
    """Alice compares with bob."""

    def setUp(self) -> None:
        """What bob's program shows."""
        world = World(self.mktemp())
        self.addCleanup(world.close)
        self.alice, bob = world.person("alice", admin=True), world.person("bob")
        self.shown = bob.do(bob.client.people.verification("alice"))
        self.people = self.alice.client.people

    def compare(self, given: str) -> bool:
        """What comes of it."""
        return self.alice.do(self.people.compare("bob", given))

    def test_broken_by_a_screen(self) -> None:
        """Spaces, line breaks and hyphens in a number or in the text of a code do not matter."""
        number, code = self.shown.number, self.shown.qr
        self.assertTrue(self.compare(f" {number[:20]}\n        {number[20:40]}-{number[40:]} "))
        self.assertTrue(self.compare(f"{code[:70]}\n        {code[70:]}"))
        self.assertEqual(self.people.trust("bob"), "verified")

    def test_another(self) -> None:
        """Another number is not the same; what is no number at all alarms nobody."""
        self.assertFalse(self.compare("1" * 60))
        for given in ("asdf", "1" * 59, "", "CHATSERV-VERIFY:", "CHATSERV-VERIFY:AAAA", "\u0661" * 60):
            with self.assertRaises(NotANumber):
                self.compare(given)
        self.assertEqual(self.people.trust("bob"), "unverified")
