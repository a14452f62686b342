"""The server's identity keys, one after the other, and what is signed behind a change (docs/crypto.rst, docs/rooms.rst 8.1).

A server is called by the hash of its first key, its ``server_id``, for ever: links, certificates and the log's tags name it.
It signs with its newest key. From the first to the newest lead rotations, each signed by the key that goes and by the one
that comes. Who knows any of these keys can follow to the newest; nobody follows back.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from chatserv.crypto.encoding import Reader, u16, u64, v16
from chatserv.crypto.log_leaves import TreeHead, verify_tree_head
from chatserv.crypto.suite import (
    VERSION,
    load_rsa_spki,
    of_both,
    rsa_spki,
    same,
    sha256,
    sign_by_both,
    verify_both,
)
from chatserv.discreet import Discreet
from chatserv.errors import Reject

MAX_ROTATIONS: Final = 16  # of one server; as many fit a line of the protocol


class ServerRotation(Discreet, frozen=True):
    """What a rotation says: which server (32 bytes), its key so far and the next one (DER), milliseconds since 1970."""

    shown = ("server_id", "at_ms")

    server_id: bytes
    old_spki: bytes
    new_spki: bytes
    at_ms: int

    def encode(self) -> bytes:
        """The bytes that both signatures cover."""
        return u16(VERSION) + self.server_id + v16(self.old_spki) + v16(self.new_spki) + u64(self.at_ms)

    @classmethod
    def decode(cls, data: bytes) -> "ServerRotation":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "server rotation")
        if reader.u16() != VERSION:
            raise Reject("server rotation: unknown version")
        rotation = cls(reader.take(32), reader.v16(), reader.v16(), reader.u64())
        reader.end()
        return rotation


def make_server_rotation(server_id: bytes, old: rsa.RSAPrivateKey, new: rsa.RSAPrivateKey, at_ms: int) -> bytes:
    """The rotation from one key of the server to the next, signed by both; 1658 bytes."""
    tbs = ServerRotation(server_id, rsa_spki(old.public_key()), rsa_spki(new.public_key()), at_ms).encode()
    return sign_by_both(old, new, "server rotate", tbs)


def verify_server_rotation(statement: bytes, server_id: bytes, old_id: bytes) -> ServerRotation:
    """Checks a signed rotation.

    Args:
        statement: The signed bytes.
        server_id: The server that it has to be of, 32 bytes.
        old_id: SHA-256 of the key (SPKI) that it has to replace.

    Raises:
        Reject: It does not parse, is of another server or key, replaces a key by itself, or a signature or key is wrong.
    """
    rotation = ServerRotation.decode(of_both(statement))
    if not same(rotation.server_id, server_id):
        raise Reject("server rotation: of another server")
    if not same(sha256(rotation.old_spki), old_id):
        raise Reject("server rotation: of another key")
    if rotation.new_spki == rotation.old_spki:
        raise Reject("server rotation: to the same key")
    verify_both(statement, rotation.old_spki, rotation.new_spki, "server rotate")
    return rotation


class ServerKeys:
    """The keys of one server that are known, from its first to the newest.

    Args:
        server_id: SHA-256 of the server's first key, 32 bytes.
        required: SHA-256 of a key that has to be among them, as a link says that was made after a rotation; empty: none.
            So whoever has stolen a key that was given up leads nobody astray who comes by a newer link.
    """

    def __init__(self, server_id: bytes, required: bytes = b"") -> None:
        self.server_id = server_id
        self._required = required or server_id
        self._ids = [server_id]
        self._spkis: dict[bytes, bytes] = {}
        self._rotations: list[bytes] = []

    @property
    def key_id(self) -> bytes:
        """SHA-256 of the newest key that is known, 32 bytes."""
        return self._ids[-1]

    @property
    def key_ids(self) -> tuple[bytes, ...]:
        """SHA-256 of each key that is known, in order, 32 bytes each."""
        return tuple(self._ids)

    @property
    def newer_id(self) -> bytes:
        """The same where it is not the first one any more, else empty: what a link says beside the ``server_id``."""
        return self.key_id if self._rotations else b""

    @property
    def rotations(self) -> tuple[bytes, ...]:
        """The signed rotations that led to it, in order."""
        return tuple(self._rotations)

    @property
    def spki(self) -> bytes | None:
        """The newest key itself (DER), once it is known."""
        return self._spkis.get(self.key_id)

    @property
    def first_spki(self) -> bytes | None:
        """The first key (DER), once it is known."""
        return self._spkis.get(self.server_id)

    def verify_head(self, signed: bytes) -> TreeHead:
        """Checks a signed tree head (432 bytes) against whichever of the keys has signed it. Raises `Reject`."""
        failed = Reject("tree head: no key of the server is known yet")
        for key_id in reversed(self._ids):
            if key_id in self._spkis:
                try:
                    return verify_tree_head(signed, self._spkis[key_id])
                except Reject as error:
                    failed = error
        raise failed

    def has_given_up(self, signed: bytes) -> bool:
        """Whether a signed tree head is by a key of before. Who has stolen that can sign whatever they like."""
        newest = self.spki
        if newest is None or not self._rotations:
            return False
        try:
            verify_tree_head(signed, newest)
        except Reject:
            return True
        return False

    def accepts(self, key_id: bytes) -> bool:
        """Whether a server may speak with the key of this hash: the newest, and none too old for us."""
        return same(key_id, self.key_id) and self._required in self._ids

    def add(self, spki: bytes) -> None:
        """The newest key itself (DER). Raises `Reject` where it is another one."""
        if not same(sha256(spki), self.key_id):
            raise Reject("server key: not the newest one")
        load_rsa_spki(spki)
        self._spkis[self.key_id] = spki

    def follow(self, statements: Iterable[bytes]) -> tuple[bytes, ...]:
        """Goes on along signed rotations. Those before the newest key that is known are passed over.

        Returns:
            Those that were new.

        Raises:
            Reject: One is wrong, or there are too many; those before it count.
        """
        followed: list[bytes] = []
        for statement in statements:
            if not followed and _old_id(statement) != self.key_id:
                continue
            rotation = verify_server_rotation(statement, self.server_id, self.key_id)
            new_id = sha256(rotation.new_spki)
            if new_id in self._ids:
                raise Reject("server rotation: back to a key of before")
            if len(self._ids) > MAX_ROTATIONS:
                raise Reject(f"server rotation: more than {MAX_ROTATIONS}")
            self._spkis[self.key_id], self._spkis[new_id] = rotation.old_spki, rotation.new_spki
            self._ids.append(new_id)
            self._rotations.append(statement)
            followed.append(statement)
        return tuple(followed)


def _old_id(statement: bytes) -> bytes:
    """The key that a rotation is from, whose signatures nobody has looked at. Raises `Reject`."""
    return sha256(ServerRotation.decode(of_both(statement)).old_spki)


def rotations_from(statements: Sequence[bytes], key_id: bytes) -> tuple[bytes, ...]:
    """Those of a server's own rotations, in order, that somebody needs who knows the key with this hash.

    All of them for a stranger; none for who knows the newest.
    """
    for index, statement in enumerate(statements):
        rotation = ServerRotation.decode(of_both(statement))
        if sha256(rotation.old_spki) == key_id:
            return tuple(statements[index:])
        if index == len(statements) - 1 and sha256(rotation.new_spki) == key_id:
            return ()
    return tuple(statements)


def first_key_id(statements: Sequence[bytes]) -> bytes:
    """The hash of the key from which a server's own rotations begin, 32 bytes: its ``server_id``."""
    return _old_id(statements[0])
