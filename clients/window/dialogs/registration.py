"""The first time: from a link to an account, in a dialog."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatserv.client import Profile, ServerLink, new_user_name, prepare_account, prepared_password, shown, translate
from chatserv.client.errors import ChatError
from clients.shared.exit_codes import exit_for
from clients.window.dialogs.dialog import Field, Form

__all__ = ["Registration", "title"]


def title() -> str:
    """Of the dialog."""
    return translate("Register")


class Registration(Form):
    """Asks for a name and a password, makes the keys, and stays open until the server has said yes.

    Args:
        parent: The main window.
        profile: Gets the account.
        link: Which server.
        ready: The keys are there: connect.
        given_up: It was closed before there was an account.
    """

    def __init__(
        self,
        parent: tk.Misc,
        profile: Profile,
        link: ServerLink,
        ready: Callable[[], None],
        given_up: Callable[[], None],
    ) -> None:
        keyring = profile.keyring()
        about = translate(
            "A new account on {host}, port {port}. The password is yours alone: nobody can give you another."
        )
        super().__init__(
            parent,
            title(),
            about.format(host=shown(link.host), port=link.port),
            [
                Field(translate("User name"), "" if keyring is None else keyring.user),
                Field(translate("Password"), secret=True),
                Field(translate("Repeat password"), secret=True),
            ],
            translate("Register"),
            self._begin,
        )
        self._profile, self._link, self._ready, self.given_up = profile, link, ready, given_up
        self._work = ttk.Label(self.body, style="Faint.TLabel")
        self._bar = ttk.Progressbar(self.body, mode="indeterminate")
        self.busy = self._making = False

    def _begin(self, values: list[str]) -> str | None:
        user, password, again = values
        if self.busy:
            return ""
        try:
            name, prepared = new_user_name(user), prepared_password(password)
        except ChatError as error:
            return error.explain()
        if password != again:
            return translate("The two passwords differ.")
        self._be_busy(translate("Making your keys. This takes a few seconds..."))
        self._making = True
        making: Deferred[Any] = Deferred.fromCoroutine(prepare_account(self._profile, self._link, name, prepared))
        making.addCallbacks(lambda _: self._made(), self._failed)
        return ""

    def _made(self) -> None:
        self._making = False
        if self.is_open:
            self._work.configure(text=translate("Registering..."))
            self._ready()

    def _failed(self, failure: Failure) -> None:
        self._making = False
        error = failure.value
        self.refuse(exit_for(error if isinstance(error, Exception) else None).message)

    def _be_busy(self, text: str) -> None:
        self.busy = True
        self.say("")
        for widget in (*self.entries, self.made_buttons[0]):
            widget.state(["disabled"])
        self._work.configure(text=text)
        self._work.pack(anchor="w", pady=(6, 2))
        self._bar.pack(fill="x")
        self._bar.start(20)

    def refuse(self, why: str) -> None:
        """It did not work: says why, and lets the person try once more."""
        if not self.is_open:
            return
        self.busy = False
        self._bar.stop()
        self._bar.pack_forget()
        self._work.pack_forget()
        for widget in (*self.entries, self.made_buttons[0]):
            widget.state(["!disabled"])
        self.say(why)
        self.entries[0].focus_force()

    def close(self) -> None:
        """Goes away, but not while keys are made: two at a time could take each other's place in the profile."""
        if not self._making:
            super().close()
