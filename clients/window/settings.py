"""What the window remembers of how a person wants it: a small JSON file beside the profile."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeGuard

FILE_NAME: Final = "window.json"
FILE_MODE: Final = 0o600
MAX_BYTES: Final = 4096
LIGHT: Final = "light"
DARK: Final = "dark"
THEMES: Final = (LIGHT, DARK)
SMALLEST_SCALE: Final = 0.5
LARGEST_SCALE: Final = 3.0
MAX_PIXELS: Final = 10_000


@dataclass
class WindowSettings:
    """How the window looks. ``scale``: of all fonts; ``width`` and ``height`` in pixels, 0 for as it comes.

    ``rooms`` and ``members``: whether the panels are wanted, where there is room for them. ``code_unchecked``: a recovery
    code was shown, and nobody has entered it once more.
    """

    theme: str = LIGHT
    scale: float = 1.0
    width: int = 0
    height: int = 0
    rooms: bool = True
    members: bool = True
    code_unchecked: bool = False


def bounded_scale(scale: float) -> float:
    """A scale that can be read, in steps of a tenth."""
    return round(min(max(scale, SMALLEST_SCALE), LARGEST_SCALE), 1)


def load_settings(directory: Path) -> WindowSettings:
    """What was saved; the defaults for everything that is missing or makes no sense."""
    try:
        with (directory / FILE_NAME).open("rb") as file:
            found: Any = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        found = None
    settings = WindowSettings()
    if not isinstance(found, dict):
        return settings
    if found.get("theme") in THEMES:
        settings.theme = found["theme"]
    scale = found.get("scale")
    if isinstance(scale, int | float) and not isinstance(scale, bool) and SMALLEST_SCALE <= scale <= LARGEST_SCALE:
        settings.scale = bounded_scale(scale)
    width, height = found.get("width"), found.get("height")
    if _is_size(width) and _is_size(height):
        settings.width, settings.height = width, height
    settings.rooms, settings.members = found.get("rooms") is not False, found.get("members") is not False
    settings.code_unchecked = found.get("code_unchecked") is True
    return settings


def _is_size(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= MAX_PIXELS


def save_settings(directory: Path, settings: WindowSettings) -> None:
    """Replaces the file, whole or not at all; a disk that is full is no reason to end."""
    path = directory / FILE_NAME
    temporary = path.with_name(f"{FILE_NAME}.new")
    with contextlib.suppress(OSError):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, FILE_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(settings), file)
        temporary.replace(path)
