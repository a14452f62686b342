"""Sizes, durations and addresses as people write them in a settings file. Every failure is a ``ValueError`` of one line."""

import ipaddress
import re

_SIZE = re.compile(r"\s*(\d{1,15})\s*(B|KB|MB|GB|KIB|MIB|GIB)?\s*", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*(ms|s|min|h|d)?\s*", re.ASCII)
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):(\d{1,5})", re.ASCII)

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


def is_loopback(host: str) -> bool:
    """Whether ``host`` can be reached from this machine only: an address of 127.0.0.0/8, ::1 or the name localhost."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
