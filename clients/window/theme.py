"""Colours and fonts, light and dark, at any scale."""

import tkinter as tk
from dataclasses import dataclass
from tkinter import font, ttk
from typing import Final

from clients.window.settings import DARK, LIGHT, bounded_scale

FONTS: Final = ("TkDefaultFont", "TkTextFont", "TkFixedFont", "TkMenuFont", "TkHeadingFont", "TkTooltipFont")
BOLD: Final = "ChatBold"
ITALIC: Final = "ChatItalic"


@dataclass(frozen=True)
class Palette:
    """The colours of a theme."""

    window: str
    text: str
    field: str
    border: str
    accent: str
    on_accent: str
    faint: str
    own: str
    loud: str
    on_loud: str
    mention: str
    good: str
    senders: tuple[str, ...]


PALETTES: Final = {
    LIGHT: Palette(
        window="#f2f3f5",
        text="#1b1d21",
        field="#ffffff",
        border="#c3c7ce",
        accent="#2457a6",
        on_accent="#ffffff",
        faint="#5d6470",
        own="#0b4f9e",
        loud="#a3121f",
        on_loud="#ffe3e3",
        mention="#fff0b8",
        good="#1c7a3a",
        senders=("#7a3e00", "#6a1b7a", "#00616b", "#8a1446", "#3d5a00", "#3a3f9e", "#80480f", "#005a3c"),
    ),
    DARK: Palette(
        window="#1f2227",
        text="#e6e8eb",
        field="#16181c",
        border="#454b55",
        accent="#4f8fe6",
        on_accent="#0c1016",
        faint="#9aa2af",
        own="#8ec2ff",
        loud="#ff8a8a",
        on_loud="#4a1418",
        mention="#4b4210",
        good="#7fd698",
        senders=("#f0b27a", "#d7a6ee", "#78d5de", "#f49ac1", "#b9d977", "#aab2ff", "#e7c07b", "#82dcb4"),
    ),
}


class Theme:
    """Makes everything look alike.

    Args:
        root: The window.
        name: ``light`` or ``dark``.
        scale: Of all fonts.
    """

    def __init__(self, root: tk.Tk, name: str = LIGHT, scale: float = 1.0) -> None:
        self._root, self.name, self.scale = root, name, bounded_scale(scale)
        self._sizes = {each: abs(int(font.nametofont(each, root).cget("size"))) for each in FONTS}
        text = font.nametofont("TkTextFont", root).actual()
        self._kept = (  # a font goes with its object
            font.Font(root, name=BOLD, family=text["family"], weight="bold"),
            font.Font(root, name=ITALIC, family=text["family"], slant="italic"),
        )
        ttk.Style(root).theme_use("clam")
        self.apply()

    @property
    def palette(self) -> Palette:
        """The colours."""
        return PALETTES[self.name]

    def apply(self, name: str | None = None, scale: float | None = None) -> None:
        """Takes another theme, or another scale."""
        self.name = name or self.name
        self.scale = bounded_scale(scale or self.scale)
        for each, size in self._sizes.items():
            font.nametofont(each, self._root).configure(size=max(round(size * self.scale), 1))
        text_size = max(round(self._sizes["TkTextFont"] * self.scale), 1)
        for each in (BOLD, ITALIC):
            font.nametofont(each, self._root).configure(size=text_size)
        self._style()

    def _style(self) -> None:
        palette, style = self.palette, ttk.Style(self._root)
        self._root.configure(background=palette.window)
        self._dress_choices(palette)
        style.configure(
            ".", background=palette.window, foreground=palette.text, fieldbackground=palette.field,
            bordercolor=palette.border, lightcolor=palette.window, darkcolor=palette.window,
            troughcolor=palette.field, insertcolor=palette.text, selectbackground=palette.accent,
            selectforeground=palette.on_accent, focuscolor=palette.accent, arrowcolor=palette.text,
        )  # fmt: skip
        style.map(".", foreground=[("disabled", palette.faint)], background=[("disabled", palette.window)])
        style.map(
            "TButton", background=[("active", palette.border), ("focus", palette.field)],
            bordercolor=[("focus", palette.accent)],
        )  # fmt: skip
        for each in ("TEntry", "TCombobox", "TSpinbox"):
            style.map(
                each, bordercolor=[("focus", palette.accent)], lightcolor=[("focus", palette.accent)],
                fieldbackground=[("disabled", palette.window), ("readonly", palette.field)],
                foreground=[("disabled", palette.faint)],
            )  # fmt: skip
        style.map(
            "TCheckbutton", background=[("active", palette.window)], indicatorcolor=[("selected", palette.accent)]
        )
        row = font.nametofont("TkDefaultFont", self._root).metrics("linespace")
        style.configure("Treeview", background=palette.field, rowheight=row + 6, borderwidth=1)
        style.map("Treeview", background=[("selected", palette.accent)], foreground=[("selected", palette.on_accent)])
        style.configure("Treeview.Heading", background=palette.window, foreground=palette.faint, relief="flat")
        style.map("Treeview.Heading", background=[("active", palette.window)])
        style.configure("Horizontal.TProgressbar", background=palette.accent)
        style.configure("Faint.TLabel", foreground=palette.faint)
        style.configure("Loud.TLabel", foreground=palette.loud)
        style.configure("Big.TLabel", font=BOLD)
        style.configure("TPanedwindow", background=palette.window)
        style.configure("Sash", sashthickness=6)
        style.configure("Vertical.TScrollbar", background=palette.border)

    def _dress_choices(self, palette: Palette) -> None:
        """The list below a combobox is none of ttk's widgets; those that are opened from now on look so."""
        for name, value in (
            ("background", palette.field),
            ("foreground", palette.text),
            ("selectBackground", palette.accent),
            ("selectForeground", palette.on_accent),
            ("font", "TkTextFont"),
        ):
            self._root.option_add(f"*TCombobox*Listbox.{name}", value)

    def dress_menu(self, menu: tk.Menu) -> None:
        """Menus are not ttk's. The bar, which alone can be torn off in Tk's eyes, has no frame."""
        palette, is_bar = self.palette, bool(menu.getboolean(menu.cget("tearoff")))
        menu.configure(
            background=palette.window, foreground=palette.text, activebackground=palette.accent,
            activeforeground=palette.on_accent, disabledforeground=palette.faint, selectcolor=palette.text,
            borderwidth=1, activeborderwidth=0, relief="flat" if is_bar else "solid",
        )  # fmt: skip

    def dress_text(self, text: tk.Text) -> None:
        """The area where the conversation stands, and what its tags mean."""
        palette = self.palette
        text.configure(
            background=palette.field, foreground=palette.text, insertbackground=palette.text, font="TkTextFont",
            selectbackground=palette.accent, selectforeground=palette.on_accent, highlightthickness=1,
            highlightbackground=palette.border, highlightcolor=palette.accent, inactiveselectbackground=palette.accent,
        )  # fmt: skip
        tag = text.tag_configure
        stamp = font.nametofont("TkTextFont", self._root).measure("[00:00] ")
        tag("line", lmargin2=stamp)  # a row that goes on never begins where times and names do
        for name in ("stamp", "mark", "sending"):
            tag(name, foreground=palette.faint)
        tag("stored", foreground=palette.good)
        tag("quote", foreground=palette.faint, font=ITALIC)
        tag("gone", foreground=palette.faint, font=ITALIC)
        tag("own", foreground=palette.own)
        tag("notice", foreground=palette.faint, font=ITALIC)
        tag("result", foreground=palette.text, font="TkFixedFont")
        tag("loud", foreground=palette.loud, background=palette.on_loud, font=BOLD)
        tag("failed", foreground=palette.loud, font=BOLD)
        tag("mentioned", background=palette.mention, font=BOLD)
        tag("day", foreground=palette.faint, justify="center", spacing1=4, spacing3=4)
        tag("unread", foreground=palette.loud, justify="center", spacing1=4, spacing3=4)
        for number, colour in enumerate(palette.senders):
            tag(f"sender{number}", foreground=colour, font=BOLD)
        tag("chosen", background=palette.border)
        text.tag_raise("sel")
