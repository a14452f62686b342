"""Broken copies of a structure, the same ones in each run."""

import hashlib
import os
from collections.abc import Iterator

MUTATIONS = int(os.environ.get("CHATSERV_MUTATIONS", "5000"))


class Dice:
    """Numbers that follow from a seed alone."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._block = 0
        self._left = b""

    def below(self, limit: int) -> int:
        """A number from 0 up to ``limit``, without it. Near enough to even for a test."""
        if len(self._left) < 4:
            self._left = hashlib.shake_256(self._seed + self._block.to_bytes(8, "big")).digest(4096)
            self._block += 1
        number, self._left = int.from_bytes(self._left[:4], "big"), self._left[4:]
        return number % limit


def mutate(data: bytes, dice: Dice) -> bytes:
    """One broken copy: bits, bytes, lengths, order, or several of them."""
    changed = bytearray(data)
    for _ in range(1 + dice.below(3)):
        at = dice.below(len(changed) or 1)
        match dice.below(8):
            case 0 | 1 if changed:
                changed[at] ^= 1 << dice.below(8)
            case 2 if changed:
                changed[at] = (0, 1, 0x7F, 0x80, 0xFF)[dice.below(5)]
            case 3:
                del changed[at:]
            case 4:
                changed += bytes(dice.below(256) for _ in range(1 + dice.below(40)))
            case 5:
                del changed[at : at + 1 + dice.below(16)]
            case 6:
                changed[at:at] = bytes(dice.below(256) for _ in range(1 + dice.below(16)))
            case _:
                other = dice.below(len(changed) or 1)
                changed[at : at + 8], changed[other : other + 8] = changed[other : other + 8], changed[at : at + 8]
    return bytes(changed)


def mutations(data: bytes, seed: str, count: int = MUTATIONS) -> Iterator[bytes]:
    """``count`` copies, each different from ``data``."""
    dice = Dice(seed)
    while count:
        changed = mutate(data, dice)
        if changed != data:
            count -= 1
            yield changed
