"""Sizes, durations and addresses as people write them in a settings file. Every failure is a ``ValueError`` of one line."""

import ipaddress
import re

_SIZE = re.compile(r"\s*(\d{1,15})\s*(B|KB|MB|GB|KIB|MIB|GIB)?\s*", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*(ms|s|min|h|d)?\s*", re.ASCII)
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):(\d{1,5})", re.ASCII)

# What libpq and we understand alike. It takes more, such as ``#`` and ``?`` in a password, and shows that in what it says.
_CHAR = r"(?:[A-Za-z0-9._~!$'()*+,;=-]|%(?!00)[0-9A-Fa-f]{2})"
_HOST = r"(?:(?:[A-Za-z0-9._~-]|%(?!00)[0-9A-Fa-f]{2})*|\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9]+)?\])(?::\d{1,5})?"
_PAIR = rf"[a-z_]+=(?:{_CHAR}|[/:])*"
_POSTGRES = re.compile(
    rf"(postgres(?:ql)?://)(?:({_CHAR}*)(:{_CHAR}*)?@)?({_HOST}(?:,{_HOST})*(?:/{_CHAR}*)?)((?:\?{_PAIR}(?:&{_PAIR})*)?)",
    re.ASCII,
)
_SHOWN = (
    "host|hostaddr|port|dbname|user|service|options|application_name|connect_timeout|tcp_user_timeout|keepalives[a-z_]*"
    "|target_session_attrs|load_balance_hosts|channel_binding|gssencmode|sslmode|sslrootcert|sslcert|sslkey|sslcrl|passfile"
)
_HIDDEN = re.compile(rf"([?&](?!(?:{_SHOWN})=)[a-z_]+=)[^&]*")

_BYTES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_SECONDS = {None: 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(text: str) -> int:
    """The bytes of ``"10MB"``. KB, MB and GB are powers of 1024, as are KiB, MiB and GiB; case and spaces do not count."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError('write a number of bytes, or a size such as "10MB" (KB, MB and GB are powers of 1024)')
    unit = (match[2] or "").lower()
    return int(match[1]) * _BYTES[unit[:1]]


def parse_duration(text: str) -> float:
    """The seconds of ``"30s"``; the units are ms, s, min, h and d."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError('write a number of seconds, or a duration such as "30s" (units: ms, s, min, h, d)')
    return float(match[1]) * _SECONDS[match[2]]


def split_address(text: str) -> tuple[str, int]:
    """Host and port of ``"127.0.0.1:5001"`` or ``"[::1]:5001"``. The port is 1 to 65535."""
    match = _ADDRESS.fullmatch(text)
    if match is None or not 1 <= int(match[3]) <= 65535:
        raise ValueError('write an address and a port, such as "127.0.0.1:5001" or "[::1]:5001"')
    return match[1] or match[2], int(match[3])


def join_address(host: str, port: int) -> str:
    """The same from its parts: ``"127.0.0.1:5001"`` or ``"[::1]:5001"``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def unmapped(host: str) -> str:
    """``192.0.2.1`` for ``::ffff:192.0.2.1``, as IPv4 comes to a socket for both (RFC 4291, 2.5.5.2); else the same."""
    plain = host.removeprefix("::ffff:")
    return plain if "." in plain else host


def is_loopback(host: str) -> bool:
    """Whether ``host`` can be reached from this machine only: an address of 127.0.0.0/8, ::1 or the name localhost."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_postgres_url(text: str) -> bool:
    """Whether it is a URL of libpq (PostgreSQL's manual, 34.1.1.2) whose parts are beyond doubt: letters, digits, a few
    signs, and ``%XX`` for all else, above all in a password.
    """
    return _POSTGRES.fullmatch(text) is not None


def without_password(text: str) -> str:
    """The URL of a database as people may read it: three stars for each password, and for all that cannot be told apart."""
    match = _POSTGRES.fullmatch(text)
    if match is None:
        scheme, found, _ = text.partition("://")
        return f"{scheme}://***" if found else "***" if any(sign in text for sign in "=@:") else text
    scheme, user, password, place, query = match.groups()
    whose = "" if user is None else f"{user}:***@" if password else f"{user}@"
    return scheme + whose + place + _HIDDEN.sub(r"\1***", query)
