"""What ``chatserv-irc`` costs: two people in IRC clients, a paste, a client that comes, and the memory of the program."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Final

import psutil

from bench.options import Options
from chatserv.testing.irc_person import IrcPerson
from chatserv.testing.processes import ServerProgram, register_two
from chatserv.testing.unlimited import unlimited

LINES: Final = 200
PAUSE_SECONDS: Final = 0.02
ROOMS: Final = 150
CLIENTS: Final = 5


def run(options: Options) -> Iterator[dict[str, object]]:  # noqa: ARG001 - as all parts
    """Alice and bob, each with a program of their own, on a server without rates."""
    yield gateway_figures(LINES, ROOMS)


def gateway_figures(lines: int, rooms: int) -> dict[str, object]:
    """What so many lines take, one by one and at once, and a client that comes to so many rooms; milliseconds, MB."""
    with (
        tempfile.TemporaryDirectory() as directory,
        ServerProgram(Path(directory), {"limits": unlimited()}) as server,
    ):
        register_two(server, "alice", "bob")
        with IrcPerson(server.directory, "alice") as alice, IrcPerson(server.directory, "bob") as bob:
            for person in (alice, bob):
                person.until(" JOIN #lobby")
            took = [_one(alice, bob, number) for number in range(lines)]
            begun = time.perf_counter()
            alice.say(*(f"PRIVMSG #lobby :paste {number}." for number in range(lines)))
            bob.until(f"paste {lines - 1}.")
            pasted = time.perf_counter() - begun
            for number in range(rooms):
                alice.say(f"PRIVMSG *chatserv :create room{number}")
            alice.until(f" JOIN #room{rooms - 1}\r\n")
            attached = [alice.attach(rooms + 1) for _ in range(CLIENTS)]
            memory = psutil.Process(alice.pid).memory_info().rss
    cuts = quantiles(took, n=20)
    return {
        "scenario": "irc",
        "what": f"IRC, {lines} lines, {rooms} rooms",
        "p50_ms": round(1000 * cuts[9], 1),
        "p95_ms": round(1000 * cuts[18], 1),
        "paste_ms": round(1000 * pasted, 1),
        "attach_ms": round(1000 * sorted(attached)[CLIENTS // 2], 1),
        "gateway_mb": round(memory / 1e6, 1),
    }


def _one(alice: IrcPerson, bob: IrcPerson, number: int) -> float:
    """Seconds from what alice sends until bob has it."""
    begun = time.perf_counter()
    alice.say(f"PRIVMSG #lobby :line {number}.")
    bob.until(f"line {number}.")
    took = time.perf_counter() - begun
    time.sleep(PAUSE_SECONDS)
    return took
