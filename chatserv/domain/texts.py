"""Texts that people type, as a wire can carry them."""

import unicodedata

from chatserv.errors import ChatError
from chatserv.i18n import N_, _


class TextInvalid(ChatError):
    """A text that cannot be used. The detail never repeats it.

    Args:
        detail: What is wrong.
        most_bytes: How many bytes of UTF-8 there may be, where that is the matter.
    """

    code = "text_invalid"
    _most_bytes: int | None = None
    text = N_("This text cannot be used: it is not valid UTF-8.")

    def __init__(self, detail: str = "", most_bytes: int | None = None) -> None:
        super().__init__(detail)
        self._most_bytes = most_bytes

    def explain(self) -> str:
        """What a person is told."""
        if self._most_bytes is None:
            return super().explain()
        return _("This text is too long: at most {size} bytes.").format(size=self._most_bytes)


class TextEmpty(TextInvalid):
    """A text of which nothing would be seen."""

    text = N_("There is nothing in this text that can be seen. Nothing was sent.")


def valid_text(text: str, most_bytes: int | None = None) -> str:
    """The text in NFC, if it has characters alone: a lone surrogate, as of a byte that is not UTF-8 (PEP 383), is none.

    Args:
        text: What a person typed, or a program was given.
        most_bytes: How many bytes of UTF-8 it may have.

    Raises:
        TextInvalid: It has something else in it, or is too long.
    """
    text = unicodedata.normalize("NFC", text)
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError:
        raise TextInvalid("text: a lone surrogate") from None
    if most_bytes is not None and size_bytes > most_bytes:
        raise TextInvalid(f"text: {size_bytes} bytes, at most {most_bytes}", most_bytes)
    return text
