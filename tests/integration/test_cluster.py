"""Two real nodes on a real PostgreSQL, with a real bus between them: people talk across, and nothing is lost."""

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.server import BenchError
from chatserv.testing.processes import ProgramError, ServerProgram, free_port
from chatserv.wire import messages
from chatserv.wire.link import parse_link
from tests.faults.crowd import Crowd, Person
from tests.faults.rows import SETTINGS
from tests.support.nats import NatsServer
from tests.support.postgres import cluster

RATE = 60.0
HANGS_SECONDS = 60.0


class ClusterTests(SynchronousTestCase):
    """One database and one bus."""

    def setUp(self) -> None:
        """Both are there; two nodes are not yet."""
        self.directory = Path(tempfile.mkdtemp())
        self.url = cluster().create()
        self.bus = NatsServer(self.directory)
        self.addCleanup(self.bus.stop)
        self.bus.start()
        self.bus.wait()
        self.ports = (free_port(), free_port())
        self.nodes = [self.node(number) for number in range(2)]

    def node(self, number: int) -> ServerProgram:
        """A node, which has nothing yet."""
        directory = self.directory / f"node {number}"
        directory.mkdir()
        advertise = [f"127.0.0.1:{port}" for port in self.ports]
        settings = {"bus": [f"nats://127.0.0.1:{self.bus.port}"], "advertise": advertise}
        tables = {**SETTINGS, "store": {"url": self.url}, "cluster": settings}
        program = ServerProgram(directory, tables, port=self.ports[number] if number < 2 else 0)
        self.addCleanup(program.stop)
        return program

    def start(self) -> tuple[ServerProgram, ServerProgram]:
        """Both nodes run; the second one has the identity of the first one, and nothing else."""
        one, two = self.nodes
        one.start()
        two.state.mkdir(mode=0o700)
        shutil.copy(one.state / "identity.pem", two.state)
        two.start()
        return one, two

    def move(self, people: list[Person], node: ServerProgram, crowd: Crowd) -> None:
        """People go to another node."""
        for person in people:
            person._link = replace(person._link, port=node.port)
            crowd.cut(person)

    def suspend_unheard(self, person: Person, one: ServerProgram, two: ServerProgram) -> None:
        """Whom an operator suspends on one node is out on the other, though the bus is frozen, and comes in on none."""
        self.bus.freeze()
        try:
            command = [sys.executable, "-m", "chatserv", "--state-dir", str(one.state), "user", "suspend"]
            subprocess.run([*command, person.account.user], check=True, timeout=60, stdout=subprocess.DEVNULL)
            person._deadline = time.monotonic() + HANGS_SECONDS
            self.assertEqual("suspended", person._wait_for(messages.Farewell).code)
            for node in (one, two):
                person._link = replace(person._link, port=node.port)
                self.assertRaisesRegex(BenchError, "Forbidden", person.come_back)
        finally:
            self.bus.thaw()
            person.close()

    def test_people_talk(self) -> None:
        """Across nodes, while people move between them, the bus is away, and one node is killed and comes back."""
        one, two = self.start()
        self.assertEqual([("127.0.0.1", port) for port in self.ports], list(parse_link(one.link()).addresses))
        self.assertRaises(ProgramError, two.link)  # whoever was first has made the invite
        crowd = Crowd(one, 4)
        with crowd, crowd.talking(RATE):
            self.move(crowd.people[2:], two, crowd)
            crowd.flowing(RATE / 3)
            crowd.all_back()
            for person in crowd.people[1:3]:  # to a node that may lag
                self.move([person], two if person._link.port == one.port else one, crowd)
                crowd.all_back()
            self.bus.stop()
            crowd.flowing(RATE / 3)
            self.bus.start()
            crowd.flowing(RATE / 3)
            one.kill()
            self.move([each for each in crowd.people if each._link.port == one.port], two, crowd)
            crowd.all_back()
            crowd.flowing(RATE / 3)
            one.start()
            self.move(crowd.people[:1], one, crowd)
            crowd.all_back()
            crowd.flowing(RATE / 3)
            crowd.check()
            self.suspend_unheard(crowd.give_up_last(), one, two)
        stranger = self.node(2)
        self.assertRaises(ProgramError, stranger.start)
        self.assertIn("identity.pem: missing, though there is a database: copy it from another node", stranger.output)
        for node in (one, two):
            self.assertEqual(0, node.stop())
