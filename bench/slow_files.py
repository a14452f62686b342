"""Who talks beside a file on a slow line, from the device that has the file and to it."""

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater, react

from bench.line import Line
from bench.options import Options
from bench.pair import LOOK_SECONDS, Pair, in_clients, make_file
from chatserv.client import parse_link, use_steady_clock

SECONDS_A_LINE: Final = 0.4  # more than one takes: the file is to move all the time
SETTLED_SECONDS: Final = 2.0


def line_figures(options: Options, megabits: float, lines: int) -> dict[str, object]:
    """One server, alice behind the line, and bob without one.

    Args:
        options: Where, and on which core.
        megabits: What the line passes on each way, in 10^6 bits a second.
        lines: How many are said, each way, each time.
    """
    found = in_clients("bench.slow_files", options, megabits, lines)
    return {"scenario": "files", "what": f"files, a line of {megabits:g} Mbit/s", **found}


# -- inside the clients' process ---------------------------------------------------------------------------------------


async def measure(reactor: Any, directory: Path, megabits: float, lines: int) -> None:
    """Prints the figures as JSON."""
    link = parse_link(sys.stdin.read().strip())
    with Line(link.port, megabits) as line:
        pair = Pair(reactor, link, line.port)
        await pair.begin()
        path = make_file(directory, 1 + int(megabits * lines * SECONDS_A_LINE / 8))
        sent = pair.bob.room("lobby").send_file(str(path))
        await sent
        await deferLater(reactor, SETTLED_SECONDS)
        quiet = await pair.talk_both(lines)
        figures = {"quiet_p95_ms": max(quiet)}
        up = pair.alice.room("lobby").send_file(str(path))
        up.addErrback(lambda _: None)
        figures |= await beside(reactor, pair, line, quiet, up, "up", lines)
        with suppress(Exception):
            pair.alice.room("lobby").discard(up.message_id)
        await deferLater(reactor, SETTLED_SECONDS)
        down = maybeDeferred(pair.alice.room("lobby").save_file, sent.message_id, str(directory))
        down.addErrback(lambda _: None)
        figures |= await beside(reactor, pair, line, quiet, down, "down", lines)
        for client in (pair.alice, pair.bob):
            await client.stop()
    print(json.dumps(figures))


async def beside(
    reactor: Any, pair: Pair, line: Line, quiet: tuple[float, float], moving: "Deferred[Any]", way: str, lines: int
) -> dict[str, Any]:
    """How much later lines are while a file moves, from that device and to it, and how much of the line is used."""
    number = ("up", "down").index(way)
    before = line.passed()[number]
    while line.passed()[number] < before + 2 * 10**5:
        await deferLater(reactor, LOOK_SECONDS)
    since, began = line.passed(), time.perf_counter()
    own, others = await pair.talk_both(lines)
    return {
        f"{way}_own_late_ms": round(own - quiet[0], 1),
        f"{way}_others_late_ms": round(others - quiet[1], 1),
        f"{way}_use_percent": line.use(since, time.perf_counter() - began)[number],
        f"{way}_all_the_time": not moving.called,
    }


async def main(reactor: Any) -> None:
    """By the command line: a directory, the server's pid, the rate in Mbit/s, how many lines."""
    await measure(use_steady_clock(reactor), Path(sys.argv[1]), float(sys.argv[3]), int(sys.argv[4]))


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
