"""Rows 25 and 29: a network that lets packets vanish: all of them, without a word, or every fifth."""

import os
import socket
import time
from itertools import accumulate
from typing import Any, Final

import psutil

from chatserv.client.connection.backoff import DELAY_FACTOR, FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS
from chatserv.testing.demo.oracle import compare
from chatserv.testing.demo.talking import Talker
from chatserv.testing.processes import CLIENT, ServerProgram, run_client
from tests.faults.crowd import Crowd, Person
from tests.faults.health import Health
from tests.faults.namespace import THROUGH, Network, in_namespace
from tests.faults.rows import Ground, check, row, wait_for

MOST_SECONDS: Final = 90.0
PEOPLE: Final = 3
LOSS: Final = 0.2
PATIENT: Final = (*CLIENT, "--timeout", "600")


@row(25, "half-open connections: from one moment on no packet arrives any more, at either end")
@in_namespace(25)
def half_open(ground: Ground) -> str:
    """One of a room in which people talk, and one of a room in which nobody does: each is found out, others see that they
    are gone, and their descriptors are free again. Then the network mends, they come back, and miss nothing.
    """
    limits = {"limits": {"idle_seconds": 2, "idle_reply_seconds": 6}} if ground.short else {}
    settings: dict[str, dict[str, Any]] = {"server": THROUGH, **limits}
    with (
        Network() as network,
        ground.server(settings) as server,
        Crowd(server, PEOPLE) as crowd,
        Crowd(server, PEOPLE, PEOPLE) as quiet,
        crowd.talking(60),
    ):
        quiet.start()
        crowd.flowing(30)
        health = Health(ground, server, crowd)
        process = psutil.Process(server.pid)
        before = process.num_fds()
        victims = [each.people[-1] for each in (crowd, quiet)]
        for each in victims:
            each.muted = True
        since = time.monotonic()
        network.silenced = frozenset(map(_port, victims))
        took = [
            wait_for(lambda each=each: _gone(each, since), "others see that they are gone", 3 * MOST_SECONDS)  # type: ignore[misc]
            for each in (crowd, quiet)
        ]
        wait_for(lambda: process.num_fds() <= before - len(victims), "the descriptors")
        freed = time.monotonic() - since
        ground.within(max(took), ground.pick(4.5, MOST_SECONDS), "others see that they are gone")
        check(network.lost > 0, "no packet was lost")
        network.silenced = frozenset()
        for each, everybody in zip(victims, (crowd, quiet), strict=True):
            each.muted = False
            everybody.cut_and_back(each)
        said = health.check(r"disconnected after [\d.]+ s: refused: (timeout|timed_out)")
        figures = [crowd.check(), quiet.check()]
    return (
        f"{network.lost} packets lost, seen after {took[0]:.1f} s (people talk) and {took[1]:.1f} s (nobody does), "
        f"free after {freed:.1f} s, {figures[0]}, {said}"
    )


def _port(person: Person) -> int:
    """The port of a person's end of the connection."""
    with socket.socket(fileno=os.dup(person.fileno())) as same:
        return int(same.getsockname()[1])


def _gone(crowd: Crowd, since: float) -> float:
    """How long after that moment all others were told that the last one is gone; 0: they were not."""
    *others, last = crowd.people
    told = [each.saw_leave.get(last.account.user, 0.0) for each in others]
    return max(told) - since if min(told) > since else 0.0


@row(29, "a fifth of all packets lost, 300 ms late, and out of order")
@in_namespace(29)
def lossy(ground: Ground) -> str:
    """Real clients talk; now and then the server dies besides. Each line is shown once to everybody, and clients wait longer
    and longer between their attempts to come back.
    """
    names = ["alice", "bob", "carol", "dave"][: ground.pick(2, 4)]
    lines, pace, outages, down_seconds = ground.pick((8, 0.4, 1, 2.0), (600, 1.0, 3, 30.0))
    outage_at = [lines * (number + 1) // (outages + 1) for number in range(outages)]
    with Network() as network, ground.server({"server": THROUGH}) as server:
        _register(server, names)
        network.loss, network.seconds = LOSS, ground.pick(0.05, 0.3)
        talkers = [Talker(server.directory, name, PATIENT, lines=lines, people=len(names)) for name in names]
        try:
            attempts, down = [], 0.0
            for number in range(lines):
                for talker in talkers:
                    talker.type(talker.written[number])
                time.sleep(pace)
                if number in outage_at:
                    wait_for(lambda: all(talker.records() for talker in talkers), "anything is shown", 120.0)
                    server.kill()
                    down = time.monotonic()
                if down and time.monotonic() >= down + down_seconds:
                    attempts.append(_start_again(network, server, down, len(names)))
                    down = 0.0
            if down:
                attempts.append(_start_again(network, server, down, len(names)))
            deadline = time.monotonic() + ground.pick(120.0, 300.0)
            for talker in talkers:
                talker.finish(deadline)
        finally:
            for talker in talkers:
                talker.end()
        output = server.output
    verdict = compare({each.name: each.written for each in talkers}, {each.name: each.shown() for each in talkers})
    check(verdict.good, f"{verdict}")
    check(network.lost and network.overtaken, "the network was good")
    check("Traceback" not in output, f"a traceback in the log: {output[-2000:]}")
    check(len(attempts) == outages, f"{len(attempts)} outages")
    return (
        f"{network.lost} packets lost, {network.overtaken} overtaken, {len(network.attempts)} connections, "
        f"{'; '.join(attempts)}, {lines * len(names)} lines, {verdict}"
    )


def _register(server: ServerProgram, names: list[str]) -> None:
    """The administrator with the server's own link, the others by invites."""
    run_client(server.directory, names[0], server.link(), "--send")
    for name in names[1:]:
        run_client(server.directory, name, run_client(server.directory, names[0], "--invite").strip(), "--send")


def _start_again(network: Network, server: ServerProgram, since: float, people: int) -> str:
    """What was tried while the server was away; fails where it was more than waiting longer each time allows.

    That it has ended is said in packets, which may be lost as often as others: so a first attempt is waited for.
    """

    def tried(until: float) -> int:
        return sum(since <= at <= until for at in list(network.attempts))

    wait_for(lambda: tried(time.monotonic()), "an attempt to come back")
    server.start()
    until = time.monotonic()
    found = tried(until)
    delays = (min(FIRST_DELAY_SECONDS * DELAY_FACTOR**number, LONGEST_DELAY_SECONDS) for number in range(100))
    most = people * (1 + sum(at <= until - since for at in accumulate(delays)))
    check(found <= most, f"{found} attempts in {until - since:.1f} s, {most} at most are right")
    return f"{found} attempts in {until - since:.0f} s without a server"
