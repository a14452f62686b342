"""The memory of a running process, written to a file: by ``gcore``, or read from ``/proc`` where there is no debugger."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from chatserv.testing.processes import ProgramError

DUMP_SECONDS: Final = 60.0
PIECE_BYTES: Final = 2**20
_LINE: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+ *(.*)")
_UNREADABLE: Final = ("[vvar]", "[vvar_vclock]", "[vsyscall]")  # the kernel's own, the same in every process


def dump(pid: int, directory: Path) -> tuple[Path, str]:
    """Writes the memory of a process into a file in ``directory``; the process goes on afterwards.

    Returns:
        The file, and how it came to be, for people.

    Raises:
        ProgramError: It cannot be had; most often for want of permission.
    """
    gcore = shutil.which("gcore")
    if gcore is not None:
        file = by_gcore(gcore, pid, directory)
        if file is not None:
            return file, "core dump by gcore"
    return from_proc(pid, directory), f"/proc/{pid}/mem"


def by_gcore(gcore: str, pid: int, directory: Path) -> Path | None:
    """A core file of everything that the process has mapped, or None where the debugger may not."""
    prefix = directory / "core"
    command = [gcore, "-a", "-o", str(prefix), str(pid)]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=DUMP_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None
    file = prefix.with_name(f"core.{pid}")
    return file if file.exists() and file.stat().st_size else None


def from_proc(pid: int, directory: Path) -> Path:
    """The same content: every readable mapping, one after the other. Raises `ProgramError`."""
    file = directory / f"memory.{pid}"
    try:
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory, file.open("wb") as output:
            for start, end in mappings(Path(f"/proc/{pid}/maps").read_text()):
                memory.seek(start)
                while start < end and (piece := memory.read(min(PIECE_BYTES, end - start))):
                    start += output.write(piece)  # noqa: PLW2901 - counts up to the end
    except OSError as error:
        raise ProgramError(f"memory of process {pid}: {error}") from None
    return file


def mappings(maps: str) -> Iterator[tuple[int, int]]:
    """Start and end of each readable mapping that ``/proc/PID/maps`` lists."""
    for line in maps.splitlines():
        match = _LINE.fullmatch(line)
        if match is not None and match[3] not in _UNREADABLE:
            yield int(match[1], 16), int(match[2], 16)
