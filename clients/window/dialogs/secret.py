"""A secret that a command needs, such as a new password: nobody reads it along."""

import tkinter as tk

from twisted.internet.defer import Deferred

from chatserv.client import SlashError, translate
from clients.window.dialogs.dialog import Field, Form


class SecretForm(Form):
    """One field, shown as dots; `answer` fires with what was entered, or fails with `SlashError`.

    Args:
        parent: The main window.
        question: What is asked.
    """

    def __init__(self, parent: tk.Misc, question: str) -> None:
        label = question.strip().rstrip(":")
        super().__init__(parent, label, "", [Field(label, secret=True)], translate("OK"), self._entered)
        self.answer: Deferred[str] = Deferred()

    def _entered(self, values: list[str]) -> str | None:
        if not values[0]:
            return translate("Something is missing.")
        self.answer.callback(values[0])
        return None

    def close(self) -> None:
        """Goes away."""
        super().close()
        if not self.answer.called:
            self.answer.errback(SlashError(translate("Nothing entered.")))


async def ask_secret(parent: tk.Misc, question: str) -> str:
    """What a person enters. Raises `SlashError` where they enter nothing."""
    form = SecretForm(parent, question)
    form.ask()
    return await form.answer
