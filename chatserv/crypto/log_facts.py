"""What the log says, as a table: the facts that all clients share at a size of the log (docs/rooms.rst 3.2, 5.2 and 8).

Each question names the size at which it is asked. The answer at size n depends on the first n leaves alone, however many
more there are, so that all who hold the same log validate a commit alike.
"""

from bisect import bisect_left
from collections.abc import Iterable

from msgspec import Struct, field

from chatserv.crypto.identities import Identity, Rotation, Said
from chatserv.crypto.log_leaves import ROOM_ID_BYTES, ZEROS, Leaf, LeafType, removal_tag, room_tag, user_tag
from chatserv.crypto.statements import DeviceFacts
from chatserv.errors import Reject


class RoomHead(Struct, frozen=True):
    """A leaf of type 8 for a room's name."""

    index: int
    room_id: bytes
    commit_hash: bytes

    @property
    def closed(self) -> bool:
        """Whether the leaf ends the name's use: the room was closed, renamed or is no longer public."""
        return self.commit_hash == ZEROS


class _Account(Struct):
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
        return self.before(at_size)

    def before(self, index: int) -> Identity | None:
        """The identity that was in force when the leaf ``index`` came, whether or not the account is gone since."""
        count = bisect_left(self.identities, index, key=lambda identity: identity.index)
        return self.identities[count - 1] if count else None

    def since(self, at_size: int) -> int | None:
        """The leaf of the oldest identity from which rotations that are signed lead to the newest."""
        if self.identity(at_size) is None:
            return None
        count = bisect_left(self.identities, at_size, key=lambda identity: identity.index)
        while self.identities[count - 1].index in self.carried:
            count -= 1
        return self.identities[count - 1].index

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
                if leaf.kind is LeafType.ROTATE:
                    self._undecided[index] = self.rotation(leaf)
                account.identities.append(Identity(index, leaf.kind, leaf.subject))
        if leaf.kind in (LeafType.ROTATE, LeafType.RESET, LeafType.GONE):
            account.breaks.append(index)

    def rotation(self, leaf: Leaf) -> Rotation:
        """What a leaf of type 4 says where it comes next. Raises `Reject` where it is about nobody."""
        account = self._accounts.get(leaf.tag)
        if account is None:
            raise Reject("log: a leaf about nobody")
        new = Identity(self._size, leaf.kind, leaf.subject)
        return Rotation(leaf.tag, account.identities[-1], new, leaf.statement)

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

        Its leaf is among the first ``at_size`` and came while the identity that it names was in force, from which rotations
        that are signed lead to its user's newest one; it is not revoked, and the account is not gone. So a rotation voids
        nothing that was certified before it, and whoever has the old key alone certifies nothing after it.

        Args:
            device: What the certificate says; its signatures are verified already.
            cert_hash: SHA-256 of the whole certificate.
            at_size: How much of the log counts.
        """
        account = self._account(device.user, at_size)
        since = account.since(at_size)
        if device.server_id != self.server_id or since is None or not account.stands(cert_hash, since, at_size):
            return False
        signer = account.before(account.certificates[cert_hash])
        return signer is not None and signer.fingerprint == device.identity_fingerprint

    def certified(self, device: DeviceFacts, cert_hash: bytes, at_size: int) -> bool:
        """Whether a certificate was ever logged, under an identity that its user had: valid still, or no more."""
        account = self._account(device.user, at_size)
        known = any(each.fingerprint == device.identity_fingerprint for each in account.identities)
        return device.server_id == self.server_id and known and account.certificates.get(cert_hash, at_size) < at_size

    def certificates(self, user: str, at_size: int) -> tuple[bytes, ...]:
        """The hashes of the certificates that stand for the user, in the order of the log.

        Whether each names the identity that it has to, the log does not say: `certificate_valid` does.
        """
        account = self._account(user, at_size)
        since = account.since(at_size)
        if since is None:
            return ()
        return tuple(each for each in account.certificates if account.stands(each, since, at_size))

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

    def signer(self, user: str, index: int) -> Identity | None:
        """The identity whose signature counts on what the leaf ``index`` says of the user's devices.

        None where there was none. An account that is gone has its last one.
        """
        return self._account(user, index).before(index)

    def revoked_at(self, user: str, cert_hash: bytes) -> int | None:
        """The leaf that ends the device of this certificate, or None where there is none yet."""
        return self._account(user, self._size).revoked.get(cert_hash)

    def history(self, user: str, at_size: int) -> tuple[Said, ...]:
        """Everything that the log says about a user, in order, with each certificate and revocation once."""
        account = self._account(user, at_size)
        found = [
            Said(each.index, each.kind, each.fingerprint, self._signed(account, each)) for each in account.identities
        ]
        found += [Said(index, LeafType.DEVICE, cert_hash) for cert_hash, index in account.certificates.items()]
        found += [Said(index, LeafType.REVOKE, cert_hash) for cert_hash, index in account.revoked.items()]
        found += [] if account.gone is None else [Said(account.gone, LeafType.GONE, ZEROS)]
        return tuple(sorted((each for each in found if each.index < at_size), key=lambda each: each.index))

    def _signed(self, account: _Account, identity: Identity) -> bool | None:
        if identity.kind is not LeafType.ROTATE or identity.index in self._undecided:
            return None
        return identity.index in account.carried

    def carried(self, user: str, fingerprint: bytes, at_size: int, to: bytes | None = None) -> bool:
        """Whether signed rotations lead from one fingerprint to the other, by default to that of the newest identity."""
        account = self._account(user, at_size)
        reached = to is None
        for identity in reversed(self.identities(user, at_size)):
            reached = reached or identity.fingerprint == to
            if reached and identity.fingerprint == fingerprint:
                return True
            if reached and identity.index not in account.carried:
                return False
        return False

    def gone(self, user: str, at_size: int) -> bool:
        """Whether there was such an account and is none any more."""
        index = self._account(user, at_size).gone
        return index is not None and index < at_size

    def heads(self, tag: bytes, at_size: int) -> tuple[RoomHead, ...]:
        """All leaves of type 8 under a tag, oldest first."""
        self._check(at_size)
        heads = self._rooms.get(tag, [])
        return tuple(heads[: bisect_left(heads, at_size, key=lambda head: head.index)])

    def endings(self, room_id: bytes, at_size: int) -> tuple[RoomHead, ...]:
        """The leaves that say to all who know a room's id that it has ended, oldest first."""
        return tuple(head for head in self.heads(removal_tag(self.server_id, room_id), at_size) if head.closed)

    def room_heads(self, name: str, at_size: int) -> tuple[RoomHead, ...]:
        """All leaves for the name of a public room, oldest first."""
        return self.heads(room_tag(self.server_id, name), at_size)

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
