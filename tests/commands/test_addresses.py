"""Where else the server can be reached, as its operator says."""

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import BadMessage, Quota
from chatserv.wire import messages
from chatserv.wire.fields import MAX_ADDRESSES
from tests.support.server import WireServer


class AddressTests(SynchronousTestCase):
    """A server."""

    def setUp(self) -> None:
        """It runs."""
        self.server = WireServer()
        self.addresses = self.server.context.addresses

    def test_kept(self) -> None:
        """Each once, in one spelling, and what the store has is what is told."""
        for text in ("Chat.Example.org:5000", "[2001:DB8::1]:5000", "chat.example.org:5000"):
            self.server.wait(self.addresses.add(text))
        self.assertEqual(("chat.example.org:5000", "[2001:db8::1]:5000"), self.addresses.known)
        self.assertEqual(self.addresses.known, tuple(self.server.wait(self.server.memory.addresses())))

    def test_none(self) -> None:
        """What leads nowhere is refused."""
        for text in ("", "chat.example.org", "chat.example.org:0", "chat.example.org:65536", "a b:1", ":5000", "x:1:2"):
            self.assertRaises(BadMessage, self.server.wait, self.addresses.add(text))
        self.assertEqual((), self.addresses.known)

    def test_several_at_once(self) -> None:
        """All of them or none."""
        self.server.wait(self.addresses.add("a.example:1,b.example:2,A.example:1"))
        self.assertEqual(("a.example:1", "b.example:2"), self.addresses.told)
        self.assertRaises(BadMessage, self.server.wait, self.addresses.add("c.example:3,d.example"))
        self.assertEqual(("a.example:1", "b.example:2"), self.addresses.told)

    def test_of_the_settings(self) -> None:
        """Where they name several, those come first, and stay; they count with the others. One alone is nothing new."""
        server = WireServer(advertise="chat.example")
        self.assertEqual((), server.context.addresses.told)
        server = WireServer(advertise="a.example, b.example:5001")
        addresses = server.context.addresses
        self.assertEqual(("a.example:5000", "b.example:5001"), addresses.told)
        server.wait(addresses.add("c.example:1,a.example:5000"))
        self.assertEqual(
            (("c.example:1",), ("a.example:5000", "b.example:5001", "c.example:1")), (addresses.known, addresses.told)
        )
        more = ",".join(f"h{number}.example:1" for number in range(MAX_ADDRESSES - 3))
        self.assertRaises(Quota, server.wait, addresses.add(f"{more},one.more:1"))
        server.wait(addresses.add(more))
        self.assertEqual(MAX_ADDRESSES, len(addresses.told))
        server.wait(addresses.forget())
        self.assertEqual(addresses.lasting, addresses.told)

    def test_one_of_the_settings(self) -> None:
        """Told as soon as another one is: who goes there would know no way back to the one that links lead to."""
        server = WireServer(advertise="home.example")
        addresses = server.context.addresses
        self.assertEqual(((), ()), (addresses.told, addresses.lasting))
        server.wait(addresses.add("10.0.0.5:5000"))
        self.assertEqual(
            (("home.example:5000", "10.0.0.5:5000"), ("home.example:5000",)), (addresses.told, addresses.lasting)
        )
        more = ",".join(f"h{number}.example:1" for number in range(MAX_ADDRESSES - 2))
        self.assertRaises(Quota, server.wait, addresses.add(f"{more},one.more:1"))
        server.wait(addresses.add(more))
        self.assertEqual(
            (MAX_ADDRESSES, ("home.example:5000", "10.0.0.5:5000")), (len(addresses.told), addresses.told[:2])
        )
        server.wait(addresses.forget())
        self.assertEqual(((), ()), (addresses.told, addresses.lasting))
        first = ",".join(f"h{number}.example:1" for number in range(MAX_ADDRESSES))
        self.assertRaises(Quota, server.wait, addresses.add(first))
        self.assertEqual((), addresses.known)
        server.wait(addresses.add("home.example:5000"))
        self.assertEqual(("home.example:5000",), addresses.told)

    def test_settings_change(self) -> None:
        """Who is here is told at once where the settings name other addresses, and of nothing else that they say."""
        server = WireServer(advertise="a.example, b.example")
        alice = server.join("alice")
        self.assertEqual(("a.example:5000", "b.example:5000"), alice.one(messages.Welcome).addresses)
        settings = server.context.settings
        for advertise, told in (
            ("a.example, b.example", []),
            ("c.example, b.example", [("c.example:5000", "b.example:5000")]),
            ("c.example", [()]),
            ("d.example", []),
        ):
            alice.received.clear()
            settings.replace(replace(settings.config, server=replace(settings.config.server, advertise=advertise)))
            server.settle()
            found = [each.addresses for each in alice.all(messages.Addresses)]
            self.assertEqual(told, found)

    def test_bound(self) -> None:
        """As many as clients keep, and no more."""
        for number in range(MAX_ADDRESSES):
            self.server.wait(self.addresses.add(f"chat{number}.example:5000"))
        self.assertRaises(Quota, self.server.wait, self.addresses.add("one.more:5000"))
        self.server.wait(self.addresses.forget())
        self.server.wait(self.addresses.add("one.more:5000"))
