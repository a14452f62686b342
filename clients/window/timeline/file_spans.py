"""How a file stands in a conversation: what it is, its small picture, and what can be done with it."""

from typing import Final

from chatserv.client import Attachment, FileState, date, file_text, translate
from clients.window.timeline.spans import ROW, Span

PICTURE: Final = "\ufffc"
"""Stands where a picture is put; the object replacement character of Unicode."""


def file_spans(file: Attachment, moved: str = "", *, paused: bool = False) -> list[Span]:
    """Name, size and kind; below them the preview, if it has one, and how far it is or what can be done.

    Args:
        file: Which.
        moved: How far it is on its way, with its bar; empty where it does not move.
        paused: Whether it stands still because a person wants that.
    """
    spans = [Span(file_text(file), "file")]
    if file.preview:
        spans += [Span(ROW, "gap"), Span(PICTURE, "picture", picture=file.preview, act="view")]
    if moved:
        label = translate("Go on") if paused else translate("Pause")
        return [*spans, Span(ROW, "gap"), Span(f"{moved}  ", "moved"), Span(label, "fold", act="pause")]
    if file.state == FileState.GONE:
        return [*spans, Span(f"  {translate('no longer there')}", "mark")]
    spans += [Span(ROW, "gap"), Span(translate("Save…"), "fold", act="save"), Span("  ", "gap")]
    spans.append(Span(translate("Open"), "fold", act="open"))
    if file.expires_ms:
        spans.append(Span(f"  {translate('until {date}').format(date=date(file.expires_ms))}", "mark"))
    return spans
