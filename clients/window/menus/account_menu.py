"""The menu of our own account."""

import tkinter as tk

from chatserv.client import translate
from clients.window.actions.registry import PersonActions
from clients.window.actions.sealing import SealingActions
from clients.window.context import WindowContext
from clients.window.menus.menu_lines import add


class AccountMenu:
    """Fills the menu.

    Args:
        context: What all parts share.
        actions: What its lines do.
        sealing: Seals what this device keeps.
    """

    def __init__(self, context: WindowContext, actions: PersonActions, sealing: SealingActions) -> None:
        self._context, self._actions, self._sealing = context, actions, sealing

    def fill(self, menu: tk.Menu) -> None:
        """What can be done with it now."""
        actions, here = self._actions, self._context.client is not None
        reads = self._context.reader is not None
        code = translate("No &recovery code…") if actions.recovery.missing else translate("New &recovery code…")
        waiting = bool(actions.devices.waiting)
        add(menu, translate("&Devices…"), actions.devices.show, on=here)
        add(menu, translate("&New device that is waiting…"), actions.devices.show_waiting, on=waiting)
        add(menu, code, actions.recovery.ask_for_new, on=here)
        add(menu, translate("Change &password…"), actions.account.change_password, on=here)
        if self._sealing.sealed:
            add(menu, translate("Passphrase of &this device…"), self._sealing.change, on=reads)
        else:
            add(menu, translate("&Seal this device…"), self._sealing.seal, on=reads)
        menu.add_separator()
        add(menu, translate("What the &log says…"), actions.account.audit, on=here)
        add(menu, translate("&Check evidence…"), actions.account.check_evidence)
        menu.add_separator()
        add(menu, translate("&Export history…"), actions.account.export_history, on=reads)
        add(menu, translate("&Import history…"), actions.account.import_history, on=reads)
        menu.add_separator()
        add(menu, translate("Delete &account…"), actions.account.delete, on=here)
