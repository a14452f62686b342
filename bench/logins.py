"""S4 and registrations: what it costs the server that somebody comes."""

import time
from collections.abc import Iterator

from bench.crowd import AT_ONCE, together
from bench.ground import Ground, Opened, Ours
from bench.member import Device
from bench.options import Options
from bench.profiler import Profiler

NEWCOMERS = 100


def storm(options: Options, opened: Opened = Ours) -> Iterator[dict[str, object]]:
    """S4: everybody logs in at once, and follows a room of ten."""
    with opened(options) as server:
        yield _storm(server, options)


def _storm(server: Ground, options: Options) -> dict[str, object]:
    people = server.people(options.pick(500, 2000))
    with Profiler(options.profile, server.pid, 1 + len(people) / 250):
        cpu, own, began = server.cpu_seconds(), time.process_time(), time.monotonic()
        together([(person, person.coming()) for person in people], at_once=len(people))
        seconds, own, cpu = time.monotonic() - began, time.process_time() - own, server.cpu_seconds() - cpu
    for person in people:
        person.close()
    return {
        "scenario": "S4",
        "what": f"S4, {len(people)} log in at once",
        "logins": len(people),
        "server_cpu_ms_per_login": round(cpu * 1e3 / len(people), 3),
        "logins_per_second": round(len(people) / seconds, 1),
        "server_cpu_share": round(cpu / seconds, 3),
        "generator_cpu": round(own / seconds, 3),
    }


def registrations(options: Options) -> Iterator[dict[str, object]]:
    """A hundred make accounts while nobody is there, and while many are; with what these are told of it."""
    with Ours(options) as server:
        present: list[Device] = []
        for others in (0, options.pick(300, 1000)):
            present += server.newcomers(others).devices
            server.rest()
            with Profiler(options.profile if others else None, server.pid, 5):
                cpu, began = server.cpu_seconds(), time.monotonic()
                newcomers = server.newcomers(NEWCOMERS, at_once=AT_ONCE // 8)
                seconds = time.monotonic() - began
                for device in present:
                    device.receive()  # what they are told, so that nobody is a slow reader
                server.rest()
                cpu = server.cpu_seconds() - cpu
            newcomers.leave()
            yield {
                "scenario": "registration",
                "what": f"registration, {others} others online",
                "online": others,
                "registrations": NEWCOMERS,
                "server_cpu_ms_per_registration": round(cpu * 1e3 / NEWCOMERS, 3),
                "registrations_per_second": round(NEWCOMERS / seconds, 1),
            }
        for device in present:
            device.close()
