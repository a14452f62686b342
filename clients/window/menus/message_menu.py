"""The menu of a message, or of a text on its way."""

import tkinter as tk
from collections.abc import Callable
from typing import Final

from chatserv.client import message_text, translate
from clients.shared.links import link, links
from clients.window.actions.messages import EMOJI
from clients.window.actions.registry import PersonActions
from clients.window.context import WindowContext
from clients.window.menus.menu_lines import add, add_below

MOST_LINKS: Final = 5  # of a message, in its menu
MOST_CHARACTERS: Final = 40  # of where a link leads


class MessageMenu:
    """Fills menus for the marked message.

    Args:
        context: What all parts share.
        actions: What they do.
        dress: Gives a menu its colours.
    """

    def __init__(self, context: WindowContext, actions: PersonActions, dress: Callable[[tk.Menu], None]) -> None:
        self._context, self._actions, self._dress = context, actions, dress

    def fill(self, menu: tk.Menu) -> None:
        """What can be done with it."""
        actions = self._actions
        waiting, message = actions.messages.chosen_waiting, actions.messages.chosen
        room = self._context.here()
        add(menu, translate("Send a &file…"), actions.files.choose, "Ctrl+O", on=room is not None)
        file = waiting if waiting is not None else message
        if file is not None and file.file is not None:
            kept = waiting is None
            add(menu, translate("Sa&ve…"), lambda: actions.files.act("save"), "S", on=kept)
            add(menu, translate("&Open…"), lambda: actions.files.act("open"), "O", on=kept)
            add(
                menu,
                translate("Vie&w the picture"),
                lambda: actions.files.act("view"),
                "V",
                on=kept and bool(file.file.preview),
            )
            add(menu, translate("Pa&use, or go on"), lambda: actions.files.act("pause"))
        menu.add_separator()
        if waiting is not None:
            failed = waiting.state == "failed"
            add(menu, translate("&Send again"), lambda: actions.messages.resend(waiting, room), on=failed)
            add(
                menu,
                translate("&Discard"),
                lambda: actions.messages.discard(waiting, room),
                on=waiting.state != "stored",
            )
        else:
            text = message is not None and message.text is not None
            own = message is not None and message.own and text
            add(menu, translate("&Reply"), lambda: actions.messages.act("reply"), "R", on=text)
            self._signs(menu, on=text)
            add(menu, translate("&Edit"), lambda: actions.messages.act("edit"), "E", on=own)
            gone = message is not None and actions.messages.may_delete(message)
            add(menu, translate("&Delete…"), lambda: actions.messages.act("delete"), "Del", on=gone)
            add(menu, translate("&Copy text"), lambda: actions.messages.act("copy"), on=text)
            add(menu, translate("S&how whole, or fold"), lambda: actions.messages.act("unfold"), on=text)
            said = "" if message is None else message_text(message)
            for begin, end in links(said)[:MOST_LINKS]:
                self._link(menu, said[begin:end])
        menu.add_separator()
        add(menu, translate("&Search…"), actions.messages.search, "Ctrl+F")

    def _link(self, menu: tk.Menu, text: str) -> None:
        found = link(text)
        if found is not None:
            said = translate("Open {where}…").format(where=found.goes_to[:MOST_CHARACTERS])
            menu.add_command(label=said, command=lambda: self._actions.messages.open_link(text))

    def _signs(self, menu: tk.Menu, *, on: bool) -> None:
        signs = tk.Menu(menu, tearoff=False)
        self._dress(signs)
        message, room = self._actions.messages.chosen, self._context.here()
        for emoji in EMOJI if message is not None else ():
            signs.add_command(
                label=emoji,
                command=lambda emoji=emoji, message=message: self._actions.messages.react(message, emoji, room),  # type: ignore[misc]
            )
        signs.add_command(
            label=translate("Another…"), command=lambda: self._actions.messages.act("react"), accelerator="+"
        )
        add_below(menu, translate("Re&act"), signs, on=on)
