"""Our own devices: which there are, and what can be done with them."""

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Final

from chatserv.client import OwnDevice, date, moment, names, short_id, shown, translate
from clients.window.dialogs.dialog import Dialog

MOST_ROWS: Final = 10  # as many as an account may have


def device_name(device: OwnDevice) -> str:
    """What a device is called, for people."""
    return shown(device.name) or short_id(device.device_id)


def device_row(device: OwnDevice) -> str:
    """A device in the list."""
    facts = [translate("this device")] if device.current else [translate("online now")] if device.online else []
    return " · ".join([device_name(device), *facts])


def device_facts(device: OwnDevice) -> str:
    """What is known of a device, a fact a line."""
    lines = [translate("First seen: {date}").format(date=date(device.created_ms))]
    if device.online:
        lines.append(translate("Last seen: now"))
    elif device.seen_ms:
        lines.append(translate("Last seen: {moment}").format(moment=moment(device.seen_ms)))
    holds = translate("Has your identity key: it can approve and revoke devices.")
    lines.append(holds if device.holds_identity else translate("Does not have your identity key."))
    return "\n".join([*lines, translate("Id: {id}").format(id=short_id(device.device_id))])


class ListingDevices(Dialog):
    """A list, and below it what is known of the one that is marked.

    Args:
        parent: The main window.
        rename: Asks for this device's name.
        revoke: Asks whether to end the marked one.
    """

    def __init__(self, parent: tk.Misc, rename: Callable[[], object], revoke: Callable[[OwnDevice], object]) -> None:
        super().__init__(parent, translate("Devices"))
        self.devices: Sequence[OwnDevice] = ()
        self.tree = ttk.Treeview(self.body, columns=(), show="tree", height=3, selectmode="browse")
        self.tree.column("#0", width=self.width)
        self.tree.pack(fill="both", expand=True)
        self.tree.bind("<<TreeviewSelect>>", lambda _: self._tell())
        self.tree.bind("<Delete>", lambda _: self._revoke())
        self._revoking = revoke
        self.facts = ttk.Label(self.body, style="Faint.TLabel", wraplength=self.width, justify="left")
        self.facts.pack(anchor="w", fill="x", pady=(8, 0))
        self.open_rotation = ttk.Label(self.body, style="Loud.TLabel", wraplength=self.width, justify="left")
        self.open_rotation.pack(anchor="w", fill="x", pady=(4, 0))
        self.made_buttons = self.buttons(
            (translate("Close"), self.close),
            (translate("Rename this device…"), rename),
            (translate("Revoke…"), self._revoke),
        )

    @property
    def marked(self) -> OwnDevice | None:
        """The one that is marked."""
        chosen = next(iter(self.tree.selection()), "")
        return next((each for each in self.devices if each.device_id.hex() == chosen), None)

    def show(self, devices: Sequence[OwnDevice], still_open: Sequence[str]) -> None:
        """Shows what there is now. ``still_open``: devices whose identity key has still to be renewed."""
        if not self.is_open:
            return
        marked = self.marked
        self.devices = devices
        self.tree.delete(*self.tree.get_children())
        self.tree.configure(height=max(2, min(len(devices), MOST_ROWS)))
        for each in devices:
            self.tree.insert("", "end", iid=each.device_id.hex(), text=device_row(each))
        wanted = marked if marked in devices else next((each for each in devices if each.current), None)
        if wanted is not None:
            self.tree.selection_set(wanted.device_id.hex())
            self.tree.focus(wanted.device_id.hex())
        self._tell()
        said = translate(
            "The identity key that {devices} had is still in use: open chatserv on a device that has it, and it gets "
            "renewed."
        )
        self.open_rotation.configure(text=said.format(devices=names(still_open)) if still_open else "")

    def say(self, text: str) -> None:
        """Why there is nothing to show."""
        if self.is_open:
            self.open_rotation.configure(text=text)

    def _tell(self) -> None:
        marked = self.marked
        self.facts.configure(text="" if marked is None else device_facts(marked))
        self.made_buttons[-1].state(["disabled" if marked is None else "!disabled"])

    def _revoke(self) -> None:
        marked = self.marked
        if marked is not None:
            self._revoking(marked)
