"""What the log says, as a table: the facts that all clients share at a size of the log (CRYPTO sections 6.2, 8.5, 12).

Each question names the size at which it is asked. The answer at size n depends on the first n leaves alone, however many
more there are, so that all who hold the same log judge a commit alike.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from chatserv.crypto.log_leaves import ROOM_ID_BYTES, ZEROS, Leaf, LeafType, room_tag, user_tag
from chatserv.crypto.statements import DeviceFacts
from chatserv.errors import Reject


@dataclass(frozen=True)
class Identity:
    """An identity key that came into force with the leaf ``index``, of type 1, 4 or 5."""

    index: int
    kind: LeafType
    fingerprint: bytes


@dataclass(frozen=True)
class RoomHead:
    """A leaf of type 8 for a room's name."""

    index: int
    room_id: bytes
    commit_hash: bytes

    @property
    def closed(self) -> bool:
        """Whether the leaf ends the name's use: the room was closed, renamed or is no longer public."""
        return self.commit_hash == ZEROS


@dataclass
class _Account:
    """All leaves of one user, in order; numbers are indices of leaves."""

    identities: list[Identity] = field(default_factory=list)
    certificates: dict[bytes, int] = field(default_factory=dict)
    revoked: dict[bytes, int] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    gone: int | None = None

    def identity(self, at_size: int) -> Identity | None:
        if self.gone is not None and self.gone < at_size:
            return None
        count = bisect_left(self.identities, at_size, key=lambda identity: identity.index)
        return self.identities[count - 1] if count else None

    def stands(self, cert_hash: bytes, since: int, at_size: int) -> bool:
        """Whether the certificate was logged after the leaf ``since`` and not revoked; both before ``at_size``."""
        logged = self.certificates.get(cert_hash, at_size)
        return since < logged < at_size and self.revoked.get(cert_hash, at_size) >= at_size


_NOBODY = _Account()


class LogFacts:
    """The table that a replay of the leaves gives.

    The server runs the same table before it signs a head, so a log that `append` refuses comes from a server that breaks
    the rules: the client that meets it raises the alarm.

    Args:
        server_id: SHA-256 of the server's SPKI, 32 bytes: tags and certificates are made with it.
        leaves: What to append at once.
    """

    def __init__(self, server_id: bytes, leaves: Iterable[Leaf] = ()) -> None:
        self.server_id = server_id
        self._size = 0
        self._accounts: dict[bytes, _Account] = {}
        self._rooms: dict[bytes, list[RoomHead]] = {}
        self._server_keys: list[tuple[int, bytes]] = []
        for leaf in leaves:
            self.append(leaf)

    @property
    def size(self) -> int:
        """How many leaves are in the table."""
        return self._size

    def append(self, leaf: Leaf) -> int:
        """Takes the next leaf and returns its index.

        Raises:
            Reject: An identity made twice or for a name that is gone, or a leaf about an account that there is not. The
                table is as before.
        """
        index = self._size
        match leaf.kind:
            case LeafType.ROOM:
                head = RoomHead(index, leaf.subject[:ROOM_ID_BYTES], leaf.statement)
                self._rooms.setdefault(leaf.tag, []).append(head)
            case LeafType.SERVER_KEY:
                self._server_keys.append((index, leaf.subject))
            case _:
                self._append_user(index, leaf)
        self._size = index + 1
        return index

    def _append_user(self, index: int, leaf: Leaf) -> None:
        account = self._accounts.get(leaf.tag)
        if leaf.kind is LeafType.UIK:
            if account is not None:
                raise Reject("log: a second first identity")
            account = self._accounts[leaf.tag] = _Account()
        elif account is None:
            raise Reject("log: a leaf about nobody")
        elif account.gone is not None and leaf.kind is not LeafType.REVOKE:
            raise Reject("log: a leaf about an account that is gone")
        match leaf.kind:
            case LeafType.DEVICE:
                account.certificates.setdefault(leaf.subject, index)
            case LeafType.REVOKE:
                account.revoked.setdefault(leaf.subject, index)
            case LeafType.GONE:
                account.gone = index
            case _:
                account.identities.append(Identity(index, leaf.kind, leaf.subject))
        if leaf.kind in (LeafType.RESET, LeafType.GONE):
            account.breaks.append(index)

    def _account(self, user: str, at_size: int) -> _Account:
        self._check(at_size)
        return self._accounts.get(user_tag(self.server_id, user), _NOBODY)

    def _check(self, at_size: int) -> None:
        if not 0 <= at_size <= self._size:
            raise Reject(f"log: asked at size {at_size}, {self._size} known")

    # -- questions; each raises Reject where the log is not known up to the size at which it is asked ---------------------

    def certificate_valid(self, device: DeviceFacts, cert_hash: bytes, at_size: int) -> bool:
        """Whether a certificate is valid at log size ``at_size`` (section 6.2).

        Its leaf is among the first ``at_size`` and came after the leaf that brought its user's newest identity, which is
        the one that it names; it is not revoked, and the account is not gone.

        Args:
            device: What the certificate says; its signatures are verified already.
            cert_hash: SHA-256 of the whole certificate.
            at_size: How much of the log counts.
        """
        account = self._account(device.user, at_size)
        identity = account.identity(at_size)
        return (
            device.server_id == self.server_id
            and identity is not None
            and device.identity_fingerprint == identity.fingerprint
            and account.stands(cert_hash, identity.index, at_size)
        )

    def certificates(self, user: str, at_size: int) -> tuple[bytes, ...]:
        """The hashes of the certificates that stand for the user's newest identity, in the order of the log."""
        account = self._account(user, at_size)
        identity = account.identity(at_size)
        if identity is None:
            return ()
        return tuple(each for each in account.certificates if account.stands(each, identity.index, at_size))

    def struck(self, user: str, kt_added: int, kt_size: int) -> bool:
        """Whether the user has a leaf i of type 5 or 6 with ``kt_added <= i < kt_size`` (section 8.5)."""
        breaks = self._account(user, kt_size).breaks
        first = bisect_left(breaks, kt_added)
        return first < len(breaks) and breaks[first] < kt_size

    def identity(self, user: str, at_size: int) -> Identity | None:
        """The user's newest identity key, or None where there is no such account, or none any more."""
        return self._account(user, at_size).identity(at_size)

    def identities(self, user: str, at_size: int) -> tuple[Identity, ...]:
        """All identity keys of the user, oldest first; also of an account that is gone."""
        return tuple(each for each in self._account(user, at_size).identities if each.index < at_size)

    def gone(self, user: str, at_size: int) -> bool:
        """Whether there was such an account and is none any more."""
        index = self._account(user, at_size).gone
        return index is not None and index < at_size

    def room_heads(self, name: str, at_size: int) -> tuple[RoomHead, ...]:
        """All leaves for the name of a public room, oldest first."""
        self._check(at_size)
        heads = self._rooms.get(room_tag(self.server_id, name), [])
        return tuple(heads[: bisect_left(heads, at_size, key=lambda head: head.index)])

    def room_head(self, name: str, at_size: int) -> RoomHead | None:
        """The newest leaf for the name of a public room (section 12.3)."""
        self._check(at_size)
        heads = self._rooms.get(room_tag(self.server_id, name), [])
        count = bisect_left(heads, at_size, key=lambda head: head.index)
        return heads[count - 1] if count else None

    def server_ids(self, at_size: int) -> tuple[bytes, ...]:
        """The server ids that leaves of type 7 name, oldest first. For clients that follow a server to its new key."""
        self._check(at_size)
        return tuple(server_id for index, server_id in self._server_keys if index < at_size)
