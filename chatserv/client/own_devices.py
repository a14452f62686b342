"""Our own devices as a program sees them: those that there are, and new ones that wait for approval."""

from chatserv.client.device_list import DeviceList
from chatserv.client.recovery.approvals import DeviceRequest


class OwnDevices(DeviceList):
    """The devices of our account."""

    @property
    def waiting(self) -> tuple[DeviceRequest, ...]:
        """New devices that wait for approval."""
        return self._engine.own.recovery.approvals.waiting

    async def approve(self, device_id: bytes, *, hand_over: bool = False) -> None:
        """Makes a new device one of ours, after its words were compared.

        Args:
            device_id: Which.
            hand_over: Whether it gets the identity key too, and so can approve and revoke others itself.

        Raises:
            NotFound: It does not wait any more.
            NoIdentityKey: This device cannot approve others.
        """
        await self._engine.own.recovery.approvals.approve(device_id, hand_over=hand_over)

    async def refuse(self, device_id: bytes) -> None:
        """Turns a new device away. Raises as `approve`."""
        await self._engine.own.recovery.approvals.refuse(device_id)
