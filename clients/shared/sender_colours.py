"""Which colour somebody has, among those that a program has for them."""

import zlib

from chatserv.client import clean_line


def sender_colour(user: str, colours: int) -> int:
    """The number of one of so many colours, from 0: always the same for the same name."""
    return zlib.crc32(clean_line(user).encode()) % colours
