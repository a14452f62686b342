"""A machine of somebody who has an account already: name and password, then what proves that it is theirs."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Final

from chatserv.client import BackupView, ChatError, ServerLink, moment, prepared_password, shown, translate, user_name
from clients.window.dialogs.dialog import Dialog, Field, Form, in_rows
from clients.window.dialogs.qr import SMALL_QR_PIXELS, draw_qr

WORDS_IN_ROW: Final = 3


class WorkingForm(Form):
    """A form that is at work after its button, and stays until it is told what came of it."""

    busy = False
    _bar: ttk.Progressbar | None = None

    def be_busy(self) -> str:
        """Something slow begins."""
        self.busy = True
        self.work()
        for each in (*self.entries, *self.made_buttons[:-1]):
            each.state(["disabled"])
        if self._bar is None:
            self._bar = ttk.Progressbar(self.body, mode="indeterminate")
        self._bar.pack(fill="x")
        self._bar.start(20)
        return ""

    def refuse(self, why: str) -> None:
        """It is not done: says why, and lets the person try once more."""
        if not self.is_open:
            return
        self.busy = False
        if self._bar is not None:
            self._bar.stop()
            self._bar.pack_forget()
        for each in (*self.entries, *self.made_buttons[:-1]):
            each.state(["!disabled"])
        self.say(why)
        if self.entries:
            self.entries[-1].selection_range(0, "end")
            self.entries[-1].focus_force()


class LoginForm(WorkingForm):
    """Name and password of an account that there is.

    Args:
        parent: The main window.
        link: Which server.
        user: What stands in the field at first.
        take: Gets name and password; answers by `refuse` or `succeed`.
        given_up: It was closed before.
    """

    def __init__(
        self,
        parent: tk.Misc,
        link: ServerLink,
        user: str,
        take: Callable[[str, str], None],
        given_up: Callable[[], object],
    ) -> None:
        about = translate(
            "Your account on {host}, port {port}. After this you need your recovery code, or another device of yours."
        )
        super().__init__(
            parent, translate("Log in"), about.format(host=shown(link.host), port=link.port),
            [Field(translate("User name"), user), Field(translate("Password"), secret=True)],
            translate("Log in"), self._entered,
        )  # fmt: skip
        self._take, self.given_up = take, given_up

    def _entered(self, values: list[str]) -> str | None:
        if self.busy:
            return ""
        try:
            name, password = user_name(values[0]), prepared_password(values[1])
        except ChatError as error:
            return error.explain()
        self.be_busy()
        self._take(name, password)
        return ""


class RecoveryForm(WorkingForm):
    """What proves that the account is theirs: its code, its passphrase, or another device.

    Args:
        parent: The main window.
        backup: What the server has, or None.
        code: Gets the code that was entered; answers by `refuse` or `succeed`.
        passphrase: The same with a passphrase.
        other: Asks another device.
        given_up: It was closed before.
    """

    def __init__(
        self,
        parent: tk.Misc,
        backup: BackupView | None,
        code: Callable[[str], None],
        passphrase: Callable[[str], None],
        other: Callable[[], None],
        given_up: Callable[[], object],
    ) -> None:
        self._code, self._passphrase, self._other = code, passphrase, other
        self._backup = backup
        fields = []
        text = translate("The server has no backup of this account: approve this device on another one of yours.")
        if backup is not None:
            said = translate("The server's backup of your account is from {when}.")
            text = f"{said.format(when=moment(backup.at_ms))} {_how(with_passphrase='passphrase' in backup.ways)}"
            fields = [Field(translate("Recovery code"))]
            if "passphrase" in backup.ways:
                fields.append(Field(translate("Passphrase"), secret=True))
        approve = translate("Approve on another device…")
        others = [(approve, self._ask_other)] if fields else []
        super().__init__(
            parent, translate("Back into your account"), text, fields, translate("Recover") if fields else approve,
            self._entered, others,
        )  # fmt: skip
        self.given_up = given_up
        lost = translate("Neither? An administrator of the server can give you a reset link.")
        ttk.Label(self.body, text=lost, style="Faint.TLabel", wraplength=self.width, justify="left").pack(anchor="w")

    def _entered(self, values: list[str]) -> str | None:
        if self.busy:
            return ""
        if not values:
            self._ask_other()
            return ""
        code, passphrase = values[0].strip(), values[1] if len(values) > 1 else ""
        if not code and not passphrase:
            return translate("Something is missing.")
        self.be_busy()
        if code:
            self._code(code)
        else:
            self._passphrase(passphrase)
        return ""

    def _ask_other(self) -> None:
        if not self.busy:
            self.succeed()
            self._other()


def _how(*, with_passphrase: bool) -> str:
    if with_passphrase:
        return translate("Enter your recovery code or your passphrase, or approve this device on another one of yours.")
    return translate("Enter your recovery code, or approve this device on another one of yours.")


class WaitingDialog(Dialog):
    """Waits until the person approves this device on another one: six words, to be compared there.

    Args:
        parent: The main window.
        given_up: It was closed before somebody has.
    """

    def __init__(self, parent: tk.Misc, given_up: Callable[[], object]) -> None:
        super().__init__(parent, translate("Approve this device"))
        self.given_up = given_up
        self.text(
            translate(
                "Open chatserv on another device of yours: it says that a new device is waiting. Approve it there if it "
                "shows the same words."
            )
        )
        self.words = ttk.Label(self.body, style="Code.TLabel", justify="center", anchor="center")
        self.qr: tk.Canvas | None = None
        self.state = ttk.Label(self.body, style="Faint.TLabel", wraplength=self.width, justify="left")
        self.state.pack(anchor="w", fill="x", pady=(8, 4))
        self.state.configure(text=translate("No device of yours has answered yet. Waiting…"))
        bar = ttk.Progressbar(self.body, mode="indeterminate")
        bar.pack(fill="x")
        bar.start(20)
        self.buttons((translate("Cancel"), self.close))

    def show(self, words: str, qr: str) -> None:
        """A device has answered, or answers anew."""
        if not self.is_open:
            return
        self.words.configure(text=word_rows(words))
        self.words.pack(fill="x", before=self.state)
        if self.qr is not None:
            self.qr.destroy()
        self.qr = draw_qr(self.body, qr, SMALL_QR_PIXELS)
        self.qr.pack(pady=(10, 0), before=self.state)
        self.state.configure(text=translate("Waiting for your approval on the other device…"))


def word_rows(words: str) -> str:
    """Six words in two rows."""
    return in_rows(words.split(), WORDS_IN_ROW, "  ")
