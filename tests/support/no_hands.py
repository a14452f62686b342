"""Hands at a window that find nothing: ``python -m tests.support.no_hands PROFILE``."""

import sys

from chatserv.testing.window_hands import Hands, use_hands


class NoHands(Hands):
    """They give up at the first look."""

    def look(self) -> None:
        """See `Hands`."""
        raise LookupError("there is nothing to press")


if __name__ == "__main__":
    use_hands(sys.argv[1], NoHands)
