"""The passphrase of what this device keeps: asked for at the start, or chosen."""

import tkinter as tk
from collections.abc import Callable

from chatserv.client import ChatError, prepared_password, translate
from clients.window.dialogs.dialog import Field, Form


class PassphraseForm(Form):
    """Stays open until it is said to be right, or is closed.

    Args:
        parent: The main window.
        text: What it is about.
        label: Of the button.
        take: Gets what was entered; answers by `refuse` or `succeed`.
        given_up: It was closed before.
        leave: Where one is chosen: leaves everything unsealed for good. Then it is entered twice.
    """

    def __init__(
        self,
        parent: tk.Misc,
        text: str,
        label: str,
        take: Callable[[str], None],
        given_up: Callable[[], object],
        leave: Callable[[], object] | None = None,
    ) -> None:
        self._new = leave is not None
        fields = [Field(translate("Passphrase"), secret=True)]
        others: list[tuple[str, Callable[[], object]]] = []
        if leave is not None:
            fields.append(Field(translate("Repeat passphrase"), secret=True))
            others.append((translate("Leave unsealed"), lambda: self._left(leave)))
        super().__init__(parent, translate("Passphrase"), text, fields, label, self._entered, others)
        self._take, self.given_up = take, given_up
        self._busy = False

    def _entered(self, values: list[str]) -> str | None:
        passphrase = values[0]
        if self._busy:
            return ""
        if self._new:
            try:
                passphrase = prepared_password(passphrase)
                if prepared_password(values[1]) != passphrase:
                    return translate("The two passphrases differ.")
            except ChatError as error:
                return error.explain()
        self._busy = True
        self.work()
        self._take(passphrase)
        return ""

    def refuse(self, why: str) -> None:
        """It is not right: says why, and lets the person try once more."""
        self._busy = False
        super().refuse(why)
        if self.is_open:
            self.entries[0].selection_range(0, "end")
            self.entries[0].focus_force()

    def succeed(self) -> None:
        """It is."""
        self._busy = False
        super().succeed()

    def _left(self, leave: Callable[[], object]) -> None:
        if not self._busy:
            self.succeed()
            leave()

    def close(self) -> None:
        """Goes away, but not while files are being sealed."""
        if not (self._busy and self._new):
            super().close()
