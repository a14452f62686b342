"""Sends a file as the window does: of a type, and with a small picture of it, both of which are the sender's word.

``python -m chatserv.testing.blindness.sending PROFILE ROOM PATH WORDS TYPE PICTURE``. Windows make the picture from the
file; here it is a text, which cannot be in one, as the file's type is in no table.
"""

import subprocess
import sys
from mimetypes import add_type
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from chatserv.client import Preview, Profile, open_client, use_steady_clock
from chatserv.testing.processes import ProgramError, child_environment

COMMAND: Final = (sys.executable, "-m", "chatserv.testing.blindness.sending")
SECONDS: Final = 150.0
WIDTH, HEIGHT = 640, 480


def send_file(directory: Path, profile: str, room: str, path: Path, words: str, kind: str, picture: str) -> None:
    """Lets a program send it, and waits until it is stored. Raises `ProgramError`."""
    done = subprocess.run(
        [*COMMAND, profile, room, str(path), words, kind, picture],
        cwd=directory,
        env=child_environment(directory),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise ProgramError(f"{profile} does not send {path.name}: exit {done.returncode}\n{done.stdout}{done.stderr}")


async def run(reactor: Any, profile: str, room: str, path: str, words: str, picture: str) -> None:
    """Sends it, and ends."""
    async with open_client(Profile.named(profile), reactor) as client:
        await client.room(room).send_file(path, words, preview=Preview(WIDTH, HEIGHT, picture.encode()))


def main() -> None:
    """The command line."""
    profile, room, path, words, kind, picture = sys.argv[1:]
    add_type(kind, Path(path).suffix)
    react(lambda reactor: Deferred.fromCoroutine(run(use_steady_clock(reactor), profile, room, path, words, picture)))


if __name__ == "__main__":
    main()
