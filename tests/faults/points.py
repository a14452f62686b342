"""Row 2: the server, a backup and a restore die at each of the named fail-points."""

import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from chatserv.failpoints import DISK, NAMES, VARIABLE
from chatserv.testing.processes import ProgramError, ServerProgram
from tests.faults.commanding import command
from tests.faults.crowd import Crowd
from tests.faults.rows import HANGS_SECONDS, Ground, check, row
from tests.faults.stirring import Stirrer

AT_START: Final = frozenset({"start.keys_made", "start.checked", "start.opened", "logs.opening"})
AT_STOP: Final = frozenset({"stop.draining", "stop.drained", "stop.closed"})
RISKY: Final = ("store.committing", "store.committed", "store.published", "commit.stored", "restore.decided")

OF_FILES: Final = ("backup.", "restore.", "store.inserted")  # what a store in PostgreSQL does not come by
OF_BLOBS: Final = "blob."  # nobody of the crowd sends files: `tests.test_blob_kills`

ERRORS: Final = (
    *((name, action) for name in sorted(DISK) for action in ("EIO", "ENOSPC")),
    *((name, "sleep:0.3") for name in NAMES if not name.startswith(("restore.", "backup.", "start.", "stop."))),
)


@row(2, "killed at each named fail-point")
def killed_at_points(ground: Ground) -> str:
    """Every point is reached; at each of them the process dies, and what was acknowledged is there afterwards."""
    talk = [name for name in NAMES if not name.startswith(OF_BLOBS)]
    names = [name for name in talk if not (ground.cluster and name.startswith(OF_FILES))]
    points = [name for name in names if not ground.short or name in RISKY]
    times = ground.pick(1, 20)
    with ground.server() as server, Crowd(server, 4) as crowd:
        stirrer = Stirrer(server, crowd)
        with crowd.talking(150):
            crowd.flowing()
            server.stop()
            reached = _reached(server, stirrer, copies=ground.cluster is None)
            check(not (set(names) - reached), f"never reached: {sorted(set(names) - reached)}")
            for name in points:
                if not name.startswith("restore."):
                    for number in range(times):
                        _die_at(server, crowd, stirrer, f"{name}=kill@{1 + number % 5}", name)
            errors = [] if ground.short else [(name, f"{name}={act}@3") for name, act in ERRORS if name in names]
            for name, order in errors:
                _fail_at(server, crowd, stirrer, order, name)
            server.environment.clear()
            server.start()
        figure = crowd.check()
        made = stirrer.check()
        server.stop()
        for name in points:
            if name.startswith("restore."):
                for number in range(times):
                    _restore_dies_at(server, name, number)
    killed = f"killed at {len(points)} of them {times} times each, {len(errors)} delays and errors of a disk"
    return f"{len(names)} points reached, {killed}, {figure}, {made}"


def backups(server: ServerProgram) -> Path:
    """Where backups are put."""
    return server.directory / "backups"


def _reached(server: ServerProgram, stirrer: Stirrer, *, copies: bool) -> set[str]:
    """The points that a server comes by from its start to its end, and, with ``copies``, a backup and a restore."""
    server.environment[VARIABLE] = "all=note"
    server.start()
    check(stirrer.stir(), "nobody could register")
    errors = ""
    if copies:
        backups(server).mkdir()
        _, errors, code = command(server, "backup", str(backups(server) / "first"))
        check(code == "0", f"backup: {errors}")
    server.stop()
    if copies:
        words = "restore", str(backups(server) / "first"), "--replace"
        _, errors, code = command(server, *words, state=_copy(server), order="all=note")
        check(code == "0", f"restore: {errors}")
    return set(re.findall(r"^failpoint (\S+): note", server.output + errors, re.MULTILINE))


def _copy(server: ServerProgram) -> Path:
    """A copy of the state directory of a server that does not run, and another server's."""
    copy = server.directory / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(server.state, copy, ignore=shutil.ignore_patterns("control"))
    return copy


def _die_at(server: ServerProgram, crowd: Crowd, stirrer: Stirrer, order: str, name: str) -> None:
    """A server's life up to a point."""
    if name in AT_START | AT_STOP or name.startswith("backup."):
        order = f"{name}=kill"
    server.environment[VARIABLE] = order
    before = server.output.count(f"failpoint {name}: kill")
    with suppress(ProgramError):  # it may die while it starts
        server.start()
        if name in AT_STOP:
            crowd.flowing(1)
            with suppress(ProgramError):
                server.stop()
        deadline = time.monotonic() + HANGS_SECONDS
        while server.code is None:
            check(time.monotonic() < deadline, f"{name}: not reached")
            if name.startswith("backup."):
                command(server, "backup", str(backups(server) / "killed"))
            else:
                stirrer.stir()
    check(server.code == -9, f"{name}: ended with {server.code}")
    check(server.output.count(f"failpoint {name}: kill") == before + 1, f"{name}: died elsewhere")
    check(not (backups(server) / "killed").exists(), f"{name}: half a backup is left")


def _fail_at(server: ServerProgram, crowd: Crowd, stirrer: Stirrer, order: str, name: str) -> None:
    """A point fails or waits once; the server does not end for it by itself, and has no bug of its own."""
    server.environment[VARIABLE] = order.removesuffix("@3") if name == "logs.opening" else order
    begun = len(server.output)
    server.start()
    deadline = time.monotonic() + HANGS_SECONDS
    while f"failpoint {name}: " not in server.output[begun:]:
        check(time.monotonic() < deadline, f"{order}: not reached")
        if not stirrer.stir():
            time.sleep(0.1)
    crowd.all_back()
    check(server.code is None, f"{order}: the server ended with {server.code}")
    server.stop()
    check("Traceback" not in server.output[begun:], f"{order}: {server.output[begun:][-1500:]}")


def _restore_dies_at(server: ServerProgram, name: str, number: int) -> None:
    """A restore's life up to a point; whatever is there afterwards is a whole store, which can be restored again."""
    copy, first = _copy(server), str(backups(server) / "first")
    order = f"{name}=kill@{1 + number % 2}" if "moving" in name else f"{name}=kill"
    _, errors, code = command(server, "restore", first, "--replace", state=copy, order=order)
    check((code, f"failpoint {name}: kill" in errors) == ("-9", True), f"{name}: ended with {code}: {errors}")
    _, errors, code = command(server, "restore", first, "--replace", state=copy)
    check(code == "0", f"{name}: {errors}")
    said, errors, code = command(server, "verify", state=copy)
    check(code == "0", f"{name}: {said}{errors}")
