"""Several nodes of one server: ``make cluster``, and what demonstrations and drills of several nodes stand on.

A PostgreSQL of its own, nats-server, and server programs on 127.0.0.1 that share one identity; each has its own state
directory, and, where it is to be cut off, ways to the store and to the bus that stop.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from chatserv.crypto.suite import generate_rsa
from chatserv.net.keys import write_identity
from chatserv.operations.remote import ask
from chatserv.state_directory import StatePaths
from chatserv.testing.demo.talking import say
from chatserv.testing.nats import NatsServer
from chatserv.testing.postgres import Cluster, Standby
from chatserv.testing.processes import TWISTD, ProgramError, ServerProgram, free_port
from chatserv.testing.ways import Way
from chatserv.wire.link import format_link, parse_link

HOST: Final = "127.0.0.1"
NAMES: Final = "abcdefgh"
LOOK_SECONDS: Final = 0.2
Settings = dict[str, dict[str, Any]]


class Node(ServerProgram):
    """One of the servers.

    Args:
        name: A letter.
        directory: Its own.
        settings: As of `ServerProgram`.
        port: Where it listens.
        program: As of `ServerProgram`.
        ways: To the bus, and then to each PostgreSQL, where there are such.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        settings: Settings,
        port: int,
        program: tuple[str, ...],
        ways: tuple[Way, ...] = (),
    ) -> None:
        super().__init__(directory, settings, program, port)
        self.name, self._ways = name, ways

    @property
    def address(self) -> str:
        """Where people reach it."""
        return f"{HOST}:{self.port}"

    def cut_from_store(self) -> None:
        """Nothing goes through between it and PostgreSQL from now on, and no connection ends."""
        for way in self._ways[1:]:
            way.freeze()

    def cut_from_bus(self) -> None:
        """Likewise with the bus."""
        self._ways[0].freeze()

    def heal(self) -> None:
        """Everything goes through again."""
        for way in self._ways:
            way.thaw()

    def asked(self, operation: str, **arguments: object) -> dict[str, Any]:
        """What the running node answers to an operation. Raises `ProgramError`."""
        answer = ask(StatePaths(self.state).control, operation, arguments, lambda _line: None)
        if "error" in answer:
            raise ProgramError(f"node {self.name}: {operation}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    @property
    def sessions(self) -> int:
        """How many people's programs are logged in at this one."""
        return int(self.asked("status")["sessions"])


class Nodes:
    """All of it, from ``with`` to the end of the block. What is needed is started, and the nodes are too.

    Args:
        directory: Gets everything but the PostgreSQL.
        count: How many nodes.
        settings: Overrides for the settings of each.
        ways: Whether they can be cut from store and bus.
        standby: Whether PostgreSQL has a copy, and whether it waits for that: None, False or True.
        advertise: Whether each node tells of all; else of itself alone.
        program: The command of a node.

    Attributes:
        advertise: As it was given.
        nodes: In the order of their names.
        postgres: The PostgreSQL.
        standby: Its copy, where there is one.
        bus: The bus server.

    Raises:
        ProgramError: Something is not installed, or does not start.
    """

    def __init__(
        self,
        directory: Path,
        count: int = 3,
        settings: Settings | None = None,
        *,
        ways: bool = False,
        standby: bool | None = None,
        advertise: bool = True,
        program: tuple[str, ...] = TWISTD,
    ) -> None:
        self.directory, self.advertise, self._several, self._stack = directory, advertise, count > 1, ExitStack()
        try:
            self.bus = NatsServer(directory)
            self._stack.callback(self.bus.stop)
            self.postgres = Cluster()
            self._stack.callback(self.postgres.end)
            self._database = urlsplit(self.postgres.create()).path.strip("/")
            self.standby = None if standby is None else Standby(self.postgres, synchronous=standby)
            if self.standby is not None:
                self._stack.callback(self.standby.end)
            identity = generate_rsa()
            ports = [free_port() for _ in range(count)]
            self.nodes: list[Node] = []
            for name, port in zip(NAMES, ports, strict=False):
                told = [f"{HOST}:{each}" for each in (ports if advertise else [port])]
                self.nodes.append(self._node(name, port, told, settings or {}, program, ways=ways))
                self.nodes[-1].state.mkdir(0o700)
                write_identity(StatePaths(self.nodes[-1].state).identity_key, identity)
        except BaseException:
            self.end()
            raise

    def _node(
        self, name: str, port: int, told: list[str], settings: Settings, program: tuple[str, ...], *, ways: bool
    ) -> Node:
        directory = self.directory / name
        directory.mkdir()
        bus_port, url, between = self.bus.port, self.url, tuple[Way, ...]()
        if ways:
            ends: list[int | Path] = [self.bus.port, *(each.socket for each in self._stores)]
            between = tuple(Way(HOST, free_port(), end) for end in ends)
            for way in between:
                self._stack.callback(way.kill)
            bus_port = between[0].port
            url = f"postgresql://chat@{','.join(f'{HOST}:{way.port}' for way in between[1:])}/{self._database}"
        here: Settings = {"store": {"url": url}, "server": {"advertise": f"{HOST}:{port}"}}
        if self._several:
            here["cluster"] = {"name": "chat", "bus": [f"nats://{HOST}:{bus_port}"], "advertise": told}
        tables = {key: {**here.get(key, {}), **settings.get(key, {})} for key in here | settings}
        return Node(name, directory, tables, port, program, between)

    @property
    def url(self) -> str:
        """Of the database, at whichever PostgreSQL takes writes."""
        return f"postgresql://chat@/{self._database}?host={','.join(str(each.directory) for each in self._stores)}"

    @property
    def _stores(self) -> list[Cluster]:
        return [self.postgres] if self.standby is None else [self.postgres, self.standby]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self) -> None:
        """Starts the bus and the nodes, the first of which makes what is missing in the database."""
        try:
            self.bus.start()
            self.bus.wait()
            for node in self.nodes:
                self._stack.callback(node.stop)
                node.start()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Ends everything, whatever of it runs."""
        self._stack.close()

    def link(self, node: Node) -> str:
        """The first administrator's link, by way of this node first."""
        return self.by_way_of(node, self.nodes[0].link())

    @staticmethod
    def by_way_of(node: Node, text: str) -> str:
        """The same link with this node's address as its first one."""
        link = parse_link(text)
        others = tuple(each for each in link.addresses if each != (HOST, node.port))
        return format_link(type(link)(HOST, node.port, link.fingerprint, link.invite, link.key, others))


def run(count: int) -> None:
    """Starts everything, says where it is, and waits until it is asked to end. Raises `ProgramError`."""
    with tempfile.TemporaryDirectory(prefix="chatserv-cluster-") as name, Nodes(Path(name), count) as nodes:
        say(f"store   {nodes.url}")
        say(f"bus     nats://{HOST}:{nodes.bus.port}")
        for node in nodes.nodes:
            say(f"node {node.name}  {node.address}  process {node.pid}, state in {node.state}")
        say("the first administrator's link, once and within a day:")
        print(nodes.link(nodes.nodes[0]), flush=True)
        say("Ctrl-C ends all of it")
        parent, gone = os.getppid(), set[str]()
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
            for node in nodes.nodes:
                if node.code is not None and node.name not in gone:
                    gone.add(node.name)
                    say(f"node {node.name} has ended with {node.code}: {node.output_file} has what it said")


def apart(count: int) -> int:
    """Runs it in a process group of its own, so that Ctrl-C reaches the nodes in an order that we choose."""
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            run(count)
        except ProgramError as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=3, choices=range(1, len(NAMES) + 1), help="how many (3)")
    return apart(parser.parse_args().nodes)


if __name__ == "__main__":
    sys.exit(main())
