"""Our own devices as a program sees them: which there are, what they are called, and the end of one."""

from dataclasses import dataclass

from chatserv.client.history_results import Exported
from chatserv.client.part import Part
from chatserv.crypto.own_bodies import MAX_DEVICE_NAME_BYTES
from chatserv.domain.texts import valid_text
from chatserv.wire import messages


@dataclass(frozen=True)
class OwnDevice:
    """A device of ours that is valid.

    Attributes:
        device_id: 16 bytes.
        name: As it calls itself; empty where this device has not heard of it yet.
        created_ms: When it was made, milliseconds since 1970.
        seen_ms: When the server saw it last, to within an hour; 0: never.
        online: Whether it is there now.
        current: Whether it is this one.
        holds_identity: Whether it has proved that the identity key is on it: only such a device approves and revokes.
        may_hold_identity: Whether the key is renewed when it is revoked: unless this device has approved it without.
    """

    device_id: bytes
    name: str
    created_ms: int
    seen_ms: int
    online: bool
    current: bool
    holds_identity: bool
    may_hold_identity: bool


class DeviceList(Part):
    """The devices of our account."""

    async def list(self) -> list[OwnDevice]:
        """Those that are valid, oldest first."""
        engine, context = self._engine, self._engine.context
        told = await engine.requests.expect(messages.DeviceList, messages.ListDevices)
        seen = {each.device_id: each for each in told.items}
        heard = {row.device_id: row for row in context.vault.own_devices.all()}
        hashes = context.log.facts.certificates(context.user, context.log.size)
        await engine.certificates.fetch(hashes)
        found = []
        for device in (engine.certificates.known[each] for each in hashes):
            current = device.device_id == context.device_id
            row, there = heard.get(device.device_id), seen.get(device.device_id)
            found.append(
                OwnDevice(
                    device_id=device.device_id,
                    name=engine.own.talk.name if current else "" if row is None else row.name,
                    created_ms=device.created_ms,
                    seen_ms=0 if there is None else there.seen,
                    online=current or (there is not None and there.online),
                    current=current,
                    holds_identity=bool(context.keyring.identity_key)
                    if current
                    else row is not None and row.holds_identity,
                    may_hold_identity=current or engine.own.proofs.may_hold(device.device_id),
                )
            )
        return found

    async def rename(self, name: str) -> None:
        """Calls this device otherwise; the server does not learn it. Raises `TextInvalid` or `TooLarge`."""
        self._engine.own.talk.rename(valid_text(name, MAX_DEVICE_NAME_BYTES))

    async def revoke(self, device_id: bytes) -> None:
        """Ends a device of ours for good: it gets no keys any more, in any room. See also `rotation_open`.

        Raises:
            NotFound: There is no such device.
            NoIdentityKey: This device cannot revoke others.
            Forbidden: The server would be without an administrator.
        """
        await self._engine.own.revoking.revoke(device_id)

    async def share_history(self) -> Exported:
        """Gives our other devices the newest messages of each room that this one keeps, sealed, through the server.

        They take in what they do not have, of rooms that they are in, and verify who has said it: `HistoryReceived` says so
        there. What has no proof is left out, which ``unproved`` of the result counts. Twice is the same as once.

        Raises:
            NotFound: There is no other device, or it has not entered the room of our devices yet.
            NoFiles, TooLarge, Quota, StorageFull: The server takes no files, or not this one.
            Interrupted: The connection was lost meanwhile; nothing was shared.
        """
        return await self._engine.own.histories.share()

    @property
    def rotation_open(self) -> tuple[str, ...]:
        """The names of revoked devices that held the identity key which is still in force.

        A device that holds it renews it by itself; until then, who has one of those can speak of new devices as ours.
        """
        return self._engine.own.identity.open()
