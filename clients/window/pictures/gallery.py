"""Small pictures of messages, as the window shows them: each is read once by the child, and kept for a while."""

import tkinter as tk
from collections.abc import Callable
from typing import Final

from clients.window.pictures.decoder import PictureDecoder, Pixels

MAX_KEPT: Final = 150  # pictures
MAX_WIDTH: Final = 240  # pixels
MAX_HEIGHT: Final = 192


class Gallery:
    """Gives pictures to the conversation.

    Args:
        root: Tk's window.
        decoder: Reads them.
        come: Told which one is there now.
    """

    def __init__(self, root: tk.Misc, decoder: PictureDecoder, come: Callable[[bytes], None]) -> None:
        self._root, self._decoder, self._come = root, decoder, come
        self._kept: dict[bytes, tk.PhotoImage | None] = {}

    def image(self, data: bytes) -> str:
        """The name of a picture of Tk's; empty while it is read, and for what is none.

        Args:
            data: The file.
        """
        if data in self._kept:
            kept = self._kept[data] = self._kept.pop(data)  # it was wanted last
            return "" if kept is None else str(kept)
        self._keep(data, None)
        self._decoder.show(data, MAX_WIDTH, MAX_HEIGHT).addCallback(lambda pixels: self._read(data, pixels))
        return ""

    def _keep(self, data: bytes, image: tk.PhotoImage | None) -> None:
        self._kept[data] = image
        while len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]

    def _read(self, data: bytes, pixels: Pixels | None) -> None:
        if pixels is not None:
            self._keep(data, tk.PhotoImage(master=self._root, data=pixels.ppm, format="ppm"))
            self._come(data)
