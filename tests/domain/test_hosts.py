"""Where a connection comes from."""

from ipaddress import IPv4Address, IPv6Address

from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.hosts import address_of


class HostTests(SynchronousTestCase):
    """What `address_of` promises."""

    def test_address(self) -> None:
        """An address of either kind; the name of an interface is no part of it, and IPv4 inside IPv6 is IPv4."""
        for host, address in (
            ("192.0.2.1", IPv4Address("192.0.2.1")),
            ("2001:db8::1", IPv6Address("2001:db8::1")),
            ("fe80::1%eth0", IPv6Address("fe80::1")),
            ("::ffff:192.0.2.1", IPv4Address("192.0.2.1")),
            ("::ffff:0.0.0.0", IPv4Address("0.0.0.0")),  # noqa: S104 - nobody listens there
        ):
            self.assertEqual(address_of(host), address)

    def test_none(self) -> None:
        """What is no address."""
        for host in ("", "local", "localhost", "192.0.2", "192.0.2.1/32", "%eth0"):
            self.assertIsNone(address_of(host))
