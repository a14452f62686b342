"""Row 13: an older version and today's on the same database, one after the other."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from chatserv.operations.server_rows import OLDER
from chatserv.testing.processes import ServerProgram
from tests.faults.crowd import Crowd
from tests.faults.rows import Ground, check, row

LONG_SECONDS = 600.0  # the two versions take turns for so long
ROOT = Path(__file__).parents[2]
REVISION = re.compile(r"code of revision (\w+)")


@row(
    13,
    "today's version, an older one and today's again, on the same database",
    sqlite="the older version has no store in PostgreSQL",
)
def there_and_back(ground: Ground) -> str:
    """People talk while the server goes back a version and forward again: nothing is lost, and they come back each time.

    The older program is there where this is a clone with its history; without it the database alone goes back.
    """
    older = None if ground.short else older_program(ground)
    times, until = 0, time.monotonic() + ground.pick(0.0, LONG_SECONDS)
    with ground.server() as server, Crowd(server, 5) as crowd:
        with crowd.talking(150):
            while times == 0 or time.monotonic() < until:
                crowd.flowing()
                check(server.stop() == 0, "today's version did not end well")
                go_back(server.state)
                if older is not None:
                    with_older(server, crowd, older)
                server.start()
                crowd.all_back()
                times += 1
        figure = crowd.check()
    return f"{times} times, {figure}, {'the database alone' if older is None else 'with the older program'}"


def with_older(server: ServerProgram, crowd: Crowd, older: Path) -> None:
    """The same people on the older program, whose settings are the older ones."""
    settings = server.directory / "settings.json"
    todays = settings.read_text()
    tables = json.loads(todays)
    settings.write_text(json.dumps({name: tables[name] for name in ("server", "security")}))
    server.environment["PYTHONPATH"] = str(older)
    server.start()
    crowd.all_back()
    crowd.flowing()
    check(server.stop() == 0, "the older version did not end well")
    del server.environment["PYTHONPATH"]
    settings.write_text(todays)


def go_back(state: Path) -> None:
    """``chatserv downgrade``."""
    (version,) = OLDER
    command = [sys.executable, "-m", "chatserv", "downgrade", version, "--state-dir", str(state)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stdout + done.stderr)


def older_program(ground: Ground) -> Path | None:
    """The older version's files, from the history; None: this is not a clone with all of it."""
    (version,) = OLDER
    said = REVISION.search((ROOT / "tests" / "data" / version / "README.rst").read_text())
    assert said is not None
    found = subprocess.run(["git", "archive", said[1]], cwd=ROOT, capture_output=True, check=False)
    if found.returncode != 0:
        return None
    directory = ground.directory / "older"
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as files:
        files.extractall(directory)  # noqa: S202 - our own
    return directory
