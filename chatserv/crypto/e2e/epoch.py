"""From an epoch's secret to its chains and its confirmation.

See docs/rooms.rst 5 and 7.1; RFC 9420 sections 8 and 9 in form.
"""

from collections.abc import Iterable

from chatserv.crypto.encoding import u32
from chatserv.crypto.suite import mac, same, sha256, xlabel
from chatserv.errors import Reject


def base_secret(epoch_secret: bytes, leaf: int, commit_hash: bytes) -> bytes:
    """``base[leaf]``, where the ratchet of that sender starts, 32 bytes."""
    return xlabel(epoch_secret, "sender", u32(leaf) + commit_hash, 32)


def base_secrets(epoch_secret: bytes, leaves: Iterable[int], commit_hash: bytes) -> dict[int, bytes]:
    """``base`` of every leaf of the roster. Once these are stored, ``epoch_secret`` is deleted."""
    return {leaf: base_secret(epoch_secret, leaf, commit_hash) for leaf in leaves}


def confirm_key(epoch_secret: bytes) -> bytes:
    """The key of the confirmation, 32 bytes."""
    return xlabel(epoch_secret, "confirm", b"", 32)


def confirmation(epoch_secret: bytes, unconfirmed: bytes) -> bytes:
    """The confirmation of a commit, 32 bytes; ``unconfirmed`` is its ``CommitTBS`` up to the confirmation."""
    return mac(confirm_key(epoch_secret), sha256(unconfirmed))


def verify_confirmation(epoch_secret: bytes, unconfirmed: bytes, confirmed: bytes) -> None:
    """Raises `Reject` unless the commit was made by somebody who knows the secret that the wrap held."""
    if not same(confirmation(epoch_secret, unconfirmed), confirmed):
        raise Reject("commit: confirmation is for another secret")
