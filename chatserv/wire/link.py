"""The link of an invite: where a server is, who it is, and the token that lets one in.

``chatserv://HOST:PORT/?invite=TOKEN#FINGERPRINT``; without an invite it is a plain pointer to a server. One that can be
reached at several addresses has them all, the first one first: ``chatserv://HOST:PORT,HOST:PORT/``. A server whose key
has changed adds the newest: ``?invite=TOKEN&key=KEY``. Token, key and fingerprint are all 32 bytes in Crockford's base32: 52
characters, the last of which has four bits of padding that are zero.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass, field

import idna

from chatserv.errors import ChatError
from chatserv.i18n import N_
from chatserv.units import join_address

DEFAULT_PORT = 5000
MAX_LINK_ADDRESSES = 8

Address = tuple[str, int]

_SIZE_BYTES = 32
_TEXT_LENGTH = 52
_MAX_LINK_LENGTH = 2560  # eight of the longest addresses, and the rest
_MAX_PASTED_LENGTH = 4096  # a link, and what stands around it
_MAX_PIECES = 64  # into which a screen or a mail may have broken a link
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {character: value for value, character in enumerate(_DIGITS)} | {"I": 1, "L": 1, "O": 0}
_LINK = re.compile(
    r"chatserv://(?P<addresses>[^\s/?#@]+)/?(?:\?(?P<query>[^#]*))?(?:#(?P<fingerprint>.*))?", re.ASCII | re.IGNORECASE
)
_ADDRESS = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<host>[^\s/?#@:,\[\]]+))(?::(?P<port>[0-9]{1,5}))?", re.ASCII | re.IGNORECASE
)
_BEGIN = re.compile("chatserv://", re.IGNORECASE)
_BEHIND = re.compile(r"(?<=[0-9A-Z])[^0-9A-Z]+\Z", re.ASCII | re.IGNORECASE)  # quotes, brackets, the end of a sentence
_LOOSE_JOINERS = re.compile("(?<=[\0-\x7f])[\u200c\u200d]|[\u200c\u200d](?=[\0-\x7f])")
_JOINERS = "\u200c\u200d"  # between letters that need them, a part of a host's name (RFC 5892 A.1 and A.2)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII | re.IGNORECASE)


class LinkInvalid(ChatError):
    """A link that cannot be used. The detail never repeats the link: it may hold a secret."""

    code = "link_invalid"
    text = N_("This link is not complete or not a chatserv link. Copy the whole of it, from chatserv:// to the end.")


@dataclass(frozen=True, slots=True)
class ServerLink:
    """Where a server is and who it is.

    Args:
        host: A DNS name (kept as A-labels), an IPv4 address, or an IPv6 address without brackets; kept in lower case.
        port: 1 to 65535.
        fingerprint: ``server_id``, 32 bytes.
        invite: The token, 32 bytes, or none. A secret: kept out of ``repr``.
        key: SHA-256 of the key that the server had when the link was made, 32 bytes; none: its first one.
        others: Where it is besides, host and port each; what is given twice is kept once.

    Raises:
        LinkInvalid: A part is out of its range, or there are more than `MAX_LINK_ADDRESSES` addresses.
    """

    host: str
    port: int
    fingerprint: bytes
    invite: bytes = field(default=b"", repr=False)
    key: bytes = b""
    others: tuple[Address, ...] = ()

    def __post_init__(self) -> None:
        addresses = tuple(dict.fromkeys(_checked(*each) for each in self.addresses))
        if len(addresses) > MAX_LINK_ADDRESSES:
            raise LinkInvalid(f"{len(addresses)} addresses, at most {MAX_LINK_ADDRESSES} allowed")
        object.__setattr__(self, "host", addresses[0][0])
        object.__setattr__(self, "others", addresses[1:])
        if len(self.fingerprint) != _SIZE_BYTES:
            raise LinkInvalid(f"fingerprint: {len(self.fingerprint)} bytes, {_SIZE_BYTES} wanted")
        if len(self.invite) not in {0, _SIZE_BYTES}:
            raise LinkInvalid(f"invite: {len(self.invite)} bytes, {_SIZE_BYTES} wanted")
        if len(self.key) not in {0, _SIZE_BYTES}:
            raise LinkInvalid(f"key: {len(self.key)} bytes, {_SIZE_BYTES} wanted")

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Everywhere that the server is: host and port each."""
        return (self.host, self.port), *self.others


def _checked(host: str, port: int) -> Address:
    if not 1 <= port <= 65535:
        raise LinkInvalid("port out of range")
    return checked_host(host), port


def parse_link(text: str) -> ServerLink:
    """Reads a link, as people paste it.

    What stands in front of it does not matter, nor quotes, brackets and the end of a sentence behind it, nor characters that
    are not drawn. It may be broken by white space; words behind its end do not belong to it. Hyphens and letter case inside
    token and fingerprint do not matter. A host's name may have any letters (UTS #46).

    Raises:
        LinkInvalid: Another scheme, a bad host or port, too many addresses, an unknown or repeated query key, a fingerprint
            that is missing, or a token or fingerprint that is not 52 characters of base32 with zero padding.
    """
    if len(text) > _MAX_PASTED_LENGTH:
        raise LinkInvalid(f"{len(text)} characters, at most {_MAX_PASTED_LENGTH} allowed")
    pieces = _drawn(text).split()
    error = LinkInvalid("not of the form chatserv://HOST:PORT/?invite=TOKEN#FINGERPRINT")
    for count in range(1, min(len(pieces), _MAX_PIECES) + 1):
        begin = _BEGIN.search("".join(pieces[:count]))
        if begin is None:
            continue
        try:
            return _parse(begin.string[begin.start() :])
        except LinkInvalid as found:
            error = found
    raise error


def _drawn(text: str) -> str:
    """The text without what is not drawn, such as a byte order mark or a soft hyphen."""
    return "".join(
        character
        for character in _LOOSE_JOINERS.sub("", text)
        if character in _JOINERS or character.isspace() or unicodedata.category(character) not in {"Cc", "Cf"}
    )


def _parse(text: str) -> ServerLink:
    if len(text) > _MAX_LINK_LENGTH:
        raise LinkInvalid(f"{len(text)} characters, at most {_MAX_LINK_LENGTH} allowed")
    match = _LINK.fullmatch(_BEHIND.sub("", text))
    if match is None:
        raise LinkInvalid("not of the form chatserv://HOST:PORT/?invite=TOKEN#FINGERPRINT")
    if match["fingerprint"] is None:
        raise LinkInvalid("no fingerprint")
    (host, port), *others = parse_addresses(match["addresses"])
    given = {} if match["query"] is None else _parse_query(match["query"])
    return ServerLink(host, port, parse_fingerprint(match["fingerprint"]), others=tuple(others), **given)


def parse_addresses(text: str, port: int = DEFAULT_PORT) -> list[Address]:
    """The addresses of ``HOST:PORT,HOST,[IPV6]:PORT``, as a link names them, hosts in their one spelling.

    Args:
        text: One, or several with commas between them.
        port: Of those that name none.

    Raises:
        LinkInvalid: One of them is none, or there are more than `MAX_LINK_ADDRESSES`.
    """
    parts = text.split(",")
    if len(parts) > MAX_LINK_ADDRESSES:
        raise LinkInvalid(f"{len(parts)} addresses, at most {MAX_LINK_ADDRESSES} allowed")
    return [_parse_address(part, port) for part in parts]


def _parse_address(text: str, port: int) -> Address:
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise LinkInvalid("an address that is not of the form HOST:PORT")
    if match["ipv6"] is not None and ":" not in match["ipv6"]:
        raise LinkInvalid("brackets around something that is no IPv6 address")
    return _checked(match["ipv6"] or match["host"], port if match["port"] is None else int(match["port"]))


def _parse_query(query: str) -> dict[str, bytes]:
    given: dict[str, bytes] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        name = name.lower()
        if name not in {"invite", "key"}:
            raise LinkInvalid("unknown query key")
        if name in given:
            raise LinkInvalid(f"{name}: given twice")
        given[name] = _decode(value, name)
    return given


def format_link(link: ServerLink) -> str:
    """The canonical text of a link. It holds the invite's secret; `parse_link` gives the same link again."""
    where = ",".join(join_address(*each) for each in link.addresses)
    given = [f"{name}={_encode(value)}" for name, value in (("invite", link.invite), ("key", link.key)) if value]
    query = f"?{'&'.join(given)}" if given else ""
    return f"chatserv://{where}/{query}#{_encode(link.fingerprint)}"


def fingerprint_text(server_id: bytes) -> str:
    """A fingerprint as people read it: 13 groups of four characters with hyphens between them.

    Args:
        server_id: 32 bytes.

    Raises:
        LinkInvalid: Another size.
    """
    if len(server_id) != _SIZE_BYTES:
        raise LinkInvalid(f"fingerprint: {len(server_id)} bytes, {_SIZE_BYTES} wanted")
    text = _encode(server_id)
    return "-".join(text[at : at + 4] for at in range(0, _TEXT_LENGTH, 4))


def parse_fingerprint(text: str) -> bytes:
    """The 32 bytes of a fingerprint, as a link or a person gives it.

    Raises:
        LinkInvalid: Not all of it, too much, or not base32.
    """
    return _decode(text, "fingerprint")


def _encode(data: bytes) -> str:
    number = int.from_bytes(data, "big") << (5 * _TEXT_LENGTH - 8 * _SIZE_BYTES)
    return "".join(_DIGITS[number >> shift & 31] for shift in range(5 * (_TEXT_LENGTH - 1), -1, -5))


def _decode(text: str, what: str) -> bytes:
    text = "".join(character for character in text if unicodedata.category(character) != "Pd")  # hyphens of any width
    if not text.isascii():  # before upper(), which makes an S of U+017F
        raise LinkInvalid(f"{what}: not base32")
    characters = text.upper()
    if len(characters) != _TEXT_LENGTH:
        raise LinkInvalid(f"{what}: {len(characters)} characters, {_TEXT_LENGTH} wanted")
    number = 0
    for character in characters:
        if character not in _VALUES:
            raise LinkInvalid(f"{what}: not base32")
        number = number << 5 | _VALUES[character]
    number, padding = divmod(number, 1 << (5 * _TEXT_LENGTH - 8 * _SIZE_BYTES))
    if padding:
        raise LinkInvalid(f"{what}: bits after the end")
    return number.to_bytes(_SIZE_BYTES, "big")


def checked_host(host: str) -> str:
    """The host in its one spelling: an address as its library writes it, a name in lower case (RFC 1123 section 2.1).

    A name of other letters becomes A-labels (RFC 5891, with the mapping of UTS #46).

    Raises:
        LinkInvalid: Neither.
    """
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True, std3_rules=True).decode()
        except UnicodeError:  # IDNAError is one
            raise LinkInvalid("not a host name") from None
    labels = host.lower().removesuffix(".").split(".")
    try:
        if ":" in host:
            if "%" in host:
                raise LinkInvalid("a zone of an IPv6 address means nothing elsewhere")
            return str(ipaddress.IPv6Address(host))
        if _NUMBER.fullmatch(
            labels[-1]
        ):  # 127.1, 0 and 0x7f000001 mean addresses to some systems, and nothing to others
            return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise LinkInvalid("not an address") from None
    if not host.isascii() or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise LinkInvalid("not a host name")
    return ".".join(labels)


def is_host(text: str) -> bool:
    """Whether a link may lead there: a whole address, or a name."""
    try:
        return bool(checked_host(text))
    except LinkInvalid:
        return False
