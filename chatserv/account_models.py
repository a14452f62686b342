"""What stores hold and are asked for when a person comes without a device: values without behaviour."""

import msgspec

from chatserv.discreet import Discreet
from chatserv.models import Account, LeafDraft


class PasswordLogin(Discreet, frozen=True):
    """What a login by password goes by.

    ``verifier``: as the account's client has made it (docs/protocol.rst 4.3). ``identity_spki``: the account's newest
    identity key, DER. ``networks``: where it has logged in from, each as its keyed hash of 16 bytes.
    """

    shown = ("account",)

    account: Account
    verifier: bytes
    identity_spki: bytes
    networks: frozenset[bytes] = frozenset()


class Enrolment(msgspec.Struct, frozen=True):
    """A checked request to make a device; ``identity_spki`` is the key that has signed ``certificate``.

    ``leaf``: of the log, appended with the device; None where the log has it already.
    """

    name: str
    identity_spki: bytes
    device_id: bytes
    certificate: bytes
    leaf: LeafDraft | None


class SealedBackup(msgspec.Struct, frozen=True):
    """What a device has left for its person; only they open it. ``at_ms``: when, by the server's clock."""

    counter: int
    at_ms: int
    blob: bytes
    slots: tuple[bytes, ...]

    @property
    def content(self) -> tuple[int, bytes, tuple[bytes, ...]]:
        """All but the time: what makes a repeated request the same."""
        return self.counter, self.blob, self.slots


class OwnDevice(msgspec.Struct, frozen=True):
    """A valid device of an account. ``seen_ms``: when it was last here, to within an hour; 0: never."""

    device_id: bytes
    cert_hash: bytes
    created_ms: int
    seen_ms: int
