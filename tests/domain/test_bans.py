"""Bans of addresses and networks."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.bans import AddressBans, Network, network_text, parse_network
from chatserv.errors import BadMessage


class NetworkTests(SynchronousTestCase):
    """How networks are written."""

    def test_one_spelling(self) -> None:
        """Each network has one spelling, an address the one without a length."""
        for text, expected in (
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("192.0.2.77/24", "192.0.2.0/24"),
            ("2001:DB8::1", "2001:db8::1"),
            ("2001:db8:0::/48", "2001:db8::/48"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::1", "::1"),
        ):
            self.assertEqual(network_text(parse_network(text)), expected)

    @given(st.text(max_size=64))
    def test_any_text(self, text: str) -> None:
        """Any text is a network, whose spelling stays the same when it is read again, or refused."""
        try:
            written = network_text(parse_network(text))
        except BadMessage:
            return
        self.assertEqual(network_text(parse_network(written)), written)

    def test_everybody(self) -> None:
        """Nobody bans everybody."""
        for text in ("0.0.0.0/0", "::/0", "1.2.3.4/0", "::ffff:0.0.0.0/96"):
            self.assertRaises(BadMessage, parse_network, text)


class AddressBansTests(SynchronousTestCase):
    """What `AddressBans` promises."""

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 15), st.integers(28, 32)), max_size=30))
    def test_like_a_list(self, changes: list[tuple[bool, int, int]]) -> None:
        """After any changes an address is banned exactly if a network that is banned holds it."""
        bans = AddressBans()
        model: set[Network] = set()
        for on, number, length in changes:
            network = parse_network(f"192.0.2.{number}/{length}")
            (bans.add if on else bans.remove)(network)
            (model.add if on else model.discard)(network)
        for number in range(17):
            address = ipaddress.ip_address(f"192.0.2.{number}")
            self.assertEqual(bans.holds(str(address)), any(address in network for network in model))

    def test_hosts(self) -> None:
        """Zones are ignored, addresses of one family inside the other are found, and names are nobody."""
        bans = AddressBans()
        bans.add(parse_network("fe80::/10"))
        bans.add(parse_network("192.0.2.1"))
        self.assertTrue(bans.holds("fe80::1%eth0"))
        self.assertTrue(bans.holds("::ffff:192.0.2.1"))
        self.assertFalse(bans.holds("local"))
        self.assertFalse(bans.holds("192.0.2.2"))
