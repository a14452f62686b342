"""QR codes on the screen."""

import tkinter as tk
from typing import Final

import segno

QR_PIXELS: Final = 260
SMALL_QR_PIXELS: Final = 190  # beside words or a code that say the same
LEAST_MODULE: Final = 2
QUIET_MODULES: Final = 4  # ISO/IEC 18004


def dark_runs(text: str) -> tuple[int, list[tuple[int, int, int]]]:
    """A QR code as horizontal runs of dark modules: its size in modules with the quiet zone, and (row, from, to)."""
    matrix = segno.make_qr(text, error="l").matrix
    runs = []
    for row, modules in enumerate(matrix):
        begin = None
        for column, module in enumerate([*modules, 0]):
            if module and begin is None:
                begin = column
            elif not module and begin is not None:
                runs.append((row + QUIET_MODULES, begin + QUIET_MODULES, column + QUIET_MODULES))
                begin = None
    return len(matrix) + 2 * QUIET_MODULES, runs


def draw_qr(parent: tk.Misc, text: str, pixels: int = QR_PIXELS) -> tk.Canvas:
    """A QR code, black on white in every theme, as readers want it; about so large."""
    size, runs = dark_runs(text)
    module = max(pixels // size, LEAST_MODULE)
    canvas = tk.Canvas(parent, width=size * module, height=size * module, background="white", highlightthickness=0)
    for row, begin, end in runs:
        canvas.create_rectangle(
            begin * module, row * module, end * module, (row + 1) * module, fill="black", outline="", width=0
        )
    return canvas
