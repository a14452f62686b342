"""Tests of invite links."""

# mypy: allow-untyped-calls

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import ChatError
from chatserv.wire.link import (
    DEFAULT_PORT,
    MAX_LINK_ADDRESSES,
    LinkInvalid,
    ServerLink,
    fingerprint_text,
    format_link,
    parse_addresses,
    parse_fingerprint,
    parse_link,
)

FINGERPRINT = bytes(range(32))
FINGERPRINT_TEXT = "000G40R40M30E209185GR38E1W8124GK2GAHC5RR34D1P70X3RFG"
INVITE = b"\xff" * 32
INVITE_TEXT = "Z" * 51 + "G"

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "example"]))
HOSTS = NAMES | st.ip_addresses().map(str)
ADDRESSES = st.lists(st.tuples(HOSTS, st.integers(1, 65535)), max_size=MAX_LINK_ADDRESSES - 1).map(tuple)
# The canonical text, written by hand from docs/protocol.rst 4.5 and RFC 3986 (reg-name, IPv4address, IP-literal).
CANONICAL = re.compile(
    r"chatserv://(?P<addresses>(?:(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]):[1-9][0-9]{0,4},?)+)(?<!,)/"
    r"(?:\?(?:invite=[0-9A-HJKMNP-TV-Z]{51}[0G])?(?:(?:(?<=\?)|&)key=[0-9A-HJKMNP-TV-Z]{51}[0G])?)?"
    r"#[0-9A-HJKMNP-TV-Z]{51}[0G]"
)
LINKS = st.builds(
    ServerLink,
    host=HOSTS,
    port=st.integers(1, 65535),
    fingerprint=st.binary(min_size=32, max_size=32),
    invite=st.just(b"") | st.binary(min_size=32, max_size=32),
    key=st.just(b"") | st.binary(min_size=32, max_size=32),
    others=ADDRESSES,
)
BROKEN = {
    "no scheme": f"192.168.1.20:5000/#{FINGERPRINT_TEXT}",
    "another scheme": f"chat://192.168.1.20:5000/#{FINGERPRINT_TEXT}",
    "user": f"chatserv://me@192.168.1.20:5000/#{FINGERPRINT_TEXT}",
    "path": f"chatserv://host.example/room#{FINGERPRINT_TEXT}",
    "no host": f"chatserv://:5000/#{FINGERPRINT_TEXT}",
    "port 0": f"chatserv://host.example:0/#{FINGERPRINT_TEXT}",
    "port 65536": f"chatserv://host.example:65536/#{FINGERPRINT_TEXT}",
    "port of words": f"chatserv://host.example:http/#{FINGERPRINT_TEXT}",
    "empty port": f"chatserv://host.example:/#{FINGERPRINT_TEXT}",
    "Arabic digits": f"chatserv://host.example:\u0665\u0660/#{FINGERPRINT_TEXT}",
    "half an address": f"chatserv://192.168.1/#{FINGERPRINT_TEXT}",
    "address out of range": f"chatserv://192.168.1.256/#{FINGERPRINT_TEXT}",
    "IPv6 without brackets": f"chatserv://::1:5000/#{FINGERPRINT_TEXT}",
    "IPv4 in brackets": f"chatserv://[127.0.0.1]:5000/#{FINGERPRINT_TEXT}",
    "broken IPv6": f"chatserv://[::1::2]:5000/#{FINGERPRINT_TEXT}",
    "IPv6 zone": f"chatserv://[fe80::1%eth0]:5000/#{FINGERPRINT_TEXT}",
    "empty label": f"chatserv://host..example/#{FINGERPRINT_TEXT}",
    "label with hyphen first": f"chatserv://-host.example/#{FINGERPRINT_TEXT}",
    "host of no letters": f"chatserv://\u2603\ufffd.example/#{FINGERPRINT_TEXT}",
    "lone surrogate in the host": f"chatserv://h\udcffst.example/#{FINGERPRINT_TEXT}",
    "unknown key": f"chatserv://host.example/?token={INVITE_TEXT}#{FINGERPRINT_TEXT}",
    "second key": f"chatserv://host.example/?invite={INVITE_TEXT}&x=1#{FINGERPRINT_TEXT}",
    "invite twice": f"chatserv://host.example/?invite={INVITE_TEXT}&invite={INVITE_TEXT}#{FINGERPRINT_TEXT}",
    "empty query": f"chatserv://host.example/?#{FINGERPRINT_TEXT}",
    "empty invite": f"chatserv://host.example/?invite=#{FINGERPRINT_TEXT}",
    "short invite": f"chatserv://host.example/?invite={INVITE_TEXT[:-1]}#{FINGERPRINT_TEXT}",
    "long invite": f"chatserv://host.example/?invite={INVITE_TEXT}0#{FINGERPRINT_TEXT}",
    "no fingerprint": f"chatserv://host.example/?invite={INVITE_TEXT}",
    "empty fingerprint": "chatserv://host.example/#",
    "short fingerprint": f"chatserv://host.example/#{FINGERPRINT_TEXT[:-1]}",
    "shown fingerprint": "chatserv://host.example/#K7QF\u20262M3A",
    "the letter U": f"chatserv://host.example/#U{FINGERPRINT_TEXT[1:]}",
    "long s": f"chatserv://host.example/#\u017f{FINGERPRINT_TEXT[1:]}",
    "bits after the end": f"chatserv://host.example/#{FINGERPRINT_TEXT[:-1]}S",
    "no address between commas": f"chatserv://a.example:5000,,b.example:5000/#{FINGERPRINT_TEXT}",
    "comma at the end": f"chatserv://a.example:5000,/#{FINGERPRINT_TEXT}",
    "comma at the beginning": f"chatserv://,a.example:5000/#{FINGERPRINT_TEXT}",
    "a broken address behind a good one": f"chatserv://a.example:5000,b..example:5000/#{FINGERPRINT_TEXT}",
    "port 0 behind a good one": f"chatserv://a.example:5000,b.example:0/#{FINGERPRINT_TEXT}",
    "second IPv6 without brackets": f"chatserv://a.example:5000,::1:5000/#{FINGERPRINT_TEXT}",
    "a path between": f"chatserv://a.example:5000/,b.example:5000#{FINGERPRINT_TEXT}",
    "user of the second": f"chatserv://a.example:5000,me@b.example:5000/#{FINGERPRINT_TEXT}",
    "semicolon": f"chatserv://a.example:5000;b.example:5000/#{FINGERPRINT_TEXT}",
    "two fragments": f"chatserv://host.example/#{FINGERPRINT_TEXT}#{FINGERPRINT_TEXT}",
    "endless": f"chatserv://{'a.' * 1000}example/#{FINGERPRINT_TEXT}",
}


class ParseTests(SynchronousTestCase):
    """`parse_link` reads whole links and nothing else."""

    def test_example(self) -> None:
        """A link gives host, port, invite and fingerprint."""
        link = parse_link(f"chatserv://192.168.1.20:5001/?invite={INVITE_TEXT}#{FINGERPRINT_TEXT}")
        self.assertEqual(link, ServerLink("192.168.1.20", 5001, FINGERPRINT, INVITE))

    def test_defaults(self) -> None:
        """Port, slash and invite may be left out."""
        link = ServerLink("host.example", DEFAULT_PORT, FINGERPRINT)
        self.assertEqual(parse_link(f"chatserv://host.example#{FINGERPRINT_TEXT}"), link)

    def test_spellings(self) -> None:
        """Letter case, hyphens, I and L for 1, O for 0 and white space do not matter: a screen may have broken the link."""
        link = ServerLink("host.example", 5000, FINGERPRINT, INVITE)
        text = FINGERPRINT_TEXT.lower().replace("0", "o").replace("1", "l", 1).replace("1", "i", 1)
        grouped = "-".join(text[at : at + 4] for at in range(0, 52, 4))
        self.assertEqual(parse_link(f" ChatServ://HOST.example:5000/?invite={INVITE_TEXT.lower()}#{grouped}\n"), link)
        self.assertEqual(
            parse_link(f"chatserv://host.example/?invite={INVITE_TEXT[:9]}\n        {INVITE_TEXT[9:]}#{grouped}"), link
        )

    def test_pasted(self) -> None:
        """A link is taken as people paste it, whatever a screen, a mail or a messenger has put around it and into it."""
        link = ServerLink("host.example", 5001, FINGERPRINT, INVITE)
        whole = format_link(link)
        half = len(whole) // 2
        wrapped = (
            "'{}'", '"{}"', "`{}`", "<{}>", "({})", "[{}]", "{{{}}}", "<{}>,", "({}).", "{}.", "{},", "{};", "{}!",
            "\u201c{}\u201d", "\u201e{}\u201c", "\u2018{}\u2019", "\u00ab{}\u00bb", "\u00ab\u00a0{}\u00a0\u00bb",
            "\u300c{}\u300d", "{}\u2026", "{}\u3002", "{}\u3092\u958b\u3044\u3066", "\ufeff{}", "\u200b{}\u200b",
            "\u2060{}\u00ad", "\u200e{}\u200f", "\u2066{}\u2069", "\u00a0{}\u00a0", "\u3000{}\u2028", "{}\0",
            "[register]({})", "chatserv-client '{}'", "Here it is: {} and it is good for a day.",
            "Dear bob,\n\n{}\n\nyours, ann",
        )  # fmt: skip
        for each in wrapped:
            self.assertEqual(parse_link(each.format(whole)), link, ascii(each))
        for each in ("\n", "\r\n    ", "\u200b", "\u00ad", "\ufeff", "\u200c", "\u200d", "\u2028"):
            for at in (3, half, len(whole) - 1):
                self.assertEqual(parse_link(whole[:at] + each + whole[at:]), link, (ascii(each), at))
        self.assertEqual(parse_link(whole.upper()), link)
        for dash in "-\u2010\u2011\u2013\u2014":
            self.assertEqual(parse_link(f"{whole[:-4]}{dash}{whole[-4:]}"), link, ascii(dash))

    def test_bounds(self) -> None:
        """A link may be broken into so many pieces, and stand in so much text; one more is refused."""
        whole = format_link(ServerLink("host.example", 5001, FINGERPRINT, INVITE))
        pieces = [whole[:63][at] for at in range(63)] + [whole[63:]]
        self.assertEqual(parse_link(" ".join(pieces)).port, 5001)
        self.assertRaises(LinkInvalid, parse_link, " ".join([*pieces[:-1], whole[63:70], whole[70:]]))
        self.assertEqual(parse_link(" " * (4096 - len(whole)) + whole).port, 5001)
        self.assertRaises(LinkInvalid, parse_link, " " * (4097 - len(whole)) + whole)

    def test_names_of_other_letters(self) -> None:
        """A host's name may have letters of any script: it becomes A-labels."""
        for name, labels in {
            "b\u00fccher.example": "xn--bcher-kva.example",
            "B\u00dcCHER.example": "xn--bcher-kva.example",
            "bu\u0308cher.example": "xn--bcher-kva.example",
            "\u65e5\u672c\u8a9e\u3002example": "xn--wgv71a119e.example",
            "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example": "xn--mgba3gch31f060k.example",
            "\uff48\uff4f\uff53\uff54.example": "host.example",
            "XN--BCHER-KVA.example": "xn--bcher-kva.example",
        }.items():
            self.assertEqual(parse_link(f"chatserv://{name}:5000/#{FINGERPRINT_TEXT}").host, labels, ascii(name))

    def test_ipv6(self) -> None:
        """An IPv6 address stands in brackets in the link and without them in the result."""
        link = parse_link(f"chatserv://[2001:DB8:0::1]:5000/#{FINGERPRINT_TEXT}")
        self.assertEqual(link.host, "2001:db8::1")
        self.assertEqual(format_link(link), f"chatserv://[2001:db8::1]:5000/#{FINGERPRINT_TEXT}")

    def test_several_addresses(self) -> None:
        """Commas stand between them; each has a port or the default one, and IPv6 its brackets. A screen may break them."""
        text = f"chatserv://A.example:5001,[2001:DB8::1],192.0.2.1:443,b\u00fccher.example/?invite={INVITE_TEXT}#{FINGERPRINT_TEXT}"
        addresses = (("a.example", 5001), ("2001:db8::1", 5000), ("192.0.2.1", 443), ("xn--bcher-kva.example", 5000))
        for each in (text, text.replace(",", ",\n   ")):
            link = parse_link(each)
            self.assertEqual((link.addresses, link.host, link.port), (addresses, *addresses[0]))
            self.assertEqual((link.invite, link.fingerprint), (INVITE, FINGERPRINT))
        self.assertEqual(
            format_link(link).partition("?")[0],
            "chatserv://a.example:5001,[2001:db8::1]:5000,192.0.2.1:443,xn--bcher-kva.example:5000/",
        )

    def test_the_same_address_twice(self) -> None:
        """It is kept once, at its first place."""
        link = parse_link(f"chatserv://a.example:5000,b.example,A.EXAMPLE,b.example:5001/#{FINGERPRINT_TEXT}")
        self.assertEqual(link.others, (("b.example", 5000), ("b.example", 5001)))

    def test_so_many_addresses(self) -> None:
        """Eight of the longest are read, and given back; one more is refused, read or made."""
        longest = ".".join(["a" * 63] * 3 + ["b" * 57, "com"])
        hosts = [f"{number}{longest[1:]}" for number in range(MAX_LINK_ADDRESSES)]
        link = ServerLink(hosts[0], 65535, FINGERPRINT, INVITE, INVITE, tuple((each, 65535) for each in hosts[1:]))
        self.assertEqual(parse_link(format_link(link)), link)
        more = tuple((f"h{number}.example", 1) for number in range(MAX_LINK_ADDRESSES))
        self.assertIn(
            "at most 8", self.assertRaises(LinkInvalid, ServerLink, "a.example", 1, FINGERPRINT, others=more).detail
        )
        many = ",".join(f"h{number}" for number in range(MAX_LINK_ADDRESSES + 1))
        error = self.assertRaises(LinkInvalid, parse_link, f"chatserv://{many}/#{FINGERPRINT_TEXT}")
        self.assertIn("at most 8", error.detail)

    def test_addresses_alone(self) -> None:
        """They are read as in a link, with another port for those that name none."""
        self.assertEqual(parse_addresses("a.example,[::1]:7", 443), [("a.example", 443), ("::1", 7)])
        for text in ("", ",", "a.example,", "a b", "a.example, b.example", "a:0", "::1"):
            self.assertRaises(LinkInvalid, parse_addresses, text)

    def test_broken(self) -> None:
        """A link with anything missing, unknown or out of range is refused, and the error does not repeat its secret."""
        for what, text in BROKEN.items():
            error = self.assertRaises(LinkInvalid, parse_link, text)
            self.assertTrue(error.detail, what)
            self.assertNotIn(INVITE_TEXT[:-1], str(error), what)

    @given(LINKS)
    def test_round_trip(self, link: ServerLink) -> None:
        """What is formatted is read back as the same link, and is what the grammar of the document says."""
        text = format_link(link)
        self.assertEqual(parse_link(text), link)
        match = CANONICAL.fullmatch(text)
        self.assertIsNotNone(match, text)
        self.assertEqual(match and match["addresses"].count(",") + 1, len(link.addresses))

    @given(LINKS)
    def test_one_address_stays_as_it_was(self, link: ServerLink) -> None:
        """A link with one address has the text that it had before there could be several: older programs read it."""
        one = ServerLink(link.host, link.port, link.fingerprint, link.invite)
        host = f"[{one.host}]" if ":" in one.host else one.host
        before, _, after = format_link(one).partition(f"//{host}:{one.port}/")
        self.assertEqual(before, "chatserv:")
        self.assertRegex(after, r"\A(\?invite=[0-9A-Z]{52})?#[0-9A-Z]{52}\Z")

    @given(st.text() | st.text("chatserv://[]:,#?=invite0Z.-%").map("chatserv://h.example".__add__))
    def test_any_text(self, text: str) -> None:
        """Any text is either refused or a link whose canonical text means the same."""
        try:
            link = parse_link(text)
        except LinkInvalid:
            return
        self.assertEqual(parse_link(format_link(link)), link)


class LinkTests(SynchronousTestCase):
    """`ServerLink` holds only what a link can say, and hides what is secret."""

    def test_repr(self) -> None:
        """The invite is in no representation of a link."""
        text = repr(ServerLink("host.example", 5000, FINGERPRINT, INVITE))
        self.assertNotIn("invite", text)
        self.assertNotIn("xff", text)

    def test_ranges(self) -> None:
        """Parts out of range are refused when a link is made."""
        for host, port, fingerprint, invite in (
            ("host.example", 0, FINGERPRINT, b""),
            ("host.example", 65536, FINGERPRINT, b""),
            ("host.example", 5000, FINGERPRINT[:16], b""),
            ("host.example", 5000, FINGERPRINT, INVITE[:16]),
            ("host.example/path", 5000, FINGERPRINT, b""),
            ("\ufffdelvin.example", 5000, FINGERPRINT, b""),
            ("", 5000, FINGERPRINT, b""),
        ):
            self.assertRaises(LinkInvalid, ServerLink, host, port, fingerprint, invite)
        for other in (("host.example", 0), ("host.example/path", 5000), ("", 5000)):
            self.assertRaises(LinkInvalid, ServerLink, "a.example", 5000, FINGERPRINT, others=(other,))

    def test_error(self) -> None:
        """The error belongs to the tree, with a code and a text of its own."""
        self.assertTrue(issubclass(LinkInvalid, ChatError))
        self.assertEqual(LinkInvalid.code, "link_invalid")
        self.assertNotEqual(LinkInvalid("x").explain(), ChatError("x").explain())


class FingerprintTests(SynchronousTestCase):
    """`fingerprint_text` and `parse_fingerprint` are inverse."""

    def test_groups(self) -> None:
        """A fingerprint is shown as 13 groups of four."""
        text = fingerprint_text(FINGERPRINT)
        self.assertEqual([len(group) for group in text.split("-")], [4] * 13)
        self.assertEqual(text.replace("-", ""), FINGERPRINT_TEXT)

    def test_size(self) -> None:
        """Only 32 bytes are a fingerprint."""
        self.assertRaises(LinkInvalid, fingerprint_text, bytes(31))
        self.assertRaises(LinkInvalid, fingerprint_text, bytes(33))

    @given(st.binary(min_size=32, max_size=32))
    def test_round_trip(self, server_id: bytes) -> None:
        """The text of a fingerprint reads back as the same bytes."""
        self.assertEqual(parse_fingerprint(fingerprint_text(server_id)), server_id)
