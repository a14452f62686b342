"""Identity keys as they stand in the log, one after the other, and what is signed behind a change (docs/rooms.rst 8.1)."""

from msgspec import Struct

from chatserv.crypto.log_leaves import LeafType
from chatserv.crypto.statements import UikRotation, verify_rotation
from chatserv.crypto.suite import of_both, same, sha256
from chatserv.errors import Reject


class Identity(Struct, frozen=True):
    """An identity key that came into force with the leaf ``index``, of type 1, 4 or 5."""

    index: int
    kind: LeafType
    fingerprint: bytes

    def spki(self, statement: bytes) -> bytes:
        """The key itself (DER), from what stands behind the leaf: its SPKI, or the ``UikRotation`` that brought it.

        Raises:
            Reject: It is another key, or none.
        """
        rotated = self.kind is LeafType.ROTATE
        found = UikRotation.decode(of_both(statement)).new_spki if rotated else statement
        if not same(sha256(found), self.fingerprint):
            raise Reject("identity: another key than the log says")
        return found


class Said(Struct, frozen=True):
    """One leaf about a user. ``subject``: see `Leaf`. ``signed``, of type 4: by both identities; None: not known yet."""

    index: int
    kind: LeafType
    subject: bytes
    signed: bool | None = None


class Rotation(Struct, frozen=True):
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
            before: What stands behind the leaf of the old identity (see `Identity.spki`).

        Raises:
            Reject: It is not the statement that was logged, is about other keys, or one of the two has not signed it.
        """
        if not same(sha256(statement), self.statement):
            raise Reject("identity rotation: not the one that was logged")
        self.new.spki(statement)
        verify_rotation(statement, self.old.spki(before))
