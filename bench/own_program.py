"""A part that measures itself: a module of this folder in a process of its own, which prints its figures at the end.

`chatserv.testing.processes.run_program` does nearly the same; `bench.compare` lays this folder over revisions without it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from bench.server import BenchError
from chatserv.testing.processes import child_environment

MOST_TOLD: Final = 2000  # characters of what it has written to standard error


def figures_of(
    module: str,
    *arguments: str,
    directory: Path,
    environment: Mapping[str, str] = MappingProxyType({}),
    typed: str = "",
    seconds: float,
) -> dict[str, Any]:
    """Runs a module to its end; gives the JSON object that is the last line which it prints. Raises `BenchError`.

    Args:
        module: Such as ``bench.files``.
        arguments: Of its command line.
        directory: Where it works, and has clients' profiles.
        environment: What it has in its environment beside ours.
        typed: Its standard input.
        seconds: By when it has to have ended.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=directory,
            env={**child_environment(directory), **environment},
            input=typed,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{module} {arguments}: no end after {seconds:g} s") from None
    if done.returncode != 0:
        raise BenchError(f"{module} {arguments}: exit {done.returncode}\n{done.stderr[-MOST_TOLD:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
