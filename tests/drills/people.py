"""Who talks in a drill: light clients that go from node to node, and real ones, whose warnings would be false alarms."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, cast

from bench.accounts import Accounts
from bench.server import BenchError
from chatserv.testing.cluster import Node, Nodes
from chatserv.testing.demo.oracle import Verdict, compare
from chatserv.testing.demo.stage import wait_until
from chatserv.testing.demo.talkative import ROOM, Talkative, complaints
from chatserv.testing.processes import run_client
from chatserv.wire import messages
from chatserv.wire.link import ServerLink, parse_link
from tests.faults.crowd import AGAIN_SECONDS, Crowd, Person

PACE_SECONDS: Final = 0.25  # between two lines of real people
END_SECONDS: Final = 60.0


def links_of(nodes: Nodes) -> list[ServerLink]:
    """A link to each node alone."""
    links = [parse_link(nodes.link(node)) for node in nodes.nodes]
    return [ServerLink(link.host, link.port, link.fingerprint) for link in links]


class Wanderer(Person):
    """One device that goes to another node where its own is not there, or asks it to go.

    Args:
        links: To the nodes that it knows, the first one first.
        accounts: Makes keys.
        number: Which account this is.
        directory: Gets the journal.
    """

    def __init__(self, links: Sequence[ServerLink], accounts: Accounts, number: int, directory: Path) -> None:
        self._links = deque(links)
        self.returning = False
        super().__init__(links[0], accounts, number, directory)

    @property
    def port(self) -> int:
        """Of the node that it is at, or tries next."""
        return self._link.port

    def go_on(self) -> None:
        """The next try is at another node."""
        self._links.rotate(-1)
        self._link = self._links[0]

    def log_in(self) -> None:
        """As it is; and where that fails, another node is tried next."""
        try:
            super().log_in()
        except (BenchError, OSError):
            self.go_on()
            raise

    def _take(self, message: object) -> None:
        super()._take(message)
        if isinstance(message, messages.DrainingNotice):
            self.go_on()
            self.reset()


class Wanderers(Crowd):
    """People in one room, each at another node in turn; who is away logs in in a thread, and holds up nobody.

    Args:
        nodes: They run, with open registration.
        people: How many.
    """

    def __init__(self, nodes: Nodes, people: int) -> None:
        self._links, self._all_known = links_of(nodes), nodes.advertise
        self._pool = ThreadPoolExecutor(people)
        self._returned: SimpleQueue[tuple[Wanderer, bool]] = SimpleQueue()
        super().__init__(nodes.nodes[0], people)
        for person in self.people:
            self.cut(person)  # who was there before the room comes into it by logging in
        self.start()
        self.all_back()

    @property
    def wanderers(self) -> list[Wanderer]:
        """The people."""
        return cast("list[Wanderer]", self.people)

    def at(self, node: Node) -> int:
        """How many are at a node."""
        return sum(person.connected and person.port == node.port for person in self.wanderers)

    def busiest(self, nodes: Nodes) -> Node:
        """The node that most people are at."""
        return max(nodes.nodes, key=self.at)

    def close(self) -> None:
        """As it is."""
        super().close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _newcomer(self, link: ServerLink, accounts: Accounts, number: int) -> Person:  # noqa: ARG002 - there are others
        at = number % len(self._links)
        known = [*self._links[at:], *self._links[:at]] if self._all_known else [self._links[at]]
        return Wanderer(known, accounts, number, self.server.directory)

    def _bring_back(self) -> None:
        with suppress(Empty):
            while True:
                self._take_back(*self._returned.get_nowait())
        for person in self.wanderers:
            if not (person.connected or person.returning) and time.monotonic() >= self._again.get(person, 0.0):
                person.returning = True
                self._pool.submit(self._return, person)

    def _return(self, person: Wanderer) -> None:
        back = False
        try:
            person.close()
            person.log_in()
            back = True
        except (BenchError, OSError):
            pass  # it tries again
        except BaseException as error:  # noqa: BLE001 - told in the drill's own thread
            self.error = error
        finally:
            self._returned.put((person, back))

    def _take_back(self, person: Wanderer, back: bool) -> None:
        person.returning = False
        if back:
            self._watch(person)
            self._guard(person, Person.resume)
        else:
            self._again[person] = time.monotonic() + AGAIN_SECONDS


class Household:
    """Alice, Bob and Carol in a private room, with the real program, each by way of another node.

    Args:
        nodes: They run.
    """

    def __init__(self, nodes: Nodes) -> None:
        self._directory, self._nodes = nodes.directory, nodes
        self.people = [Talkative(self._directory, name) for name in ("alice", "bob", "carol")]
        link = nodes.nodes[0].link()
        for number, person in enumerate(self.people):
            by_way = nodes.by_way_of(nodes.nodes[number % len(nodes.nodes)], link)
            run_client(self._directory, person.name, by_way, "--send", seconds=2 * END_SECONDS)
            link = run_client(self._directory, "alice", "--invite", seconds=2 * END_SECONDS).strip()
        self._do("alice", f"/create {ROOM}", "/invite bob", "/invite carol")
        for name in ("bob", "carol"):
            self._do(name, f"/accept {ROOM}")
        for person in self.people:
            person.start()
        self._over = threading.Event()

    def _do(self, name: str, *lines: str) -> None:
        arguments = [part for line in lines for part in ("--command", line)]
        run_client(self._directory, name, *arguments, seconds=2 * END_SECONDS)

    @contextmanager
    def talking(self) -> Iterator[None]:
        """They say a line now and then while this lasts."""
        self._over.clear()
        thread = threading.Thread(target=self._talk, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _talk(self) -> None:
        turn = 0
        while not self._over.wait(PACE_SECONDS):
            self.people[turn % len(self.people)].type()
            turn += 1

    def settle(self, seconds: float = END_SECONDS) -> Verdict:
        """Waits until everybody was shown everything, and compares."""
        total = sum(person.typed for person in self.people)
        wait_until(lambda: all(len(person.runs[-1].records()) >= total for person in self.people), seconds)
        written = {
            person.name: [f"{person.name} says line {number + 1}" for number in range(person.typed)]
            for person in self.people
        }
        return compare(written, {person.name: person.runs[-1].shown() for person in self.people})

    def alarms(self) -> Counter[str]:
        """What the programs have warned of, and what is wrong with what they have shown."""
        ended = [
            f"{each.name}: ended with {each.runs[-1].code}" for each in self.people if each.runs[-1].code is not None
        ]
        return Counter([*complaints(self.people), *ended])

    def leave(self) -> None:
        """Everybody goes."""
        for person in self.people:
            person.runs[-1].leave(END_SECONDS)
