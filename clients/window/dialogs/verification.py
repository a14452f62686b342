"""The safety number with somebody, as digits and as a QR code."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Final

from chatserv.client import Verification, shown, translate
from clients.window.dialogs.dialog import Dialog, row_width
from clients.window.dialogs.qr import draw_qr

_GROUP: Final = 5
_GROUPS_IN_ROW: Final = 4


def grouped_rows(number: str) -> list[str]:
    """60 digits as rows of four groups of five."""
    groups = [number[at : at + _GROUP] for at in range(0, len(number), _GROUP)]
    return ["  ".join(groups[at : at + _GROUPS_IN_ROW]) for at in range(0, len(groups), _GROUPS_IN_ROW)]


class Verifying(Dialog):
    """Shows what two people compare, and takes what the other one shows.

    Args:
        parent: The main window.
        found: What to compare.
        same: A person says that the numbers are the same.
        compare: Compares what was pasted.
    """

    def __init__(
        self, parent: tk.Misc, found: Verification, same: Callable[[], None], compare: Callable[[str], None]
    ) -> None:
        user = shown(found.user)
        super().__init__(parent, translate("Verify {user}").format(user=user))
        state = {
            "verified": translate("{user} is verified: this number was compared before."),
            "changed": translate("The identity of {user} has CHANGED. This is the number of the new one."),
        }.get(found.trust, translate("{user} is not verified yet."))
        self.text(state.format(user=user), "Loud.TLabel" if found.trust == "changed" else "TLabel")
        self.text(
            translate(
                "Compare the number outside this server, for example in a call. It must be the same on both sides."
            )
        )
        row = ttk.Frame(self.body)
        row.pack(fill="x")
        style = ttk.Style(row)
        number = tk.Text(
            row, width=26, height=3, font="TkFixedFont", relief="flat", padx=8, pady=8, takefocus=True, highlightthickness=0,
            background=style.lookup("TEntry", "fieldbackground"), foreground=style.lookup("TLabel", "foreground"),
        )  # fmt: skip
        number.insert("1.0", "\n".join(grouped_rows(found.number)))
        number.configure(state="disabled")
        draw_qr(row, found.qr).pack(side="right", padx=(12, 0))
        number.pack(side="left", anchor="n")
        self.number = number
        below = ttk.Frame(self.body)
        below.pack(fill="x", pady=(10, 0))
        ttk.Label(below, text=translate("What the other person sees")).pack(side="left", padx=(0, 8))
        self.given = ttk.Entry(below)
        self.given.pack(side="left", fill="x", expand=True)
        self.said = ttk.Label(self.body, style="Loud.TLabel", wraplength=row_width(self.top))
        self.said.pack(anchor="w", fill="x", pady=(6, 0))
        self._compare = compare
        self.buttons(
            (translate("Compare"), self._go),
            (translate("The numbers match"), same),
            (translate("Close"), self.close),
        )

    def _go(self) -> None:
        given = self.given.get().strip()
        if given:
            self._compare(given)
        else:
            self.say(translate("Paste the number or the text of the QR code that the other person sees."))

    def say(self, text: str) -> None:
        """What came of it."""
        if self.is_open:
            self.said.configure(text=text)
