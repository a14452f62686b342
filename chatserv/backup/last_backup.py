"""What is known in a state directory of the last backup of it, wherever that lies."""

from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from chatserv.decoding import UNREADABLE
from chatserv.errors import ChatError
from chatserv.private_files import PrivateFileError, read_private, write_private
from chatserv.state_directory import StatePaths


class LastBackup(msgspec.Struct, frozen=True):
    """The file, when it was made (milliseconds since 1970), and SHA-256 of the identity key (SPKI) that has signed it."""

    file: str
    made_ms: int
    key_id: bytes

    @property
    def date(self) -> str:
        """When it was made, ``2026-11-29T18:41:19Z``."""
        return f"{datetime.fromtimestamp(self.made_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def note_backup(state: StatePaths, made: LastBackup) -> None:
    """Keeps it; where the disk does not take that, the backup is as good without."""
    with suppress(PrivateFileError):
        write_private(state.last_backup, msgspec.json.encode(made) + b"\n", durable=False)


def last_backup(state: StatePaths) -> LastBackup | None:
    """What is known; None where that is nothing, or cannot be read."""
    with suppress(ChatError, *UNREADABLE):
        data = read_private(state.last_backup)
        return None if data is None else msgspec.json.decode(data, type=LastBackup)
    return None
