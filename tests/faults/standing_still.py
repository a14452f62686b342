"""Row 22: the reactor stands still."""

import re
import signal
import sys
import time
import urllib.request
from typing import Final

from chatserv.testing.processes import free_port
from tests.faults.rows import Ground, check, row, wait_for
from tests.support.systemd import Systemd

BRIEF_SECONDS: Final = 0.3
STALL: Final = re.compile(r"the reactor has stood still for ([\d.]+) s, here\n(?:\t.*\n)*?\t.*in stand_briefly")
PROGRAM: Final = """
import signal, time
def stand_briefly(*_):
    time.sleep({brief})
def stand_for_a_while(*_):
    time.sleep({moment})
def stand_for_good(*_):
    while True:
        time.sleep(0.05)
signal.signal(signal.SIGWINCH, stand_briefly)
signal.signal(signal.SIGUSR1, stand_for_a_while)
signal.signal(signal.SIGUSR2, stand_for_good)
from twisted.scripts.twistd import run
run()
"""


@row(22, "the reactor stands still: briefly, for a while, and for good")
def stands_still(ground: Ground) -> str:
    """From 100 ms on it is counted, from 1 s on the log says where, and after 30 s the watchdog ends the server."""
    moment, bites = ground.pick(2.5, 5.0), ground.pick(8.0, 30.0)
    port = free_port()
    program = (sys.executable, "-c", PROGRAM.format(brief=BRIEF_SECONDS, moment=moment))
    settings = f'[metrics]\nlisten = "127.0.0.1:{port}"\n'
    with Systemd(ground.directory / "server", settings, program=program, watchdog_seconds=bites) as manager:
        log = manager.state / "logs" / "server.log"
        before = _stalls(port)
        manager.kill(signal.SIGWINCH)
        wait_for(lambda: _stalls(port) > before, "a count of the brief stall")
        brief = STALL.findall(log.read_text())  # on a busy machine it may take longer than it is meant to
        check(all(float(seconds) >= 1 for seconds in brief), f"the log has the stack of a stall of {brief} s")
        manager.kill(signal.SIGUSR1)
        wait_for(lambda: re.search(r"the reactor stood still for [\d.]+ s", log.read_text()), "the end of the stall")
        check("in stand_for_a_while" in log.read_text(), "the log does not say where it stood")
        check(not manager.exits, "the watchdog bit too early")
        stuck = time.monotonic()
        manager.kill(signal.SIGUSR2)
        manager.exited(stuck, 120)
        ended = time.monotonic() - stuck
        manager.wait(lambda: manager.said("READY", since=stuck), "READY=1")
        back = time.monotonic() - stuck - ended
        check("in stand_for_good" in log.read_text(), "the log does not say where it stood for good")
        check(manager.exits == [-signal.SIGABRT], f"it ended by {manager.exits}")
    ground.within(ended, bites + 1, "the end by the watchdog")
    ground.within(back, 3, "the way back")
    return f"counted, logged with its stack, ended after {ended:.1f} s, ready again {back:.2f} s later"


def _stalls(port: int) -> float:
    """How often the server has stood still."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
        found = re.search(r"^chatserv_stalls_total ([\d.]+)$", page.read().decode(), re.MULTILINE)
    check(found is not None, "there is no such figure")
    return float(found[1]) if found else 0.0
