"""Colours and fonts, light and dark, at any scale."""

import tkinter as tk
from dataclasses import dataclass
from tkinter import font, ttk
from typing import Final

from clients.window.settings import DARK, LIGHT, bounded_scale

FONTS: Final = ("TkDefaultFont", "TkTextFont", "TkFixedFont", "TkMenuFont", "TkHeadingFont", "TkTooltipFont")
BOLD: Final = "ChatBold"
ITALIC: Final = "ChatItalic"
CODE: Final = "ChatCode"
CODE_SIZE: Final = 1.35  # of what is written down or compared, against other text
DOTS: Final = 96  # an inch, of a screen for which lengths are given
ANOTHER_ROW: Final = 20_000  # pixels: what stands behind a tab goes to the row below


@dataclass(frozen=True)
class Palette:
    """The colours of a theme."""

    window: str
    text: str
    field: str
    border: str
    accent: str
    on_accent: str
    marked: str
    thumb: str
    faint: str
    own: str
    loud: str
    on_loud: str
    mention: str
    good: str
    senders: tuple[str, ...]


PALETTES: Final = {
    LIGHT: Palette(
        window="#f3f4f7",
        text="#1b1d21",
        field="#ffffff",
        border="#dfe2e8",
        accent="#1f5fc4",
        on_accent="#ffffff",
        marked="#d9e5f9",
        thumb="#bcc3ce",
        faint="#626a77",
        own="#1f5fc4",
        loud="#a3121f",
        on_loud="#ffe3e3",
        mention="#fff0b8",
        good="#1c7a3a",
        senders=("#7a3e00", "#6a1b7a", "#00616b", "#8a1446", "#3d5a00", "#3a3f9e", "#80480f", "#005a3c"),
    ),
    DARK: Palette(
        window="#1e2126",
        text="#e6e8eb",
        field="#15171b",
        border="#33383f",
        accent="#6ea8ff",
        on_accent="#0c1016",
        marked="#2b3b55",
        thumb="#4a515c",
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

    Attributes:
        density: Of the screen, against one of 96 dots an inch, by which fonts go, as they have their sizes in points.
    """

    def __init__(self, root: tk.Tk, name: str = LIGHT, scale: float = 1.0) -> None:
        self._root, self.name, self.scale = root, name, bounded_scale(scale)
        self.density = 1.0
        self._sizes = {each: abs(int(font.nametofont(each, root).cget("size"))) for each in FONTS}
        text, fixed = (font.nametofont(each, root).actual() for each in ("TkTextFont", "TkFixedFont"))
        self._kept = (  # a font goes with its object
            font.Font(root, name=BOLD, family=text["family"], weight="bold"),
            font.Font(root, name=ITALIC, family=text["family"], slant="italic"),
            font.Font(root, name=CODE, family=fixed["family"], weight="bold"),
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
        self.density = round(self._root.winfo_fpixels("1i") / DOTS, 1)
        for each, size in self._sizes.items():
            font.nametofont(each, self._root).configure(size=max(round(size * self.scale), 1))
        text_size = max(round(self._sizes["TkTextFont"] * self.scale), 1)
        for each in (BOLD, ITALIC):
            font.nametofont(each, self._root).configure(size=text_size)
        font.nametofont(CODE, self._root).configure(size=round(text_size * CODE_SIZE))
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
        self._dress_buttons(style, palette)
        for each in ("TEntry", "TCombobox", "TSpinbox"):
            style.configure(each, padding=self.pixels(5), lightcolor=palette.field, darkcolor=palette.field)
            style.map(
                each, bordercolor=[("focus", palette.accent)], lightcolor=[("focus", palette.accent)],
                fieldbackground=[("disabled", palette.window), ("readonly", palette.field)],
                foreground=[("disabled", palette.faint)],
            )  # fmt: skip
        style.map(
            "TCheckbutton", background=[("active", palette.window)], indicatorcolor=[("selected", palette.accent)]
        )
        self._dress_lists(style, palette)
        style.configure("Horizontal.TProgressbar", background=palette.accent, borderwidth=0)
        style.configure("Faint.TLabel", foreground=palette.faint)
        style.configure("Loud.TLabel", foreground=palette.loud)
        style.configure("Big.TLabel", font=BOLD)
        style.configure("Code.TLabel", font=CODE, background=palette.field, padding=self.pixels(10))
        style.configure("List.TLabel", foreground=palette.faint, font=BOLD)
        style.configure("Hint.TLabel", background=palette.field, foreground=palette.faint)
        style.configure("Hint.TFrame", background=palette.field)
        style.configure("HintTitle.TLabel", background=palette.field, font=BOLD)
        style.configure("Line.TFrame", background=palette.border)

    def _dress_buttons(self, style: ttk.Style, palette: Palette) -> None:
        """Flat ones; what a person most likely wants has the accent."""
        style.configure(
            "TButton", padding=(self.pixels(10), self.pixels(4)), background=palette.field, relief="flat",
            lightcolor=palette.field, darkcolor=palette.field, width=0,
        )  # fmt: skip
        style.map(
            "TButton", background=[("disabled", palette.window), ("active", palette.marked)],
            bordercolor=[("disabled", palette.border), ("focus", palette.accent), ("alternate", palette.accent)],
            lightcolor=[("active", palette.marked)], darkcolor=[("active", palette.marked)],
        )  # fmt: skip
        accent = palette.accent
        style.configure(
            "Accent.TButton", background=accent, foreground=palette.on_accent, bordercolor=accent, lightcolor=accent,
            darkcolor=accent, focuscolor=palette.on_accent,
        )  # fmt: skip
        style.map(
            "Accent.TButton", background=[("disabled", palette.border), ("active", palette.own)],
            foreground=[("disabled", palette.faint)], lightcolor=[("disabled", palette.border), ("active", accent)],
            darkcolor=[("disabled", palette.border), ("active", accent)], bordercolor=[("disabled", palette.border)],
        )  # fmt: skip
        style.configure("Slim.TButton", padding=(0, self.pixels(4)))
        style.configure("Pill.TButton", background=palette.marked, lightcolor=palette.marked, darkcolor=palette.marked)
        style.configure(
            "Flat.TButton", background=palette.window, bordercolor=palette.window, lightcolor=palette.window,
            darkcolor=palette.window,
        )  # fmt: skip

    def _dress_lists(self, style: ttk.Style, palette: Palette) -> None:
        """Lists without frames; bars without arrows, whose thumb is to be seen where there is something to scroll."""
        row = font.nametofont("TkDefaultFont", self._root).metrics("linespace")
        style.layout("Treeview", [("Treeview.treearea", {"sticky": "nswe"})])
        style.layout(
            "Treeview.Item",
            [("Treeitem.padding", {"sticky": "nswe", "children": [("Treeitem.text", {"sticky": "nswe"})]})],
        )
        style.configure(
            "Treeview", background=palette.window, fieldbackground=palette.window, rowheight=row + self.pixels(10),
            borderwidth=0, indent=0,
        )  # fmt: skip
        style.configure("Treeview.Item", padding=(self.pixels(8), 0, 0, 0))
        style.map("Treeview", background=[("selected", palette.marked)], foreground=[("selected", palette.text)])
        thumb = ("Vertical.Scrollbar.thumb", {"expand": "1", "sticky": "nswe"})
        style.layout("Vertical.TScrollbar", [("Vertical.Scrollbar.trough", {"sticky": "ns", "children": [thumb]})])  # type: ignore[list-item]
        for name, behind in (("Vertical.TScrollbar", palette.window), ("Chat.Vertical.TScrollbar", palette.field)):
            style.configure(
                name, background=palette.thumb, troughcolor=behind, bordercolor=behind, lightcolor=palette.thumb,
                darkcolor=palette.thumb, gripcount=0, arrowsize=self.pixels(8), width=self.pixels(8), relief="flat",
            )  # fmt: skip
            style.map(
                name, background=[("disabled", behind), ("active", palette.faint)],
                lightcolor=[("disabled", behind), ("active", palette.faint)],
                darkcolor=[("disabled", behind), ("active", palette.faint)],
            )  # fmt: skip

    @property
    def factor(self) -> float:
        """How much longer everything is than at the scale 1 on a screen of 96 dots an inch."""
        return self.scale * self.density

    def pixels(self, at_scale_1: int) -> int:
        """A length, at our scale and on this screen."""
        return round(at_scale_1 * self.factor)

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
            selectbackground=palette.accent, selectforeground=palette.on_accent, highlightthickness=0,
            inactiveselectbackground=palette.accent, padx=self.pixels(14), pady=self.pixels(8),
        )  # fmt: skip
        tag = text.tag_configure
        indent = self.pixels(14)  # no row of what somebody says ever begins where names do
        tag("line", lmargin2=indent, spacing1=self.pixels(10), spacing3=self.pixels(1), tabs=(ANOTHER_ROW,))
        tag(
            "more",
            lmargin1=indent,
            lmargin2=indent,
            spacing1=self.pixels(3),
            spacing3=self.pixels(1),
            tabs=(ANOTHER_ROW,),
        )
        for name in ("stamp", "mark", "sending"):
            tag(name, foreground=palette.faint)
        tag("moved", foreground=palette.faint, font="TkFixedFont")
        tag("stored", foreground=palette.good)
        tag("other", foreground=palette.text)
        tag("sign", background=palette.window, foreground=palette.text, lmargincolor=palette.field)
        tag("quote", foreground=palette.faint, font=ITALIC)
        tag("gone", foreground=palette.faint, font=ITALIC)
        tag("own", foreground=palette.own, font=BOLD)
        tag("fold", foreground=palette.accent)
        tag("link", foreground=palette.accent, underline=True)
        tag("notice", foreground=palette.faint, font=ITALIC)
        tag("result", foreground=palette.text, font="TkFixedFont")
        tag("loud", foreground=palette.loud, background=palette.on_loud, font=BOLD, lmargincolor=palette.field)
        tag("failed", foreground=palette.loud, font=BOLD)
        tag("mentioned", background=palette.mention, font=BOLD, lmargincolor=palette.field)
        for name, colour in (("day", palette.faint), ("unread", palette.accent)):
            tag(name, foreground=colour, justify="center", spacing1=self.pixels(8), spacing3=self.pixels(4))
        for number, colour in enumerate(palette.senders):
            tag(f"sender{number}", foreground=colour, font=BOLD)
        tag("chosen", background=palette.window)
        for name in ("sign", "link", "sel"):
            text.tag_raise(name)
