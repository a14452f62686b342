"""What a new device knows from a backup, or from the one that has approved it, before its first session."""

from typing import Final

from chatserv.client.account.profile import Profile
from chatserv.client.commits.maintenance import LOBBY_ENTERED
from chatserv.client.storage.facts import Facts
from chatserv.client.storage.pins import Pin, PinState
from chatserv.client.storage.vault import Vault
from chatserv.client.verification.own_certificates import ARRIVED
from chatserv.crypto.e2e.backup import BackupContent

TO_ENTER: Final = "rooms to enter"  # the first session has not entered them yet
EPOCH: Final = "epoch "  # and the room's id, in hexadecimal
BACKUP_SEEN: Final = "backup counter"


def keep_arrival(profile: Profile, content: BackupContent, counter: int) -> None:
    """Puts it where the client will find it: rooms for the first session, whom we verified, the backup's counter.

    Args:
        profile: Of the new device.
        content: Without use for its identity key, which belongs into the keyring.
        counter: Of the newest backup that was seen; 0: of none.

    Raises:
        StorageError: It could not be stored.
    """
    vault = Vault.open(profile.database, profile.database_key)
    try:
        with vault.transaction():
            vault.facts.put(ARRIVED, b"1")
            vault.facts.put(TO_ENTER, b"1")
            vault.facts.put(LOBBY_ENTERED, b"1")  # whether the person is there or not is in their rooms
            for room in content.rooms:
                vault.heard_rooms.put_agreed(room.room_id, agreed=room.agreed)
                vault.heard_rooms.put_title(room.room_id, room.title, room.topic)
                vault.facts.put(EPOCH + room.room_id.hex(), room.epoch.to_bytes(4, "big"))
            for user, fingerprint in content.verified:
                vault.pins.put(Pin(user, fingerprint, PinState.VERIFIED, content.at_ms))
            note_seen(vault.facts, counter)
    finally:
        vault.close()


def known_epoch(facts: Facts, room_id: bytes) -> int:
    """The newest epoch of a room that a backup, or the device that approved this one, knows; 0 where none does."""
    return int.from_bytes(facts.get(EPOCH + room_id.hex()) or b"", "big")


def note_seen(facts: Facts, counter: int) -> None:
    """Remembers the newest backup that this device has seen."""
    if counter > seen(facts):
        facts.put(BACKUP_SEEN, counter.to_bytes(8, "big"))


def seen(facts: Facts) -> int:
    """The counter of the newest backup that this device has seen; 0: of none."""
    return int.from_bytes(facts.get(BACKUP_SEEN) or b"", "big")
