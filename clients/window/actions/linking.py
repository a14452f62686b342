"""Where a link comes in: it names a server, and whom to expect there."""

import tkinter as tk
from collections.abc import Callable

from chatserv.client import ChatError, ServerLink, parse_link, translate
from clients.window.dialogs.dialog import Field, Form


def ask_for_link(parent: tk.Misc, take: Callable[[ServerLink], str | None], *, needed: bool = False) -> Form:
    """Asks for a link.

    Args:
        parent: The main window.
        take: Gets it; gives what is wrong with it, or nothing.
        needed: Whether nothing goes on without one.
    """
    text = translate("Paste the chatserv:// link that you were sent.")
    if needed:
        text = translate(
            "There is no account on this machine yet. A chatserv:// link is needed: it names the server and its "
            "fingerprint, so that nobody can take the server's place. Paste the link that you were sent."
        )

    def go(values: list[str]) -> str | None:
        try:
            link = parse_link(values[0])
        except ChatError as error:
            return error.explain()
        return take(link)

    return Form(parent, translate("Use a link"), text, [Field(translate("Link"))], translate("Use it"), go)
