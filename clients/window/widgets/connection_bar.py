"""Where the server is, and the two buttons."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Final, Literal

from chatserv.client import ChatError, translate

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 5000
SCHEME: Final = "chatserv://"


class PortInvalid(ChatError):
    """What stands in the field is no port."""

    code = "port_invalid"

    def explain(self) -> str:
        """The words."""
        return translate("A port is a number from 1 to 65535.")


def parse_port(text: str) -> int:
    """A TCP port. Raises `PortInvalid`."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65_535):
        raise PortInvalid()
    return int(text)


class ConnectionBar(ttk.Frame):
    """Server and port, Connect and Disconnect.

    Args:
        parent: What it stands in.
        connect: Connect was pressed, or Return in a field.
        disconnect: Disconnect was pressed.
        link: A link is to be asked for, or was put into the server's field.
    """

    def __init__(
        self,
        parent: tk.Misc,
        *,
        connect: Callable[[], None],
        disconnect: Callable[[], None],
        link: Callable[[str], None],
    ) -> None:
        super().__init__(parent, padding=(8, 6))
        self._link = link
        self.host = tk.StringVar(self, DEFAULT_HOST)
        self.port = tk.StringVar(self, str(DEFAULT_PORT))
        self._fields, self._buttons = ttk.Frame(self), ttk.Frame(self)
        ttk.Label(self._fields, text=translate("Server")).pack(side="left")
        self.host_field = ttk.Entry(self._fields, textvariable=self.host, width=18)
        self.host_field.pack(side="left", padx=(6, 12), fill="x", expand=True)
        ttk.Label(self._fields, text=translate("Port")).pack(side="left")
        self.port_field = ttk.Entry(self._fields, textvariable=self.port, width=7)
        self.port_field.pack(side="left", padx=(6, 12))
        self.connect_button = ttk.Button(
            self._buttons, text=translate("Connect"), command=connect, style="Accent.TButton"
        )
        self.disconnect_button = ttk.Button(self._buttons, text=translate("Disconnect"), command=disconnect)
        self.link_button = ttk.Button(self._buttons, text=translate("Use a link…"), command=lambda: link(""))
        for button in (self.connect_button, self.disconnect_button, self.link_button):
            button.pack(side="left", padx=(0, 6))
        self._fields.pack(side="left", fill="x")
        self._buttons.pack(side="left")
        self.bind("<Configure>", lambda event: self._arrange(event.width))
        for field in (self.host_field, self.port_field):
            field.bind("<Return>", lambda _: self.connect_button.invoke())
        self.host.trace_add("write", lambda *_: self._look_for_link())

    def _arrange(self, width: int) -> None:
        """The buttons stand below where there is no room for them beside."""
        narrow = width < self._fields.winfo_reqwidth() + self._buttons.winfo_reqwidth() + 16
        side: Literal["top", "left"] = "top" if narrow else "left"
        if self._fields.pack_info()["side"] != side:
            self._fields.pack_configure(side=side)
            self._buttons.pack_configure(side=side, anchor="w", pady=(6, 0) if narrow else 0)

    def _look_for_link(self) -> None:
        """A link is often pasted into the first field that there is."""
        text = self.host.get().strip()
        if SCHEME in text.lower() and "#" in text:  # with whatever was copied along
            self.after_idle(self._link, text)

    def show(self, host: str, port: int) -> None:
        """Fills the fields."""
        self.host.set(host)
        self.port.set(str(port))

    def enable(self, *, connect: bool, disconnect: bool) -> None:
        """What can be pressed."""
        for widget, on in (
            (self.connect_button, connect),
            (self.host_field, connect),
            (self.port_field, connect),
            (self.link_button, connect),
            (self.disconnect_button, disconnect),
        ):
            widget.state(["!disabled" if on else "disabled"])
