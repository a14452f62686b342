"""What the log says, as a table: the facts that all clients share at a size of the log (docs/rooms.rst 3.2, 5.2 and 8).

Each question names the size at which it is asked. The answer at size n depends on the first n leaves alone, however many
more there are, so that all who hold the same log validate a commit alike.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from chatserv.crypto.log_leaves import ROOM_ID_BYTES, ZEROS, Leaf, LeafType, room_tag, user_tag
from chatserv.crypto.statements import DeviceFacts, UikRotation, verify_rotation
from chatserv.crypto.suite import RSA_BYTES, same, sha256
from chatserv.errors import Reject


@dataclass(frozen=True)
class Identity:
    """An identity key that came into force with the leaf ``index``, of type 1, 4 or 5."""

    index: int
    kind: LeafType
    fingerprint: bytes


@dataclass(frozen=True)
class Rotation:
    """A leaf of type 4 as it stands in the log: somebody gave ``old`` up for ``new``, if that is what they signed.

    ``tag`` stands for the user; ``statement`` is the hash of what they signed, 32 bytes.
    """

    tag: bytes
    old: Identity
    new: Identity
    statement: bytes

    def verify(self, statement: bytes, before: bytes) -> None:
        """Checks what is said to stand behind the leaf, a ``UikRotation``.

        Args:
            statement: The signed bytes.
            before: What stands behind the leaf of the old identity: its SPKI (DER), or the ``UikRotation`` that brought it.

        Raises:
            Reject: It is not the statement that was logged, is about other keys, or one of the two has not signed it.
        """
        if not same(sha256(statement), self.statement):
            raise Reject("identity rotation: not the one that was logged")
        rotated = self.old.kind is LeafType.ROTATE
        old_spki = UikRotation.decode(before[: -2 * RSA_BYTES]).new_spki if rotated else before
        rotation = verify_rotation(statement, old_spki)
        if (rotation.old_fingerprint, sha256(rotation.new_spki)) != (self.old.fingerprint, self.new.fingerprint):
            raise Reject("identity rotation: of other keys than the log says")


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
    carried: set[int] = field(default_factory=set)
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
    """The table that a replay of the leaves gives, together with what is signed behind its rotations.

    A leaf of type 4 is a rotation if its statement is signed by the old and the new identity, and a break like one of type
    5 if not. The leaf has the statement's hash, so there is one answer to it for everybody; but the statement itself comes
    by another way. Until `decide` has told, such a leaf is `undecided`: it counts as a break, and whoever validates or plans
    a commit that it has a part in gets the statement first.

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
        self._undecided: dict[int, Rotation] = {}
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
                identity = Identity(index, leaf.kind, leaf.subject)
                if leaf.kind is LeafType.ROTATE:
                    self._undecided[index] = Rotation(leaf.tag, account.identities[-1], identity, leaf.statement)
                account.identities.append(identity)
        if leaf.kind in (LeafType.ROTATE, LeafType.RESET, LeafType.GONE):
            account.breaks.append(index)

    def undecided(self, at_size: int, users: Iterable[str] | None = None) -> list[Rotation]:
        """The rotations among the first ``at_size`` leaves, of these users or of all, of which `decide` has not told yet."""
        found = [rotation for index, rotation in self._undecided.items() if index < at_size]
        if users is None or not found:
            return found
        tags = {user_tag(self.server_id, user) for user in users}
        return [rotation for rotation in found if rotation.tag in tags]

    def decide(self, rotation: Rotation, *, signed: bool) -> None:
        """Says of an undecided rotation whether both identities have signed it (`Rotation.verify`); else it is a break."""
        if self._undecided.pop(rotation.new.index, None) is not None and signed:
            account = self._accounts[rotation.tag]
            account.breaks.remove(rotation.new.index)
            account.carried.add(rotation.new.index)

    def _account(self, user: str, at_size: int) -> _Account:
        self._check(at_size)
        return self._accounts.get(user_tag(self.server_id, user), _NOBODY)

    def _check(self, at_size: int) -> None:
        if not 0 <= at_size <= self._size:
            raise Reject(f"log: asked at size {at_size}, {self._size} known")

    # -- questions; each raises Reject where the log is not known up to the size at which it is asked ------------------

    def certificate_valid(self, device: DeviceFacts, cert_hash: bytes, at_size: int) -> bool:
        """Whether a certificate is valid at log size ``at_size`` (docs/rooms.rst 3.2).

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
        """Whether the user has a break, of type 5, 6 or 4 unsigned, at a leaf i with ``kt_added <= i < kt_size``."""
        breaks = self._account(user, kt_size).breaks
        first = bisect_left(breaks, kt_added)
        return first < len(breaks) and breaks[first] < kt_size

    def identity(self, user: str, at_size: int) -> Identity | None:
        """The user's newest identity key, or None where there is no such account, or none any more."""
        return self._account(user, at_size).identity(at_size)

    def identities(self, user: str, at_size: int) -> tuple[Identity, ...]:
        """All identity keys of the user, oldest first; also of an account that is gone."""
        return tuple(each for each in self._account(user, at_size).identities if each.index < at_size)

    def carried(self, user: str, fingerprint: bytes, at_size: int) -> bool:
        """Whether rotations that are signed lead from the identity with this fingerprint to the user's newest one."""
        account = self._account(user, at_size)
        for identity in reversed(self.identities(user, at_size)):
            if identity.fingerprint == fingerprint:
                return True
            if identity.index not in account.carried:
                return False
        return False

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
        """The newest leaf for the name of a public room (docs/rooms.rst 5.7)."""
        self._check(at_size)
        heads = self._rooms.get(room_tag(self.server_id, name), [])
        count = bisect_left(heads, at_size, key=lambda head: head.index)
        return heads[count - 1] if count else None

    def server_ids(self, at_size: int) -> tuple[bytes, ...]:
        """The server ids that leaves of type 7 name, oldest first. For clients that follow a server to its new key."""
        self._check(at_size)
        return tuple(server_id for index, server_id in self._server_keys if index < at_size)
