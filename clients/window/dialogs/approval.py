"""A new device of ours that waits: its words, to be compared, and what is done about it."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any, Final

from chatserv.client import DeviceRequest, moment, translate
from clients.window.dialogs.dialog import Dialog
from clients.window.dialogs.login import word_rows
from clients.window.dialogs.qr import SMALL_QR_PIXELS, draw_qr

HOLD_SECONDS: Final = 2.0  # in which a click may still be meant for what was there before


class Approving(Dialog):
    """Stays until it is approved, refused, put off, or gone.

    Args:
        parent: The main window.
        request: Which device.
        approve: The words are the same; told whether to hand over the identity key too.
        refuse: They are not, or nobody of us has logged in there.
    """

    def __init__(
        self,
        parent: tk.Misc,
        request: DeviceRequest,
        approve: Callable[[bool], object],
        refuse: Callable[[], object],
    ) -> None:
        super().__init__(parent, translate("A new device"))
        self.request = request
        said = translate(
            "Somebody has logged in with your password on a new device ({when}). If that was you, the new device shows the "
            "same six words, or the same QR code:"
        )
        self.text(said.format(when=moment(request.at_ms)))
        self.words = ttk.Label(
            self.body, text=word_rows(request.words), style="Code.TLabel", justify="center", anchor="center"
        )
        self.words.pack(fill="x")
        draw_qr(self.body, request.qr, SMALL_QR_PIXELS).pack(pady=(10, 8))
        self.hand_over = tk.BooleanVar(self.top, value=False)
        self._check = ttk.Checkbutton(
            self.body, text=translate("Hand over the identity key too"), variable=self.hand_over
        )
        self._check.pack(anchor="w")
        meaning = translate(
            "Then that device can approve and revoke devices itself, and so can whoever takes it away from you. Without the "
            "key it reads and writes in your rooms all the same."
        )
        self.text(meaning, "Faint.TLabel")
        self.said = ttk.Label(self.body, style="Loud.TLabel", wraplength=self.width, justify="left")
        self.said.pack(anchor="w", fill="x")
        self.made_buttons = self.buttons(
            (translate("They are the same: approve"), lambda: approve(self.hand_over.get())),
            (translate("Refuse"), refuse),
            (translate("Later"), self.close),
        )

    def ask(self, *, take: bool) -> None:
        """Shows it. Return alone puts it off: nobody approves what they have not read. ``take``: see `Dialog.open`."""
        self._default = self.made_buttons[-1]
        self.open(self.made_buttons[-1], take=take)

    def hold(self, reactor: Any) -> None:
        """It has come by itself, perhaps under a click that was meant for another: it takes no answer for a moment."""
        self.work()
        call = reactor.callLater(HOLD_SECONDS, self._free)
        self.top.bind("<Destroy>", lambda _: call.cancel() if call.active() else None, add=True)

    def work(self) -> None:
        """It is being done."""
        for each in self.made_buttons[:2]:
            each.state(["disabled"])

    def refuse(self, why: str) -> None:
        """It was not done."""
        if self.is_open:
            self._free()
            self.said.configure(text=why)

    def _free(self) -> None:
        for each in self.made_buttons[:2]:
            each.state(["!disabled"])
