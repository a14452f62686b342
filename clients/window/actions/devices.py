"""What a person asks for about their own devices, and what new ones ask for."""

from collections.abc import Awaitable, Callable

from chatserv.client import ChatError, Client, DeviceRequest, OwnDevice, explained, translate
from chatserv.client.errors import Forbidden, NotFound
from clients.window.actions.doing import Doing
from clients.window.dialogs.approval import Approving
from clients.window.dialogs.devices import ListingDevices, device_name
from clients.window.dialogs.dialog import Field, confirm


class DeviceActions:
    """Shows devices, ends them, lets new ones in.

    Args:
        doing: Does it.
    """

    def __init__(self, doing: Doing) -> None:
        self._doing, self._context = doing, doing.context
        self.listing: ListingDevices | None = None
        self.approving: Approving | None = None
        self._put_off: set[bytes] = set()

    # -- the list ------------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Opens the list."""
        if self._context.client is not None:
            self.listing = ListingDevices(self._context.root, self._ask_for_name, self._ask_to_revoke)
            self.listing.open(self.listing.tree)
            self.refresh()

    def refresh(self) -> None:
        """Something about them has changed."""
        client, listing = self._context.client, self.listing
        if client is None or listing is None or not listing.is_open:
            return

        async def work() -> None:
            try:
                listing.show(await client.devices.list(), client.devices.rotation_open)
            except ChatError as error:
                listing.say(explained(error))

        self._doing.run(work())

    def _ask_for_name(self) -> None:
        client, listing = self._context.client, self.listing
        if client is None or listing is None:
            return
        name = next((each.name for each in listing.devices if each.current), "")

        async def rename(values: list[str]) -> str:
            await client.devices.rename(values[0].strip())
            self.refresh()
            return ""

        self._doing.ask_for(
            translate("Rename this device"), translate("Only your own devices see the name."),
            [Field(translate("Name"), name)], translate("Rename"), rename,
        )  # fmt: skip

    def _ask_to_revoke(self, device: OwnDevice) -> None:
        client, listing = self._context.client, self.listing
        if client is None or listing is None:
            return
        alone = len(listing.devices) == 1
        text = meaning(client, device, alone=alone)
        label = translate("Revoke it anyway") if alone else translate("Revoke")
        confirm(
            self._context.root, translate("Revoke a device"), text, label,
            lambda: self._doing.run(self._revoke(client, device)),
        )  # fmt: skip

    async def _revoke(self, client: Client, device: OwnDevice) -> None:
        try:
            await client.devices.revoke(device.device_id)
        except Forbidden:
            said = translate("The server would be left without an administrator: make somebody else one first.")
            self._doing.tell_not_done(said)
        else:
            said = translate("{device} is revoked: it can never log in again.")
            self._doing.presenter.say(said.format(device=device_name(device)))
        self.refresh()

    # -- new ones ------------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> tuple[DeviceRequest, ...]:
        """New devices that wait for approval."""
        client = self._context.client
        return () if client is None else client.devices.waiting

    def asks(self, device_id: bytes) -> None:
        """One of them has words to compare now, or others than before."""
        self._put_off.discard(device_id)
        dialog = self.approving
        if dialog is None or not dialog.is_open or dialog.request.device_id == device_id:
            self._next(take=False)

    def show_waiting(self) -> None:
        """The person wants to see them, those too that were put off."""
        self._put_off.clear()
        self._next(take=True)

    def gone(self, device_id: bytes) -> None:
        """One waits no more."""
        self._put_off.discard(device_id)
        dialog = self.approving
        if dialog is not None and dialog.is_open and dialog.request.device_id == device_id:
            dialog.close()
            self._next(take=False)
        self.refresh()

    def _next(self, *, take: bool) -> None:
        """Shows the first one that was not put off."""
        client = self._context.client
        found = next((each for each in self.waiting if each.device_id not in self._put_off), None)
        if client is None or found is None:
            return
        device_id, before = found.device_id, self.approving
        by_itself = not take or (before is not None and before.is_open)
        self._put_off.add(device_id)  # until it is asked for, or asks anew

        def approve(hand_over: bool) -> None:
            said = translate(
                "Approved. Say on the new device that the words are the same: then it enters your rooms by itself."
            )
            self._answer(dialog, lambda: client.devices.approve(device_id, hand_over=hand_over), said)

        def refuse() -> None:
            said = translate(
                "Refused. If it was not you who logged in there, change your password: Account, Change password."
            )
            self._answer(dialog, lambda: client.devices.refuse(device_id), said)

        self.approving = dialog = Approving(self._context.root, found, approve, refuse)
        if by_itself:
            dialog.hold(self._context.reactor)
        dialog.ask(take=take)

    def _answer(self, dialog: Approving, act: Callable[[], Awaitable[None]], said: str) -> None:
        dialog.work()

        async def work() -> None:
            try:
                await act()
            except NotFound:
                dialog.refuse(translate("That device does not wait any more."))
            except ChatError as error:
                dialog.refuse(explained(error))
            else:
                dialog.close()
                self._doing.presenter.say(said)
                self._next(take=False)

        self._doing.run(work())


def meaning(client: Client, device: OwnDevice, *, alone: bool) -> str:
    """What a person has to know before they revoke a device."""
    said = translate("Revoke {device}? It can never log in again, and gets no more keys in any room.")
    lines = [said.format(device=device_name(device))]
    if alone and client.account.recovery == "none":
        lines = [
            translate(
                "This is your ONLY device, and you have no recovery code: after that nobody, not even you, can log in to "
                "your account, and nothing brings it back. Make a recovery code first."
            )
        ]
    elif alone:
        lines = [
            translate(
                "This is your ONLY device: after that you get back into your account only with your recovery code."
            )
        ]
    else:
        if device.current:
            lines.append(translate("It is the device that you are using now."))
        else:
            lines.append(
                translate("If whoever has it could know your password, change that too: Account, Change password.")
            )
        if device.may_hold_identity:
            lines.append(
                translate(
                    "It has your identity key, or may have it: that gets renewed too, and after that you have to make a new "
                    "recovery code."
                )
            )
    return "\n\n".join(lines)
