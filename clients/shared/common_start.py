"""How far completion gets before somebody has to choose."""

from collections.abc import Sequence


def common_start(words: Sequence[str]) -> str:
    """What all of these begin with."""
    low, high = min(words), max(words)
    same = next((at for at, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), len(low))
    return low[:same]
