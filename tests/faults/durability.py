"""Rows 1 to 10: what is acknowledged is stored, whatever ends the server, its disk or its clients."""

import secrets
import time
from contextlib import suppress
from statistics import median
from typing import Final

from tests.faults.crowd import Crowd
from tests.faults.rows import Ground, check, row, wait_for

RESUME_SECONDS: Final = 0.05  # and a round trip, which there is none of here


@row(1, "kill -9 at a random moment under load")
def killed(ground: Ground) -> str:
    """People talk; the server is killed at any moment, started again, and everybody comes back."""
    kills = ground.pick(2, 200)
    away: list[float] = []
    with ground.server() as server, Crowd(server, ground.pick(6, 20)) as crowd:
        with crowd.talking(ground.pick(150, 250)):
            for _ in range(kills):
                crowd.flowing()
                time.sleep(secrets.randbelow(300) / 1000)
                server.kill()
                check(server.code == -9, f"the server was not killed: {server.code}")
                since = time.monotonic()
                server.start()
                away.append(time.monotonic() - since)
                crowd.all_back()
        figure = crowd.check()
    ground.within(max(away), 2.0, "ready again")
    return f"{kills} kills, {figure}, ready again in {max(away):.2f} s at most"


@row(7, "a client dies between sending and the answer, and sends again")
def died_unanswered(ground: Ground) -> str:
    """Connections end right after a message has left; it is sent again under the same id, and has one place."""
    cuts = ground.pick(30, 1000)
    with ground.server() as server, Crowd(server, 4) as crowd:
        with crowd.talking(200):
            crowd.flowing()
            again = 0
            for number in range(cuts):
                person = crowd.people[number % 4]
                crowd.all_back()
                again += bool(person.unanswered)
                crowd.cut(person)
                time.sleep(0.02)
            crowd.all_back()
        check(again > 0, "nothing was under way at any cut")
        figure = crowd.check()
    return f"{cuts} cuts, {again} with messages under way, {figure}"


@row(8, "reconnects in mid-stream, with resume")
def reconnects(ground: Ground) -> str:
    """One reader is cut again and again while the others talk, and misses nothing."""
    times = ground.pick(50, 1000)
    with ground.server() as server, Crowd(server, 5) as crowd:
        reader, took, resumed = crowd.people[0], [], []
        with crowd.talking(150):
            crowd.flowing()
            for _ in range(times):
                took.append(crowd.cut_and_back(reader))
                wait_for(lambda: reader.resumed_after, "what was missed")
                resumed.append(reader.resumed_after)
        figure = crowd.check()
        check(reader.logins >= times, f"{reader.logins} reconnects")
    ground.within(median(resumed), RESUME_SECONDS, "a resume, from the question to all that was missed")
    middle, after = median(took) * 1000, median(resumed) * 1000
    return f"{times} reconnects, {figure}, logged in again in {middle:.0f} ms, all that was missed {after:.0f} ms later"


@row(9, "a device connects again while its first connection is half-open")
def taken_over(ground: Ground) -> str:
    """The second connection is the one that counts; the old one is closed, and nothing comes twice or is lost."""
    times, took = ground.pick(5, 100), []
    with ground.server() as server, Crowd(server, 4) as crowd:
        with crowd.talking(150):
            crowd.flowing()
            for number in range(times):
                old = crowd.leave_behind(crowd.people[number % 4], 0.3)
                since = time.monotonic()
                old.settimeout(60)
                with suppress(ConnectionResetError):
                    while old.recv(65_536):
                        pass
                took.append(time.monotonic() - since)
                old.close()
        figure = crowd.check()
    ground.within(max(took), 1.0, "the old connection was closed")
    return f"{times} times, {figure}, the old connection closed within {max(took) * 1000:.0f} ms"
