"""Tests of `clients.window.widgets.connection_bar`."""

from twisted.trial.unittest import SynchronousTestCase

from tests.clients.window.screens import needs_tk


class PortTests(SynchronousTestCase):
    """What may stand in the field."""

    skip = needs_tk() or None

    def test_a_port_is_a_number_in_its_range(self) -> None:
        """Anything else is refused."""
        from clients.window.widgets.connection_bar import PortInvalid, parse_port

        self.assertEqual([parse_port(text) for text in ("1", " 5000 ", "65535")], [1, 5000, 65535])
        for text in ("", "0", "65536", "99999", "5000x", "-1", "\u0665", "1e3", "9" * 5000):
            self.assertRaises(PortInvalid, parse_port, text)
