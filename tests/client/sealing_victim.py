"""Seals copies of a profile, and is killed at each step of it once: run as a program of its own by test_sealing."""

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

from chatserv.client.account.profile import Profile
from chatserv.client.account.system_keyring import SystemKeyring
from chatserv.client.sealing import seal_profile
from chatserv.testing.memory_server import CHEAP

PASSPHRASE = "maple river candle"


class FileBackend:
    """A keyring that outlives the process, as the operating system's does.

    Args:
        path: A directory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get_password(self, service: str, username: str) -> str | None:
        """What is kept."""
        file = self._path / f"{service}-{username}"
        return file.read_text() if file.exists() else None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keeps it."""
        (self._path / f"{service}-{username}").write_text(password)

    def delete_password(self, service: str, username: str) -> None:
        """Forgets it."""
        (self._path / f"{service}-{username}").unlink()


def seal_until(directory: Path, store: SystemKeyring | None, killed_at: int) -> str:
    """Seals a profile; in this process's child, which ends by SIGKILL before that step. Gives the step's name."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        number = count()

        def step(name: str) -> None:
            if next(number) == killed_at:
                os.write(writing, name.encode())
                os.kill(os.getpid(), signal.SIGKILL)

        passphrase = None if store is not None else PASSPHRASE
        seal_profile(Profile(directory), passphrase, find=lambda: store, cost=CHEAP, step=step)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        name = told.read()
    os.waitpid(child, 0)
    return name


def main() -> None:
    """``source way``: makes ``source``.0, ``source``.1, ... and prints the steps' names."""
    source, way = Path(sys.argv[1]), sys.argv[2]
    for number in count():
        copy, kept = source.with_name(f"{source.name}.{number}"), source.with_name(f"keys.{number}")
        shutil.copytree(source, copy)
        kept.mkdir()
        store = SystemKeyring(FileBackend(kept)) if way == "keyring" else None
        name = seal_until(copy, store, number)
        if not name:
            break
        print(name, flush=True)


if __name__ == "__main__":
    main()
