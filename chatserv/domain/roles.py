"""Roles on the server. Roles in a room are another thing, signed by its members."""

from enum import IntEnum


class Role(IntEnum):
    """What an account may do on the server (not in a room)."""

    USER = 1
    ADMIN = 2
