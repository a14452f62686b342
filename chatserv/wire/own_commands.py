"""Commands about the own account: its devices, its identity, its backup."""

from typing import Annotated

from msgspec import Meta

from chatserv.crypto.password import VERIFIER_BYTES
from chatserv.crypto.suite import RSA_BYTES
from chatserv.discreet import Discreet
from chatserv.wire.fields import MAX_BACKUP_BYTES, Command, Counter, IdOrNone, Slots, TellBody


class Revoke(Command, frozen=True, tag="revoke"):
    """Ends a device of the own account by a signed Revocation (docs/rooms.rst 3.2). Answered by `Ok`."""

    statement: Annotated[bytes, Meta(min_length=443, max_length=443)]


class Rotate(Command, frozen=True, tag="rotate"):
    """Puts a new identity key in the place of the own one by a signed UikRotation (docs/rooms.rst 3.3). Answered by `Ok`."""

    statement: Annotated[bytes, Meta(min_length=1232, max_length=1232)]


class ListDevices(Command, frozen=True, tag="devices"):
    """Asks for the own account's valid devices. Answered by `DeviceList`."""


class OwnRooms(Command, frozen=True, tag="own_rooms"):
    """Asks for the rooms whose member the account is and where this device has no open place. Answered by `OwnRoomList`.

    ``after``: those whose ids come after this one; empty: from the first on.
    """

    after: IdOrNone = b""


class GetBackup(Command, frozen=True, tag="get_backup"):
    """Asks for the sealed backup. Answered by `Backup`, or by ``not_found``."""


class PutBackup(Command, frozen=True, tag="put_backup"):
    """Leaves a sealed backup with the server in the place of the one before. Answered by `Ok`.

    ``counter`` has to be greater than that of the one that is there, else ``stale_backup``. The server can open neither
    ``blob`` nor ``slots``.
    """

    counter: Counter
    blob: Annotated[bytes, Meta(min_length=1, max_length=MAX_BACKUP_BYTES)]
    slots: Slots

    def __repr__(self) -> str:
        return f"PutBackup(label={self.label}, counter={self.counter}, {len(self.blob)} bytes)"


class DeleteAccount(Command, frozen=True, tag="delete_account"):
    """Ends the own account for good by a signed Gone (docs/rooms.rst 3.4). Answered by `Ok`, then the sessions end."""

    statement: Annotated[bytes, Meta(min_length=428, max_length=491)]


class SetPassword(Command, Discreet, frozen=True, tag="set_password"):
    """Puts another verifier in the place of the account's. Answered by `Ok`; guests that came by the old one are ended.

    ``signature``: by the account's newest identity key (docs/protocol.rst 4.3).
    """

    shown = ("label",)

    verifier: Annotated[bytes, Meta(min_length=VERIFIER_BYTES, max_length=VERIFIER_BYTES)]
    signature: Annotated[bytes, Meta(min_length=RSA_BYTES, max_length=RSA_BYTES)]


class Enrol(Command, frozen=True, tag="enrol"):
    """Makes the guest that sends it a device of its account, by this certificate. Answered by `Ok`, also when repeated."""

    certificate: Annotated[bytes, Meta(max_length=2048)]


class Tell(Command, frozen=True, tag="tell"):
    """Has something told to the own account's sessions that are there now; never stored. Answered by `Ok`.

    ``to``: one device or guest; empty: all devices.
    """

    to: IdOrNone
    body: TellBody

    def __repr__(self) -> str:
        return f"Tell(label={self.label}, to={self.to.hex()}, {len(self.body)} bytes)"


OwnCommand = (
    Revoke | Rotate | ListDevices | OwnRooms | GetBackup | PutBackup | DeleteAccount | SetPassword | Enrol | Tell
)
