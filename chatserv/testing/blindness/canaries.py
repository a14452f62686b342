"""Canaries: random texts that people type, and that nobody but their devices may ever have."""

import secrets
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

MARK_LETTERS: Final = 12
OWN_LETTERS: Final = 16
COMPRESSED_LETTERS: Final = 3  # the shortest repetition of deflate


@dataclass(frozen=True)
class Canary:
    """One random text.

    Attributes:
        name: What it was put into, for people.
        text: 28 small letters, so that it fits wherever people can write anything.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Flock:
    """Canaries that begin with the same random letters, so that a search for all of them is a search for one.

    Attributes:
        mark: How each of them begins.
        canaries: Each different.
    """

    mark: str
    canaries: tuple[Canary, ...]

    def __getitem__(self, name: str) -> Canary:
        return next(canary for canary in self.canaries if canary.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """What it has a canary for."""
        return tuple(canary.name for canary in self.canaries)

    @classmethod
    def hatch(cls, names: Iterable[str], choice: Callable[[str], str] = secrets.choice) -> "Flock":
        """New canaries of these names; ``choice`` takes one letter of a text."""
        mark = _letters("", MARK_LETTERS, choice)
        while mark.encode().hex().isdigit():  # small and large hexadecimal digits would be the same
            mark = _letters("", MARK_LETTERS, choice)
        texts: dict[str, str] = {}  # by text, so that each is different
        for name in names:
            text = _letters(mark, OWN_LETTERS, choice)
            while text in texts:
                text = _letters(mark, OWN_LETTERS, choice)
            texts[text] = name
        return cls(mark, tuple(Canary(name, text) for text, name in texts.items()))

    @classmethod
    def caught(cls, name: str, text: str) -> "Flock":
        """One canary that somebody else has made, such as a recovery code: random, and as long as others."""
        return cls(text[:MARK_LETTERS], (Canary(name, text),))


def _letters(start: str, count: int, choice: Callable[[str], str]) -> str:
    """``start`` and so many letters more, in which nothing comes twice that a compressor would leave away."""
    while True:
        text = start + "".join(choice(string.ascii_lowercase) for _ in range(count))
        threes = [text[at : at + COMPRESSED_LETTERS] for at in range(len(text) - COMPRESSED_LETTERS + 1)]
        if len(set(threes)) == len(threes):
            return text
