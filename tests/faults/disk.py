"""A disk that fails: a library in C before the server's own, built here, which withholds what was not synced."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Final

from tests.faults.rows import NotRun

SOURCE: Final = Path(__file__).with_name("shim.c")
SECTOR_BYTES: Final = 512  # what a disk writes whole or not at all


@cache
def library() -> Path:
    """The library, built for this process."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NotRun("no C compiler")
    built = Path(tempfile.mkdtemp(prefix="chatserv-shim-")) / "shim.so"
    built.parent.chmod(0o755)  # for servers of other users
    command = [
        compiler,
        "-O2",
        "-Wall",
        "-Werror",
        "-shared",
        "-fPIC",
        "-o",
        str(built),
        str(SOURCE),
        "-ldl",
        "-lpthread",
    ]
    subprocess.run(command, check=True)
    return built


class Disk:
    """What holds a directory, as it would be after the power failed.

    Args:
        root: The directory; need not exist yet.
        copy: Where the disk's own view of it is kept; a new directory.
    """

    def __init__(self, root: Path, copy: Path) -> None:
        self.root, self._copy = root, copy
        copy.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs so that its files are on this disk."""
        return {
            "LD_PRELOAD": str(library()),
            "CHATSERV_SHIM_ROOT": str(self.root),
            "CHATSERV_SHIM_DISK": str(self._copy),
        }

    def fail(self, what: str, part: str = "", times: int = 0) -> None:
        """Lets ``fsync``, ``read`` or ``write`` fail with EIO, ``full`` (a write) with ENOSPC, or lets a sync ``hold``.

        Args:
            what: One of these.
            part: Part of the paths that it is for; empty: all.
            times: How often; 0: until `mend`.
        """
        fresh = self._copy / "order.new"
        fresh.write_text(f"{part} {times}")
        fresh.replace(self._copy / f"order-{what}")

    def mend(self, what: str) -> None:
        """Lets it work again."""
        (self._copy / f"order-{what}").unlink(missing_ok=True)

    def happened(self, what: str) -> list[str]:
        """The paths for which it has failed so far, in order."""
        file = self._copy / "happened"
        lines = file.read_text().splitlines() if file.exists() else []
        return [path for word, _, path in (line.partition(" ") for line in lines) if word == what]

    def lose_power(self) -> Counter[str]:
        """Makes the directory what the disk has of it: what was synced, and of the rest sectors as it happens.

        The program has been killed. Returns how many bytes of what it had written were lost, by the name of the file.
        """
        lost: Counter[str] = Counter()
        self._restore(self.root, lost)
        for each in list(self._copy.iterdir()):
            if each.name != "happened":
                each.unlink()
        self._take_in(self.root)
        return lost

    def _take_in(self, directory: Path) -> None:
        """What is there after a start is on the disk."""
        lines = []
        for each in directory.iterdir():
            number = each.lstat().st_ino
            if each.is_dir():
                lines.append(f"d {number} {each.name}\n")
                self._take_in(each)
            elif each.is_file():
                lines.append(f"i {number}.0 {each.name}\n")
                (self._copy / f"i-{number}.0").write_bytes(each.read_bytes())
        (self._copy / f"d-{directory.stat().st_ino}").write_text("".join(lines))

    def _restore(self, directory: Path, lost: Counter[str]) -> None:
        names = self._copy / f"d-{directory.stat().st_ino}"
        kept: dict[str, tuple[str, str]] = {}
        for line in names.read_text().splitlines() if names.exists() else []:
            kind, which, name = line.split(" ", 2)
            kept[name] = (kind, which)
        for each in list(directory.iterdir()):
            if each.name not in kept and each.is_file():  # its name was never synced
                lost[each.name] += each.stat().st_size
                each.unlink()
        for name, (kind, which) in kept.items():
            path = directory / name
            if kind == "d":
                path.mkdir(mode=0o700, exist_ok=True)
                self._restore(path, lost)
            else:
                lost[name] += self._restore_file(path, which)

    def _restore_file(self, path: Path, which: str) -> int:
        copy = self._copy / f"i-{which}"
        there = path.read_bytes() if path.exists() else b""
        synced = copy.read_bytes() if copy.exists() else b""
        if there == synced:
            return 0
        same = path.exists() and path.stat().st_ino == int(which.partition(".")[0])
        torn = _tear(synced, there) if same else synced
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        path.write_bytes(torn)
        path.chmod(mode)
        return sum(one != other for one, other in zip(torn, there, strict=False)) + abs(len(there) - len(torn))


def _tear(synced: bytes, written: bytes) -> bytes:
    """What was synced, with some of the sectors that were written since, and at some length between."""
    most = max(len(synced), len(written))
    image = bytearray(synced)
    end = len(synced)
    if len(written) > len(synced):
        image += bytes(most - len(synced))
        end += secrets.randbelow(len(written) - len(synced) + 1)
    for start in range(0, most, SECTOR_BYTES):
        sector = slice(start, start + SECTOR_BYTES)
        if bytes(image[sector]) != written[sector] and secrets.randbelow(2):
            image[start : start + len(written[sector])] = written[sector]
    return bytes(image[:end])
