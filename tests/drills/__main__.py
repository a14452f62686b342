"""``python -m tests.drills [--short] [--off] [--list] [DRILL…]``: a line a drill, ``drill NAME pass|fail figure``.

With ``--off`` each drill is played with its rule switched off, and has to fail.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence

from chatserv.testing.processes import ProgramError
from tests.drills import events, herd
from tests.drills.drill import DRILLS, Drill, must_fail, played, scene

__all__ = ["events", "herd", "lines", "main"]
MOST_FIGURE = 600


def in_order() -> list[Drill]:
    """All drills, those last after which nothing can be played."""
    return sorted(DRILLS.values(), key=lambda each: each.last)


def lines(drills: Sequence[Drill], *, short: bool) -> Iterator[tuple[str, bool]]:
    """The line of each, and whether it may be so; on the same nodes until one fails."""
    left = list(drills)
    while left:
        try:
            with scene(short=short) as here:
                while left:
                    each = left.pop(0)
                    began = time.monotonic()
                    try:
                        word, figure = "pass", played(each, here)
                    except Exception as error:  # noqa: BLE001 - a drill that breaks is a drill that fails
                        word, figure = "fail", f"{type(error).__name__}: {error}"
                    yield _line(each, word, figure, began), word == "pass"
                    if word == "fail" or each.last:
                        break
        except ProgramError as error:
            yield f"the nodes: {error}", False
            return


def without_rules(drills: Sequence[Drill], *, short: bool) -> Iterator[tuple[str, bool]]:
    """The same where each has nodes of its own, with its rule off."""
    for each in drills:
        began = time.monotonic()
        try:
            word, figure = "fails, as it must:", must_fail(each, short=short)
        except Exception as error:  # noqa: BLE001 - as above
            word, figure = "fail", f"{type(error).__name__}: {error}"
        yield _line(each, f'without "{each.rule}" {word}', figure, began), word != "fail"


def _line(each: Drill, word: str, figure: str, began: float) -> str:
    return f"drill {each.name} {word} {' '.join(figure.split())[:MOST_FIGURE]}  [{time.monotonic() - began:.1f} s]"


def main(words: Sequence[str] | None = None) -> int:
    """Plays what is asked for; 1 where one fails, or, without its rule, does not."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.drills", description="Several nodes, and what becomes of them."
    )
    parser.add_argument("drills", nargs="*", metavar="DRILL", help="its name; without, all")
    parser.add_argument("--short", action="store_true", help="each in small, some seconds")
    parser.add_argument("--off", action="store_true", help="with the rule of each switched off: it has to fail")
    parser.add_argument("--list", action="store_true", help="show them and play none")
    options = parser.parse_args(words)
    unknown = [name for name in options.drills if name not in DRILLS]
    if unknown:
        parser.error(f"there is no drill {unknown[0]}")
    os.environ.update(LC_ALL="C.UTF-8", LANGUAGE="en")  # what programs say is validated by its words
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends as well
    drills = [DRILLS[name] for name in options.drills] or in_order()
    if options.list:
        for each in drills:
            print(f"{each.name:<16}{each.title}; {each.rule}")
        return 0
    good = True
    for line, as_it_should in (without_rules if options.off else lines)(drills, short=options.short):
        print(line, flush=True)
        good &= as_it_should
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
