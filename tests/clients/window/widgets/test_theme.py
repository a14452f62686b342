"""Tests of `clients.window.widgets.theme`, on a screen."""

from clients.window.settings import DARK, LIGHT
from tests.clients.window.screens import ScreenTestCase


class ThemeTests(ScreenTestCase):
    """Colours and sizes."""

    def test_fonts_grow_with_the_scale_and_keep_their_base(self) -> None:
        """Up and down again gives the same."""
        from tkinter import font

        from clients.window.widgets.theme import BOLD, FONTS, Theme

        theme = Theme(self.root)

        def sizes() -> list[int]:
            return [abs(int(font.nametofont(each, self.root).cget("size"))) for each in (*FONTS, BOLD)]

        before = sizes()
        theme.apply(scale=2.0)
        self.assertEqual(sizes(), [2 * size for size in before])
        theme.apply(scale=1.0)
        self.assertEqual(sizes(), before)

    def test_lengths_grow_with_the_screen(self) -> None:
        """As fonts do, whose sizes are in points: twice as many dots an inch, twice as many pixels."""
        from clients.window.widgets.theme import Theme

        theme = Theme(self.root)
        self.assertEqual(theme.pixels(100), 100)
        self.dense()
        theme.apply(scale=1.5)
        self.assertEqual(theme.pixels(100), 300)

    def test_every_tag_has_a_look_in_both_themes(self) -> None:
        """Text and ground differ enough to be read (WCAG 2, 4.5 to 1)."""
        import tkinter as tk

        from clients.window.widgets.theme import PALETTES, Theme

        text = tk.Text(self.root)
        theme = Theme(self.root)
        for name in (LIGHT, DARK):
            theme.apply(name)
            theme.dress_text(text)
            ground = PALETTES[name].field
            for tag in text.tag_names():
                colour = str(text.tag_cget(tag, "foreground"))
                behind = str(text.tag_cget(tag, "background")) or ground
                if colour and tag != "sel":
                    self.assertGreaterEqual(contrast(colour, behind), 4.5, (name, tag))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2.1)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
