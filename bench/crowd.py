"""Many devices that wait for the server together: one thread, one epoll."""

import select
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, Protocol

from bench.accounts import Accounts
from bench.connection import Steps
from bench.member import Device, tls_context
from bench.server import BenchError
from chatserv.wire.link import ServerLink

PATIENCE_SECONDS: Final = 60.0  # without anything that happens
AT_ONCE: Final = 64


class Crowd:
    """Devices of accounts of their own.

    Args:
        link: Where the server is, and who.
        accounts: Makes keys.
        numbers: Which accounts.
    """

    def __init__(self, link: ServerLink, accounts: Accounts, numbers: Iterable[int]) -> None:
        context = tls_context()
        self.devices = [Device(link, context, accounts, accounts.make(number)) for number in numbers]

    def do(self, what: Callable[[Device], Steps[object]], at_once: int = AT_ONCE, first: int | None = None) -> None:
        """Each of them, or only the first ones, does something, so many at a time.

        Raises:
            BenchError: One cannot.
            OSError: One cannot connect.
        """
        together([(device, what(device)) for device in self.devices[:first]], at_once)

    def drain(self) -> None:
        """Reads what has come, and drops it."""
        for device in self.devices:
            device.receive()

    def leave(self) -> None:
        """All connections end."""
        for device in self.devices:
            device.close()


class Socket(Protocol):
    """What has one."""

    def fileno(self) -> int:
        """Its descriptor."""


def together(parts: Iterable[tuple[Socket, Steps[object]]], at_once: int = AT_ONCE) -> None:
    """Takes the steps of all, those of so many at a time, each as soon as its socket is ready.

    Raises:
        BenchError: One fails, or nothing happens for `PATIENCE_SECONDS`.
        OSError: One cannot connect.
    """
    waiting = deque(parts)
    under_way: dict[int, tuple[Socket, Steps[object], int]] = {}
    with select.epoll() as epoll:
        while waiting or under_way:
            while waiting and len(under_way) < at_once:
                device, steps = waiting.popleft()
                with suppress(StopIteration):
                    mask = next(steps)
                    under_way[device.fileno()] = device, steps, mask
                    epoll.register(device.fileno(), mask)
            ready = epoll.poll(PATIENCE_SECONDS)
            if not ready:
                raise BenchError(f"nothing happens; {len(waiting) + len(under_way)} are not done")
            for descriptor, _ in ready:
                device, steps, before = under_way[descriptor]
                try:
                    mask = next(steps)
                except StopIteration:
                    del under_way[descriptor]
                    epoll.unregister(descriptor)
                    continue
                if mask != before:
                    under_way[descriptor] = device, steps, mask
                    epoll.modify(descriptor, mask)
