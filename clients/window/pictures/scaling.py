"""Makes pictures smaller: each pixel is the mean of a few that it stands for."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from clients.window.pictures.rows import OPAQUE, Planes, Reader

MAX_TAPS: Final = 3  # of a row, and of a column
_PAPER: Final = 255  # what is behind a picture that one can see through: white


def fitting(width: int, height: int, most_width: int, most_height: int) -> tuple[int, int]:
    """How large a picture may be shown: its own shape, never larger than it is; at least 1 pixel each way."""
    scale = min(1.0, most_width / width, most_height / height)
    return max(1, int(width * scale)), max(1, int(height * scale))


def _taps(size: int, wanted: int) -> list[list[int]]:
    """Which of ``size`` places each of ``wanted`` stands for."""
    taps = min(MAX_TAPS, max(1, size // wanted))
    return [[(at * taps + tap) * size // (wanted * taps) for tap in range(taps)] for at in range(wanted)]


def scaled(picture: Reader, width: int, height: int) -> list[bytes]:
    """The rows of a picture at this size, which is at most its own: ``3 * width`` bytes each, red, green, blue."""
    across = _taps(picture.width, width)
    chosen = [at for each in across for at in each]
    pick = itemgetter(*chosen) if len(chosen) > 1 else lambda plane: (plane[chosen[0]],)
    down = _taps(picture.height, height)
    wanted = {at: row for row, each in enumerate(down) for at in each}
    found: list[bytes] = []
    sums: list[list[int]] = []
    for at, row in enumerate(picture.rows()):
        target = wanted.get(at)
        if target is None:
            continue
        sums = _added(sums, _on_paper(row.planes(), pick))
        if at == down[target][-1]:
            found.append(_mean(sums, len(across[0]), len(down[target]), width))
            sums = []
            if target == height - 1:
                break
    return found


def _on_paper(planes: Planes, pick: "itemgetter[object] | object") -> list[Sequence[int]]:
    """The chosen samples of a row, as they look on white."""
    red, green, blue, opacity = (pick(plane) for plane in planes)  # type: ignore[operator]
    if min(opacity) == OPAQUE:
        return [red, green, blue]
    return [
        [(value * over + _PAPER * (OPAQUE - over)) // OPAQUE for value, over in zip(plane, opacity, strict=True)]
        for plane in (red, green, blue)
    ]


def _added(sums: list[list[int]], planes: list[Sequence[int]]) -> list[list[int]]:
    if not sums:
        return [list(plane) for plane in planes]
    return [list(map(int.__add__, one, two)) for one, two in zip(sums, planes, strict=True)]


def _mean(sums: list[list[int]], across: int, down: int, width: int) -> bytes:
    """The row whose samples were added up."""
    row = bytearray(3 * width)
    for channel, plane in enumerate(sums):
        parts = [plane[tap::across] for tap in range(across)]
        row[channel::3] = bytes([sum(each) // (across * down) for each in zip(*parts, strict=True)])
    return bytes(row)
