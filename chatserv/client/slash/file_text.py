"""How files look on a line, and the sizes of what is moved."""

from typing import Final

from chatserv.client.file_events import Attachment, FileLimits
from chatserv.client.slash.command import shown
from chatserv.i18n import _

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_STEP: Final = 1000
_MAX_KIND: Final = 12  # characters
_BAR: Final = 10  # characters
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def size_text(size: int) -> str:
    """``411 B``, ``2.1 MB``: in powers of 1,000, with one digit behind the point below ten."""
    value, unit = float(max(size, 0)), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    if unit and value < 9.95:
        return f"{value:.1f} {_UNITS[unit]}"
    return f"{value:.0f} {_UNITS[unit]}"


def kind_text(file: Attachment) -> str:
    """``PDF``: what kind of file it says it is, by the end of its name, else by its type; empty where neither is short."""
    stem, _dot, end = file.name.rpartition(".")
    if stem and end.isascii() and end.isalnum() and len(end) <= _MAX_KIND:
        return end.upper()
    kind = file.mime.rpartition("/")[2]
    return (
        kind if kind.isascii() and kind.replace("-", "").replace(".", "").isalnum() and len(kind) <= _MAX_KIND else ""
    )


def file_text(file: Attachment) -> str:
    """``report.pdf (2.1 MB, PDF)``, a picture with its size: the sender's word, made harmless."""
    facts = [size_text(file.size), kind_text(file)]
    if file.width and file.height:
        facts.append(f"{file.width}x{file.height}")
    return f"{shown(file.name)} ({', '.join(fact for fact in facts if fact)})"


def limits_text(limits: FileLimits) -> str:
    """How large a file may be, and how long the server keeps it."""
    said = _("Files of up to {size} are taken here, and kept by the server for {days} days at most.")
    return said.format(size=size_text(limits.size), days=limits.days)


def progress_text(done: int, size: int, per_second: float = 0) -> str:
    """The bar, ``41 %`` and ``3.2 MB/s``; the speed only where there is one."""
    part = min(max(done / size, 0.0), 1.0) if size else 1.0
    eighths = int(part * _BAR * 8)
    bar = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    speed = f" {size_text(int(per_second))}/s" if per_second >= 1 else ""
    return f"▕{bar:<{_BAR}}▏ {int(part * 100)} %{speed}"
