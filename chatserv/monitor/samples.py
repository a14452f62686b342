"""The lines of the monitor child, and how people read them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from chatserv.decoding import UNREADABLE

Figure = Annotated[float, Meta(ge=0, le=1e9)]
Number = Annotated[int, Meta(ge=0, le=2**62)]
Pid = Annotated[int, Meta(ge=1, lt=2**31)]


class System(msgspec.Struct, frozen=True):
    """The machine: CPU in per cent of all cores, memory in bytes."""

    cpu_percent: Figure
    memory_used_bytes: Number
    memory_total_bytes: Number
    memory_percent: Figure


class ServerProcess(msgspec.Struct, frozen=True):
    """The server process: CPU in per cent of one core; None where the system does not tell."""

    pid: Pid
    cpu_percent: Figure | None
    rss_bytes: Number | None
    fds: Number | None
    threads: Number | None


class PythonProcess(msgspec.Struct, frozen=True):
    """Any Python process; its CPU is None in the first sample that has it."""

    pid: Pid
    cpu_percent: Figure | None
    memory_percent: Figure


class Child(msgspec.Struct, frozen=True):
    """A process that the server has started: its name, and its state in psutil's words."""

    pid: Pid
    name: Annotated[str, Meta(max_length=64)]
    status: Annotated[str, Meta(max_length=64)]


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The child runs."""

    pid: Pid


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """The child still runs."""


class Sample(msgspec.Struct, frozen=True, tag="sample"):
    """What the child measured. ``python`` is None unless it was asked for.

    ``lag_seconds``: how late the server's reactor was at most since the last sample, by its own word; None: it said none.
    """

    system: System
    server: ServerProcess
    lag_seconds: Figure | None = None
    children: Annotated[tuple[Child, ...], Meta(max_length=100)] = ()
    python: Annotated[tuple[PythonProcess, ...], Meta(max_length=1000)] | None = None

    def lines(self) -> list[str]:
        """For people: the machine and the server in one line, then each Python process in a line."""
        system, server = self.system, self.server
        used, total = system.memory_used_bytes / 2**30, system.memory_total_bytes / 2**30
        rss = None if server.rss_bytes is None else server.rss_bytes / 2**20
        first = (
            f"CPU {system.cpu_percent:.1f} %, memory {used:.1f}/{total:.1f} GiB ({system.memory_percent:.1f} %), "
            f"server: CPU {_figure(server.cpu_percent)} %, RSS {_figure(rss)} MiB, "
            f"{_count(server.fds)} fds, {_count(server.threads)} threads"
        )
        if self.lag_seconds is not None:
            first += f", reactor late by {self.lag_seconds * 1000:.0f} ms"
        if self.children:
            first += "; " + ", ".join(f"{one.name} {one.pid} {one.status}" for one in self.children)
        return [first] + [
            f"python pid {one.pid}: CPU {_figure(one.cpu_percent)} %, memory {one.memory_percent:.1f} %"
            for one in self.python or ()
        ]


Message = Hello | Beat | Sample
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def parse(line: bytes) -> Message:
    """One line of the child, without its end. Raises ValueError for anything that is no message."""
    try:
        return _decoder.decode(line)
    except UNREADABLE as error:
        raise ValueError(str(error)) from None


def _figure(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}"


def _count(value: int | None) -> str:
    return "?" if value is None else str(value)
