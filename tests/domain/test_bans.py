"""Bans of addresses and networks."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.bans import AddressBans, Network, is_nearly_everybody, locks_out, network_text, parse_network
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


class WideTests(SynchronousTestCase):
    """Bans that keep too many away."""

    def test_nearly_everybody(self) -> None:
        """The widest network that may be banned is a /8, and a /16 of IPv6."""
        for text, too_wide in (
            ("0.0.0.0/1", True),
            ("11.0.0.0/7", True),
            ("11.0.0.0/8", False),
            ("2000::/3", True),
            ("2001::/15", True),
            ("2001::/16", False),
            ("::ffff:11.0.0.0/103", True),
            ("::ffff:11.0.0.0/104", False),
        ):
            self.assertEqual(too_wide, is_nearly_everybody(parse_network(text)), text)

    def test_locks_out(self) -> None:
        """A ban locks out whoever comes from there, however the address is written, and whoever touches loopback."""
        for text, host, out in (
            ("192.0.2.0/24", "192.0.2.9", True),
            ("192.0.2.0/24", "::ffff:192.0.2.9", True),
            ("192.0.2.0/24", "192.0.3.9", False),
            ("2001:db8::/32", "2001:db8::7", True),
            ("2001:db8::/32", "local", False),
            ("fe80::/16", "fe80::1%eth0", True),
            ("127.0.0.9", "192.0.2.9", True),
            ("126.0.0.0/8", "192.0.2.9", False),
            ("::1", "192.0.2.9", True),
            ("::/16", "192.0.2.9", True),
        ):
            self.assertEqual(out, locks_out(parse_network(text), host), (text, host))


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
