"""The drills."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import psutil

from chatserv.testing.cluster import Node
from tests.drills.drill import RATE, Scene, drill
from tests.drills.people import Wanderer
from tests.faults.rows import check, wait_for

RANDOM_MS = 300


@drill("kills", "a node is killed at any moment, again and again", "what is answered is stored", "answers-first")
def kills(scene: Scene) -> str:
    """Each time that node which most people are at; it is started again while the others go on."""
    times, nodes = scene.pick(20, 200), scene.nodes
    starting: dict[str, Future[None]] = {}
    with ThreadPoolExecutor(len(nodes.nodes)) as pool, scene.talking():
        for _ in range(times):
            scene.flowing()
            time.sleep(secrets.randbelow(RANDOM_MS) / 1000)
            victim = scene.crowd.busiest(nodes)
            if victim.name in starting:
                starting.pop(victim.name).result()
            since = time.monotonic()
            victim.kill()
            scene.all_back(since)
            starting[victim.name] = pool.submit(victim.start)
        for each in starting.values():
            each.result()
    return f"{times} kills, "


@drill("bus-stopped", "the bus server is killed", "the store is asked while the bus is away", "no-polls")
def bus_stopped(scene: Scene) -> str:
    """Meanwhile everybody goes on, and is shown what is said at other nodes."""
    bus, seconds = scene.nodes.bus, scene.pick(3.0, 20.0)
    with _unheard(scene, seconds, bus.stop, bus.start):
        bus.wait()
    return f"{seconds:g} s, "


@contextmanager
def _unheard(scene: Scene, seconds: float, begin: Callable[[], None], end: Callable[[], None]) -> Iterator[None]:
    """Everybody talks while nodes do not hear each other, until all have everything; and afterwards, for what is inside."""
    with scene.talking():
        begin()
        time.sleep(seconds)
    scene.last_word()
    scene.back.append(scene.settled())
    end()
    with scene.talking():
        yield


@drill(
    "bus-frozen", "the bus server stands still, its connections open", "who does not answer a ping is away", "no-pings"
)
def bus_frozen(scene: Scene) -> str:
    """As if it had been killed."""
    bus, seconds = scene.nodes.bus, scene.pick(4.0, 20.0)
    with _unheard(scene, seconds, bus.freeze, bus.thaw):
        pass
    return f"{seconds:g} s, "


@drill("cut-from-bus", "a node is cut from the bus alone", "the store is asked while the bus is away", "no-polls")
def cut_from_bus(scene: Scene) -> str:
    """Its people stay with it, and are shown what is said elsewhere."""
    node, seconds = scene.crowd.busiest(scene.nodes), scene.pick(4.0, 20.0)
    with _unheard(scene, seconds, node.cut_from_bus, node.heal):
        pass
    return f"{seconds:g} s, "


@drill(
    "moves",
    "the bus stands still, and people go from node to node",
    "a session begins when its node is as far",
    "no-barrier",
)
def moves(scene: Scene) -> str:
    """Alice talks at one node; Bob goes from there to another, which has it later, and back: he is shown nothing twice."""
    times = scene.pick(10, 200)
    alice, bob, *others = scene.crowd.wanderers
    scene.nodes.bus.freeze()
    try:
        for person in (bob, *others):
            person.muted = True
        with scene.crowd.talking(RATE * 2):
            scene.flowing()
            for number in range(2 * times):
                since = time.monotonic()
                while bob.port == alice.port if number % 2 else bob.port != alice.port:
                    before = bob.logins
                    bob.go_on()
                    scene.crowd.cut(bob)
                    wait_for(partial(_has_moved, bob, before), "somebody comes to another node", scene.patience)
                scene.back.append(time.monotonic() - since)
    finally:
        for person in (bob, *others):
            person.muted = False
        scene.nodes.bus.thaw()
    return f"{times} moves, "


@drill(
    "cut-from-store",
    "a node is cut from the store alone",
    "a node that reaches no store lets its people go",
    "no-farewell",
)
def cut_from_store(scene: Scene) -> str:
    """Its people go to the others, and it takes part again once it reaches the store."""
    node = scene.crowd.busiest(scene.nodes)
    with scene.talking():
        since = time.monotonic()
        node.cut_from_store()
        wait_for(lambda: not scene.crowd.at(node), "its people have gone", scene.patience)
        scene.all_back(since)
        scene.flowing()
        _heal(node)
        scene.flowing()
    return ""


@drill(
    "halves",
    "two of three nodes are cut from the store and from the bus",
    "the store alone acknowledges",
    "answers-alone",
)
def halves(scene: Scene) -> str:
    """Those two acknowledge nothing, and their people go to the third."""
    cut = sorted(scene.nodes.nodes, key=scene.crowd.at)[1:]
    with scene.talking():
        since = time.monotonic()
        for node in cut:
            node.cut_from_store()
            node.cut_from_bus()
        wait_for(lambda: not any(map(scene.crowd.at, cut)), "their people have gone", scene.patience)
        scene.all_back(since)
        scene.flowing()
        for node in cut:
            _heal(node)
        scene.flowing()
    return ""


def _has_moved(person: Wanderer, before: int) -> bool:
    return person.logins > before


def _heal(node: Node) -> None:
    node.heal()
    if node.code is not None:  # it has ended itself, and whatever looks after it starts it anew
        node.start()


@drill("restarts", "all nodes are restarted in turn under load", "people know all addresses", {"advertise": False})
def restarts(scene: Scene) -> str:
    """As for a new version: one after the other, each when the one before serves again."""
    rounds = scene.pick(1, 10)
    with scene.talking():
        for node in scene.nodes.nodes * rounds:
            scene.flowing()
            since = time.monotonic()
            code = node.stop()
            check(code == 0, f"node {node.name} ended with {code}")
            scene.all_back(since)
            node.start()
    return f"{rounds * len(scene.nodes.nodes)} restarts, "


@drill(
    "primary",
    "the primary dies while its standby lags behind, and that is promoted",
    "nothing is acknowledged that the standby has not",
    {"standby": False},
    last=True,
)
def primary(scene: Scene) -> str:
    """Commits wait meanwhile."""
    standby, lag = scene.nodes.standby, scene.pick(1.5, 3.0)
    assert standby is not None
    with scene.talking():
        receiver: psutil.Process = standby.receiver()
        receiver.send_signal(signal.SIGSTOP)
        time.sleep(lag)
        since = time.monotonic()
        scene.nodes.postgres.stop()
        receiver.send_signal(signal.SIGCONT)
        standby.promote()
        promoted = time.monotonic()
        scene.flowing()
        scene.back.append(time.monotonic() - since)
    return f"flows {time.monotonic() - promoted:.1f} s after the promotion, "
