"""Rows 19 and 20: what the machine changes around a server that runs: its clock, and its log files."""

import os
import shutil
import signal
import sys
from typing import Final

from chatserv.testing.processes import ServerProgram
from tests.faults.crowd import Crowd
from tests.faults.disk import Disk
from tests.faults.health import Health
from tests.faults.process import unprivileged
from tests.faults.rows import Ground, check, row, wait_for
from tests.support.stepped_clock import program, set_clocks

DAY: Final = 86_400.0
BURST: Final = 60  # messages of one person, and so many a second afterwards; each says fewer than 40
WARNING: Final = "log lines are lost"
NOBODY_READS: Final = """
import os, sys
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
os.dup2(write, 2)
os.execvp(sys.argv[1], sys.argv[1:])
"""


@row(19, "the clock jumps by days and by seconds, and is slewed")
def clock_jumps(ground: Ground) -> str:
    """The order is that of the places, not of the dates; nothing that waits comes early, and nobody is cut."""
    steps = [DAY, 0.0, -DAY, 0.0, *(-float(second) for second in range(1, ground.pick(4, 30)))]
    steps += [steps[-1] + tenth / 10 for tenth in range(ground.pick(5, 100))]
    clocks = ground.directory / "clocks"
    settings = {
        "limits": {"chat_burst": BURST, "chat_per_second": BURST}
    }  # a bucket that a step back emptied stayed empty
    with ground.server(settings, program=program(clocks, "twistd")) as server, Crowd(server, 4) as crowd:
        with crowd.talking(150):
            crowd.flowing()
            health = Health(ground, server, crowd)
            dates = []
            for step in steps:
                set_clocks(clocks, date=step)
                before = crowd.count()
                wait_for(lambda before=before: crowd.count() >= before + 2 * BURST, "messages after the step")  # type: ignore[misc]
                dates.append(crowd.people[0].last_date_ms)
            logins = sum(person.logins for person in crowd.people)
            crowd.cut_and_back(crowd.people[0])
            said = health.check()
        figure = crowd.check()
    check(max(dates) - min(dates) > 1.5 * DAY * 1000, "the server's dates did not jump")
    check(logins == 0, f"{logins} connections were lost")
    return f"{len(steps)} steps of up to a day, {figure}, {said}"


@row(20, "the log's directory is deleted, unwritable, full, turned over by others; standard error is closed")
def logs_fail(ground: Ground) -> str:
    """The chat goes on, one warning is said, and lines come again when they can be written."""
    rounds, said = ground.pick(1, 10), []
    server = unprivileged(ground)
    disk_files = ground.directory / "disk"
    disk = Disk(server.state, disk_files)
    disk_files.chmod(0o777)
    server.environment |= disk.environment
    with server, Crowd(server, 3) as crowd, Crowd(server, 1, 3) as comers:
        comers.start()  # lines in the log; in a thread of its own, since whoever comes back keeps others from reading
        logs = server.state / "logs"
        with crowd.talking(120):
            crowd.flowing()
            for _ in range(rounds):
                health = Health(ground, server, crowd)
                shutil.rmtree(logs)
                _comes_again(server, comers, "deleted")
                warnings = server.output.count(WARNING)
                logs.chmod(0)
                os.kill(server.pid, signal.SIGHUP)
                _warned(server, comers, "unwritable", warnings)
                logs.chmod(0o700)
                _comes_again(server, comers, "unwritable")
                disk.fail("full", "/logs/")
                _warned(server, comers, "full", warnings + 1)
                check(disk.happened("full"), "no write failed")
                disk.mend("full")
                _comes_again(server, comers, "full")
                (logs / "connections.log").rename(logs / "connections.log.turned")
                os.kill(server.pid, signal.SIGHUP)
                _comes_again(server, comers, "turned over")
                check((logs / "connections.log.turned").exists(), "the old file is gone")
                (logs / "connections.log.turned").unlink()
                said.append(health.check())
        server.stop()
        server.program = (sys.executable, "-c", NOBODY_READS, *server.program)
        printed = server.output
        server.start()
        crowd.all_back()
        comers.all_back()
        with crowd.talking(120):
            crowd.flowing()
        figure = crowd.check()
        check(server.output == printed, "its streams are not closed")
        _comes_again(server, comers, "streams that nobody reads")
    return f"{rounds} rounds, {figure}, {said[-1]}"


def _warned(server: ServerProgram, comers: Crowd, what: str, warnings: int) -> None:
    """The log cannot be written: that is said once, however much there would be to write."""
    wait_for(
        lambda: comers.cut_and_back(comers.people[0]) and server.output.count(WARNING) > warnings, f"{what}: a warning"
    )
    for _ in range(3):
        comers.cut_and_back(comers.people[0])
    count = server.output.count(WARNING) - warnings
    check(count == 1, f"{what}: {count} warnings")


def _comes_again(server: ServerProgram, comers: Crowd, what: str) -> None:
    """Lines are written by name again, in every file."""
    os.kill(server.pid, signal.SIGHUP)
    file = server.state / "logs" / "connections.log"

    def grows() -> bool:
        before = file.stat().st_size if file.exists() else 0
        comers.cut_and_back(comers.people[0])
        return file.exists() and file.stat().st_size > before

    wait_for(grows, f"{what}: lines in the log")
