"""How long people wait who talk, while somebody else keeps the server busy: p99 of S2, alone and meanwhile, in turns."""

import multiprocessing
import os
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, Protocol

from bench.delivery import S2_RATE, WARM_UP_SECONDS
from bench.figures import percentile
from bench.founding import found_room
from bench.ground import Ours, Scenario
from bench.load import Load, Room
from bench.member import Device
from bench.options import Options
from bench.server import BenchError
from bench.voice import Voice
from chatserv.wire import messages

LOGINS: Final = 100
DEVICES: Final = 300
PAGE: Final = 500


class Closing(Protocol):
    """What is closed once it is over."""

    def close(self) -> None:
        """It is."""


Noise = tuple[Callable[[float], None], Sequence[Closing]]
"""What keeps the server busy until then (monotonic, in seconds), and the connections that it has."""


def fairness(options: Options) -> Iterator[dict[str, object]]:
    """For each kind of noise: people talk alone, and then beside it."""
    with Ours(options) as server:
        latencies = array("q")
        members = options.members or 100
        chat = Load(server.rooms(Scenario("S2", members, members, rate=S2_RATE), latencies), latencies)
        for what, begin in NOISES.items():
            noise, connections = begin(server)
            _talk(chat, WARM_UP_SECONDS)
            quiet = _talk(chat, options.seconds)
            process = multiprocessing.get_context("fork").Process(
                target=_disturb, args=(noise, time.monotonic() + WARM_UP_SECONDS + options.seconds)
            )
            process.start()
            _talk(chat, WARM_UP_SECONDS)
            noisy = _talk(chat, options.seconds)
            process.join()
            for each in connections:
                each.close()
            if process.exitcode:
                raise BenchError(f"{what}: failed")
            yield {
                "scenario": "fairness",
                "what": f"S2 beside {what}",
                "quiet_p50_ms": round(percentile(quiet, 0.5), 3),
                "quiet_p99_ms": round(percentile(quiet, 0.99), 3),
                "p50_ms": round(percentile(noisy, 0.5), 3),
                "p99_ms": round(percentile(noisy, 0.99), 3),
                "of_quiet": round(percentile(noisy, 0.99) / percentile(quiet, 0.99), 2),
            }
        chat.close()


def _talk(chat: Load, seconds: float) -> Sequence[int]:
    """What it took, in order of size."""
    del chat.latencies[:]
    chat.pace(seconds, S2_RATE)
    chat.settle()
    return sorted(chat.latencies)


def _disturb(noise: Callable[[float], None], end: float) -> None:
    """In a process of its own, which takes no time of the one that measures."""
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority - 1
    with suppress(OSError):
        os.sched_setscheduler(0, policy if priority > 0 else os.SCHED_IDLE, os.sched_param(max(0, priority)))
    noise(end)


def _saturated(server: Ours) -> Noise:
    latencies, scenario = array("q"), Scenario("S1", 50, 10, 160)
    rooms = server.rooms(scenario, latencies)

    def go_on(end: float) -> None:
        Load(rooms, latencies).saturate(end - time.monotonic(), scenario.window)

    return go_on, [talker for room in rooms for talker in room.talkers]


def _logins(server: Ours) -> Noise:
    people = server.newcomers(LOGINS)
    people.leave()

    def go_on(end: float) -> None:
        while time.monotonic() < end:
            people.do(Device.entering, LOGINS)
            people.leave()

    return go_on, []


def _commits(server: Ours) -> Noise:
    people = server.newcomers(DEVICES)
    chair = found_room(people.devices, server.link.fingerprint)
    people.do(Device.following)

    def go_on(end: float) -> None:
        while time.monotonic() < end:
            chair.commit()
            people.drain()

    return go_on, people.devices


def _history(server: Ours) -> Noise:
    people = server.newcomers(2)
    found_room(people.devices, server.link.fingerprint)
    voices, reader = [Voice(device) for device in people.devices], people.devices[0]
    load = Load([Room(voices, voices)], array("q"))
    while load.sent < PAGE:
        load.saturate(0.1, 100)
    load.settle()

    def go_on(end: float) -> None:
        while time.monotonic() < end:
            reader.ask(messages.Page, messages.History(1, reader.seat.room, 10**9, PAGE))

    return go_on, people.devices


NOISES: Final[dict[str, Callable[[Ours], Noise]]] = {
    "a room as fast as it goes": _saturated,
    f"{LOGINS} people who log in at once": _logins,
    f"commits of {DEVICES} devices": _commits,
    f"pages of {PAGE} events": _history,
}
