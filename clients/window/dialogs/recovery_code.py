"""The recovery code: shown once, to be written down or kept as a file, and asked for once more."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Final

from chatserv.client import ChatError, NewRecovery, explained, translate
from clients.window.dialogs.dialog import Dialog, Field, Form, in_rows
from clients.window.dialogs.qr import SMALL_QR_PIXELS, draw_qr

GROUPS_IN_ROW: Final = 4


def code_rows(code: str) -> str:
    """Eight groups in two rows."""
    return in_rows(code.split("-"), GROUPS_IN_ROW, " ")


class ShowingCode(Dialog):
    """Shows it; nothing puts it on the clipboard, which every program may read.

    Args:
        parent: The main window.
        made: The code.
        go_on: It is written down.
        save: Asks for a file.
        given_up: The dialog was closed.
    """

    def __init__(
        self,
        parent: tk.Misc,
        made: NewRecovery,
        go_on: Callable[[], object],
        save: Callable[[], object],
        given_up: Callable[[], object],
    ) -> None:
        super().__init__(parent, translate("Recovery code"))
        self.given_up = given_up
        self.text(
            translate(
                "With this code and your password you get back into your account if you lose all your devices. Without it "
                "nobody can bring the account back. Write it down, and keep it apart from them; it is not shown again."
            )
        )
        self.code = ttk.Label(
            self.body, text=code_rows(made.code), style="Code.TLabel", justify="center", anchor="center"
        )
        self.code.pack(fill="x")
        draw_qr(self.body, made.qr, SMALL_QR_PIXELS).pack(pady=(10, 0))
        self.said = ttk.Label(self.body, style="Faint.TLabel", wraplength=self.width, justify="left")
        self.said.pack(anchor="w", fill="x", pady=(8, 0))

        def next_() -> None:
            self.succeed()
            go_on()

        self.buttons((translate("I have written it down"), next_), (translate("Save to a file…"), save))

    def say(self, text: str) -> None:
        """What came of saving it."""
        if self.is_open:
            self.said.configure(text=text)


class CheckingCode(Form):
    """Asks for it once more, as it was written down.

    Args:
        parent: The main window.
        made: The code.
        right: It was entered.
        back: Shows it again.
        skipped: The dialog was closed.
    """

    def __init__(
        self,
        parent: tk.Misc,
        made: NewRecovery,
        right: Callable[[], object],
        back: Callable[[], object],
        skipped: Callable[[], object],
    ) -> None:
        text = translate("Enter the code once more, from where you wrote it down. Then you know that it is right.")
        super().__init__(
            parent, translate("Recovery code, once more"), text, [Field(translate("Recovery code"))], translate("Check"),
            self._check, [(translate("Show it again"), lambda: self._end(back))], cancel=translate("Skip"),
        )  # fmt: skip
        self._made, self._right, self.given_up = made, right, skipped

    def _check(self, values: list[str]) -> str | None:
        if not values[0].strip():
            return translate("Something is missing.")
        try:
            if not self._made.matches(values[0]):
                return translate("That is another code.")
        except ChatError as error:
            return explained(error)
        self._end(self._right)
        return ""

    def _end(self, then: Callable[[], object]) -> None:
        self.succeed()
        then()
