"""The server's keys as this device has come to know them, kept with the copy of its log."""

from typing import Final

from chatserv.client.storage.facts import Facts
from chatserv.client.storage.failures import StorageError
from chatserv.crypto.server_keys import ServerKeys
from chatserv.crypto.suite import load_rsa_spki, sha256
from chatserv.errors import Reject
from chatserv.i18n import _
from chatserv.wire.client_session import PinMismatch
from chatserv.wire.handshake import decode_rotations, encode_rotations

SERVER_KEY: Final = "server key"
ROTATIONS: Final = "server rotations"


def load_server_keys(facts: Facts, server_id: bytes, required: bytes) -> ServerKeys:
    """Those that are remembered; the arguments as of `ServerKeys`. Raises `StorageError`."""
    keys, spki = ServerKeys(server_id, required), facts.get(SERVER_KEY)
    try:
        keys.follow(decode_rotations(facts.get(ROTATIONS) or b""))
        if spki is not None:
            keys.add(spki)
    except Reject as error:
        raise damaged(error.detail) from None
    return keys


def keep_server_key(facts: Facts, keys: ServerKeys, spki: bytes) -> bool:
    """Remembers the newest key (RSA-3072, DER) and what led to it.

    Returns:
        Whether it is another one than was remembered: the one before has signed it.

    Raises:
        PinMismatch: It is not the newest of ours.
    """
    before = facts.get(SERVER_KEY)
    load_rsa_spki(spki)
    if not keys.accepts(sha256(spki)):
        raise PinMismatch("server key: not the one that is pinned")
    keys.add(spki)
    if spki != before:
        facts.put(ROTATIONS, encode_rotations(keys.rotations))
        facts.put(SERVER_KEY, spki)
    return before is not None and spki != before


def damaged(detail: str) -> StorageError:
    """That what is kept of the server's log does not fit together."""
    hint = _("the copy of the server's log is damaged: restore the profile from a backup")
    return StorageError(f"{hint} ({detail})")
