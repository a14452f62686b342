"""Row 35: connections without end from one address and from one /64, in a network of the row's own.

On loopback nothing of this holds, so the row is run in a namespace whose ``lo`` has addresses as the world has; the server,
the honest people and the flood are all in there.
"""

import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

from bench.member import Member, tls_context
from chatserv.domain.visitors import MOST_NETWORKS, Fault, VisitorLimits, Visitors
from tests.faults.crowd import Crowd
from tests.faults.driven import driven
from tests.faults.health import Health
from tests.faults.hostile import FIRST, Stage
from tests.faults.metrics import scrape
from tests.faults.namespace import in_namespace
from tests.faults.peers import is_ended
from tests.faults.rows import Ground, NotRun, check, metrics_of, row, wait_for

SERVER: Final = ("198.51.100.1", "2001:db8::1")
FLOODER: Final = "198.51.100.7"
HONEST: Final = "198.51.100.9"
NETWORK: Final = "2001:db8:0:1::"  # a /64
PEOPLE: Final = 3


def _table() -> int:
    """How many networks are remembered when more have misbehaved than the table holds."""
    visitors = Visitors(lambda: VisitorLimits(1, 1, 1.0, 1.0, 1.0), lambda: 0.0)
    for number in range(MOST_NETWORKS + 100):
        visitors.punish(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", Fault.GARBAGE)
    check(len(visitors) == MOST_NETWORKS, f"{len(visitors)} networks are remembered")
    return len(visitors)


@row(35, "connections without end from one address and from one /64")
def flood(ground: Ground) -> str:
    """Each network has its bounds and its penalty; others come in meanwhile."""
    try:
        return in_namespace(35)(_inside)(ground)
    except NotRun as reason:
        tests = driven(ground, "tests.net.test_factory.NetworkTests")
        return f"{tests} tests in memory ({reason}), {_table()} networks remembered at most"


class _Newcomer(Member):
    """Somebody who registers from an address."""

    def __init__(self, stage: Stage, source: str, number: int) -> None:
        self.source = source
        super().__init__(replace(stage.link, host=SERVER[0]), tls_context(), stage.accounts, number)


class _Flood:
    """Connections that say nothing.

    Args:
        ground: Of the row.
        port: Where.
    """

    def __init__(self, port: int) -> None:
        self._port, self.open = port, ExitStack()
        self.tried = 0

    def connect(self, sources: Sequence[str]) -> list[socket.socket]:
        """One from each of these addresses."""
        made = []
        for source in sources:
            self.tried += 1
            host = SERVER[":" in source]
            one = self.open.enter_context(socket.create_connection((host, self._port), 60, (source, 0)))
            one.settimeout(None)
            made.append(one)
        return made

    def left(self, made: list[socket.socket], most: int) -> int:
        """How many of these the server keeps, once it has turned the others away."""
        kept = list(made)

        def few() -> bool:
            kept[:] = [each for each in kept if not is_ended(each)]
            return len(kept) <= most

        wait_for(few, f"no more than {most} connections of one network")
        return len(kept)


def _addresses(count: int) -> list[str]:
    """Addresses that are all in one /64, given to this machine."""
    found = [f"{NETWORK}{number:x}" for number in range(1, count + 1)]
    lines = ["link set lo up", f"addr add {SERVER[0]}/24 dev lo", f"addr add {SERVER[1]}/64 dev lo nodad"]
    lines += [f"addr add {each}/64 dev lo nodad" for each in found]
    try:
        subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)
    except FileNotFoundError:
        raise NotRun("there is no ip (iproute2)") from None
    return found


def _inside(ground: Ground) -> str:
    """The row itself, in the namespace."""
    each, at_once, new = ground.pick((8, 12, 40), (32, 256, 1024))
    addresses = _addresses(3 * each)
    limits: dict[str, Any] = {
        "unauthenticated_per_network": each, "connections_per_network": at_once, "new_connections_per_network": new,
        "tls_handshake_seconds": ground.pick(1.5, 10.0),
    }  # fmt: skip
    settings: dict[str, dict[str, Any]] = {"server": {"host": "::", "advertise": "127.0.0.1"}, "limits": limits}
    with ground.server(settings) as server, Crowd(server, PEOPLE) as crowd, crowd.talking(60):
        crowd.flowing(30)
        stage = Stage.of(server)
        flooding = _Flood(server.port)

        def turned_away(why: str) -> int:
            found = scrape(metrics_of(server.directory))
            return int(
                sum(value for name, value in found.items() if name.startswith("chatserv_turned_away") and why in name)
            )

        def comes(number: int, source: str = HONEST) -> float:
            began = time.monotonic()
            _Newcomer(stage, source, FIRST + number).close()
            return time.monotonic() - began

        comes(1)
        people = [_Newcomer(stage, "198.51.100.20", FIRST + 10 + number) for number in range(at_once - each // 2)]
        health = Health(ground, server, crowd)
        kept, silent = {}, []
        with flooding.open:
            for name, sources in (("one address", [FLOODER] * (3 * each)), ("a /64", addresses)):
                silent += flooding.connect(sources)
                kept[name] = flooding.left(silent[-3 * each :], each)
                check(kept[name], f"nobody of {name} was let in")
            took = comes(2)
            flooding.left(silent, 0)  # the deadline of a handshake, and a penalty for each
            flooding.left(flooding.connect([FLOODER, addresses[0]]), 0)
            wait_for(lambda: turned_away("penalty") >= 2, "a penalty for both")
        with flooding.open:
            flooding.left(flooding.connect(["198.51.100.20"] * each), each // 2)
            wait_for(lambda: turned_away('"connections"'), "a network with too many connections")
            for person in people:
                person.close()
        while not turned_away('"new_connections"'):
            check(flooding.tried < 20 * new, "a network that comes too often is let in")
            with flooding.open:
                flooding.connect(["198.51.100.30"])
        took = max(took, comes(3))
        ground.within(took, 1.0, "somebody else's registration")
        said = health.check(r"turned away", metric=r"chatserv_turned_away_total.*")
        figure = crowd.check()
    return (
        f"{flooding.tried} connections, {kept['one address']} kept of one address, {kept['a /64']} of a /64, others in "
        f"within {took:.2f} s, {_table()} networks remembered at most, {figure}, {said}"
    )
