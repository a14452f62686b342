"""Which of our devices hold the identity key, as they can prove (docs/rooms.rst 7.6)."""

from typing import Final

from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room
from chatserv.client.verification.own_certificates import APPROVED, WITHOUT_IDENTITY
from chatserv.crypto.own_bodies import PROOF_BYTES, prove_identity, proven_identity
from chatserv.errors import Reject

PROOF: Final = "identity proof"  # that of this device for the key that it holds


class Proofs:
    """Makes the proof of this device, and checks those of the others.

    Args:
        context: What the client's parts share.
    """

    def __init__(self, context: ClientContext) -> None:
        self._context = context

    def own(self) -> bytes:
        """The proof of this device, signed once for each key; empty where it holds none."""
        context = self._context
        if not context.keyring.identity_key:
            return b""
        identity, kept = context.keyring.load_identity(), context.vault.facts.get(PROOF)
        if kept is None or len(kept) != PROOF_BYTES or not kept.startswith(context.keyring.identity_spki()):
            kept = prove_identity(identity, context.server_id, context.device_id, context.cert_hash)
            context.vault.facts.put(PROOF, kept)
        return kept

    @property
    def told(self) -> bool:
        """Whether there is nothing to prove that was never said."""
        return not self._context.keyring.identity_key or self._context.vault.facts.get(PROOF) is not None

    def proves(self, room: Room, device_id: bytes, proof: bytes) -> bool:
        """Whether a device of ours shows by this that it holds the identity key which is in force now.

        One of before does not count: whoever was revoked with it may have handed it on.
        """
        context, log, entry = self._context, self._context.log, room.own(device_id)
        if entry is None or not proof or log.facts.undecided(log.size, [context.user]):
            return False
        try:
            fingerprint = proven_identity(proof, context.server_id, device_id, entry.cert_hash)
        except Reject:
            return False
        newest = log.facts.identity(context.user, log.size)
        carried = log.facts.carried(context.user, context.keyring.identity_fingerprint(), log.size)
        return newest is not None and newest.fingerprint == fingerprint and carried

    def holders(self) -> set[bytes]:
        """The ids of the other devices that have proved it, once: whoever holds the key is given the next one."""
        return {row.device_id for row in self._context.vault.own_devices.all() if row.holds_identity}

    def may_hold(self, device_id: bytes) -> bool:
        """Whether a device counts as one that held the key when it is revoked: all but those approved here without it."""
        approved = self._context.vault.facts.get(APPROVED + device_id.hex())
        return approved != WITHOUT_IDENTITY or device_id in self.holders()
