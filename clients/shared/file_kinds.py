"""What kinds of files there are: what another program may show, and what might run and is only saved."""

from typing import Final

HEAD_BYTES: Final = 512  # of a file, by which its kind is looked at
_SHOWN: Final = frozenset((
    "png", "jpg", "jpeg", "gif", "webp", "avif", "bmp", "tif", "tiff", "pdf", "epub", "djvu", "txt", "log", "csv", "md",
    "rst", "ics", "vcf", "odt", "ods", "odp", "odg", "docx", "xlsx", "pptx", "mp3", "ogg", "oga", "opus", "flac", "wav",
    "m4a", "aac", "mp4", "m4v", "mkv", "webm", "mov", "avi", "ogv",
))  # fmt: skip
_RUNS: Final = (b"#!", b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe", b"[Desktop Entry]")
_PAGES: Final = (b"<!doctype", b"<html", b"<?xml", b"<svg", b"<script", b"<?php")


def may_be_opened(name: str, head: bytes) -> bool:
    """Whether the system may be asked to show a file: its name is one of a few kinds, and it does not begin like a program.

    Args:
        name: What it is called; the kind is its end, as desktops see it.
        head: Its first `HEAD_BYTES` bytes.
    """
    stem, _dot, end = name.rpartition(".")
    bare = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    runs = bare.startswith(_RUNS) or bare.lower().startswith(_PAGES)
    return bool(stem) and end.lower() in _SHOWN and not runs


def is_picture(head: bytes) -> bool:
    """Whether a file begins as those pictures do that the window reads: PNG and GIF."""
    return head.startswith((b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a"))
