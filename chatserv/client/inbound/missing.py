"""What has to be fetched before an event of a room can be taken."""

from collections.abc import Sequence
from dataclasses import dataclass

from chatserv.crypto.identities import Rotation


@dataclass
class Needs(Exception):
    """What is missing before an event can be taken.

    Attributes:
        chain_to: The chain up to this epoch.
        log_size: The log up to this size.
        certificates: These certificates.
        rotations: Whether these are signed.
        keys: The keys of the room's current epoch.
    """

    chain_to: int | None = None
    log_size: int = 0
    certificates: Sequence[bytes] = ()
    rotations: Sequence[Rotation] = ()
    keys: bool = False
