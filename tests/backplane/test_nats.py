"""NATS as bytes: what a server says, in any pieces; what is more than there is place for; addresses and their secrets."""

import contextlib
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.nats import (
    MAX_INFO,
    MAX_LINE,
    MAX_PAYLOAD,
    BadBus,
    Complaint,
    Delivery,
    NatsReader,
    Ping,
    Pong,
    Said,
    ServerInfo,
    checked_subject,
    connect_line,
    publish_lines,
)
from chatserv.bus_address import BusAddress

WIRE = (
    b'INFO {"server_id":"X","max_payload":100,"connect_urls":["a:1","b:2"],"auth_required":true} \r\n'
    b"PING\r\n+OK\r\nMSG chat.r.1 7 5\r\nhello\r\nMSG chat.r.1 8 reply 2\r\n\r\n\r\nPONG\r\n"
    b"-ERR 'Permissions Violation for Publish to \"x\"'\r\n-ERR 'Authorization Violation'\r\n"
)
SAID: list[Said] = [
    ServerInfo(max_payload=100, connect_urls=["a:1", "b:2"]),
    Ping(),
    Delivery(7, b"hello"),
    Delivery(8, b"\r\n"),
    Pong(),
    Complaint('Permissions Violation for Publish to "x"', final=False),
    Complaint("Authorization Violation", final=True),
]


class ReaderTests(SynchronousTestCase):
    """What `NatsReader` promises."""

    @given(st.lists(st.integers(0, len(WIRE)), max_size=20))
    def test_any_pieces(self, cuts: list[int]) -> None:
        """It does not matter where it is cut."""
        reader, found = NatsReader(), list[Said]()
        edges = [0, *sorted(cuts), len(WIRE)]
        for begin, end in pairwise(edges):
            found += reader.take(WIRE[begin:end])
        self.assertEqual((found, reader.rest), (SAID, b""))

    @given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        """Whatever comes is taken, waited for, or refused by name."""
        with contextlib.suppress(BadBus):
            NatsReader().take(data)

    def test_refused(self) -> None:
        """What is not of the protocol."""
        for wrong in (
            b"HTTP/1.1 400 Bad Request\r\n",
            b"MSG a 1\r\n",
            b"MSG a one 5\r\n",
            b"MSG a 1 -1\r\n",
            b"MSG a 1 b c 5\r\n",
            b"MSG a 1 1\r\nxyz",
            b"INFO {\r\n",
            b"INFO []\r\n",
        ):
            with self.assertRaises(BadBus, msg=repr(wrong)):
                NatsReader().take(wrong)

    def test_most(self) -> None:
        """The largest message and lines are taken, and with one byte more nothing is waited for."""
        (whole,) = NatsReader().take(b"MSG a 1 %d\r\n%b\r\n" % (MAX_PAYLOAD, bytes(MAX_PAYLOAD)))
        self.assertEqual(whole, Delivery(1, bytes(MAX_PAYLOAD)))
        self.assertEqual(NatsReader().take(b"P" * MAX_LINE), [])
        self.assertEqual(NatsReader().take(b"INFO ".ljust(MAX_INFO)), [])
        for wrong in (
            b"MSG a 1 %d\r\n" % (MAX_PAYLOAD + 1),
            b"P" * (MAX_LINE + 1),
            b"+OK".ljust(MAX_LINE + 1) + b"\r\n",
            b"INFO ".ljust(MAX_INFO + 1),
            b"INFO {}".ljust(MAX_INFO + 1) + b"\r\n",
        ):
            with self.assertRaises(BadBus):
                NatsReader().take(wrong)

    def test_complaints_are_for_logs(self) -> None:
        """Short, on one line, without what moves a cursor."""
        (said,) = NatsReader().take(b"-ERR '\x1b[2J" + b"x" * 1000 + b"'\r\n")
        assert isinstance(said, Complaint)
        self.assertEqual(len(said.text), 200)
        self.assertTrue(said.text.isprintable())


class WordsTests(SynchronousTestCase):
    """What a server is told, and where it is."""

    def test_subjects(self) -> None:
        """One, not many, and nothing that would be another line."""
        self.assertEqual(checked_subject("chat.r.00ff"), b"chat.r.00ff")
        for wrong in ("", "a b", "a\r\nPUB", "a.*", "a.>", "a..b", ".a", "é", "x" * 256):
            with self.assertRaises(ValueError, msg=wrong):
                checked_subject(wrong)

    def test_lines(self) -> None:
        """As the protocol has them."""
        self.assertEqual(publish_lines(b"a.b", b"hi"), b"PUB a.b 2\r\nhi\r\n")
        line = connect_line(BusAddress("h", user="u", password='p"\r\n'), "node")
        self.assertEqual(line.count(b"\r\n"), 1)
        self.assertIn(rb'"pass": "p\"\r\n"', line)
        self.assertIn(b'"auth_token": "t"', connect_line(BusAddress("h", token="t"), "node"))

    def test_addresses(self) -> None:
        """With or without a port, a user, a token, TLS."""
        for url, address in {
            "nats://h": BusAddress("h"),
            "tls://h:1": BusAddress("h", 1, tls=True),
            "nats://u:p%40@h:1": BusAddress("h", 1, user="u", password="p@"),
            "nats://t@[::1]:1/": BusAddress("::1", 1, token="t"),
        }.items():
            self.assertEqual(BusAddress.parse(url), address)

    def test_wrong_addresses(self) -> None:
        """Are refused without what they hold."""
        for url in ("secret", "http://secret", "nats://", "nats://secret:secret@h:x", "nats://h/secret", "nats://h:0"):
            with self.assertRaises(ValueError) as caught:
                BusAddress.parse(url)
            self.assertNotIn("secret", str(caught.exception))

    def test_secrets_are_not_shown(self) -> None:
        """An address in a log is where it leads."""
        shown = repr(BusAddress("h", 1, user="secret", password="secret", token="secret"))
        self.assertEqual(shown, "BusAddress(host='h', port=1, tls=False)")

    def test_other_servers(self) -> None:
        """Are spoken to as the one that names them."""
        address = BusAddress("h", 1, tls=True, user="u", password="p")
        self.assertEqual(
            address.beside("10.0.0.2:4223"), BusAddress("10.0.0.2", 4223, tls=True, user="u", password="p")
        )
        for wrong in ("", "h", "h:x", "u@h:1", ":1"):
            self.assertIsNone(address.beside(wrong))
