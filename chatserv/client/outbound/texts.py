"""Texts that are worth sending."""

from chatserv.domain.texts import TextEmpty, valid_text
from chatserv.sanitize import is_blank


def visible_text(text: str, most_bytes: int | None = None) -> str:
    """`valid_text`, of which something can be seen. Raises `TextInvalid`, by its kind `TextEmpty` where nothing could."""
    if is_blank(text):
        raise TextEmpty("text: nothing to be seen")
    return valid_text(text, most_bytes)
