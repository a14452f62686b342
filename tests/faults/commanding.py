"""The operator's command, as a process of its own."""

import subprocess
import sys
from pathlib import Path

from chatserv.failpoints import VARIABLE
from chatserv.testing.processes import ServerProgram, child_environment

SECONDS = 120


def command(
    server: ServerProgram, *words: str, state: Path | None = None, order: str = "", directory: Path | None = None
) -> tuple[str, str, str]:
    """Runs it. Gives what it printed, its errors, and its exit code as text; what is no UTF-8 has become surrogates.

    Args:
        server: Whose.
        words: Of its command line.
        state: Another state directory than the server's.
        order: What fail-points do.
        directory: Where it works, if not in the server's.
    """
    done = subprocess.run(
        [sys.executable, "-m", "chatserv", "--state-dir", str(state or server.state), *words],
        env={**child_environment(server.directory), VARIABLE: order, "PYTHONIOENCODING": "utf-8"},
        cwd=directory or server.directory,
        capture_output=True,
        check=False,
        timeout=SECONDS,
    )
    out, errors = (said.decode(errors="surrogateescape") for said in (done.stdout, done.stderr))  # each \r stays one
    return out, errors, str(done.returncode)
