"""The proof that a server cannot read what people write: by programs of their own, on a server of their own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any, Final

from chatserv.i18n import _
from chatserv.local_errors import NotDone
from chatserv.operations.registry import Result
from chatserv.operations.world import World

PROOF: Final = "chatserv.testing.blindness.run"  # of chatserv.testing, and so never in this process
OURS: Final = (
    "CHATSERV",
    "STATE_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "LISTEN_",
    "NOTIFY_SOCKET",
    "WATCHDOG_",
    "XDG_",
)
OUTCOMES: Final = ("clean", "found", "unproven")  # by exit code


async def prove_blind(world: World, arguments: Mapping[str, Any]) -> Result:
    """Runs the proof; nothing that says where the operator's own server is gets into it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    command = [sys.executable, "-m", PROOF, *(["--leak"] if arguments["leak"] else [])]
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="chatserv-proof-") as nowhere:
        proof = subprocess.Popen(  # nosec B603  # noqa: S603 - ourselves
            command, cwd=nowhere, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        assert proof.stdout is not None
        for line in proof.stdout:
            lines.append(line.rstrip("\n"))
            world.progress(lines[-1])
        code = proof.wait()
    if not 0 <= code < len(OUTCOMES) or not lines:
        raise NotDone(_("the proof has ended before its end, with {code}").format(code=code))
    good = "found" if arguments["leak"] else "clean"
    return Result({"outcome": OUTCOMES[code], "lines": lines}, code=0 if OUTCOMES[code] == good else 1)
