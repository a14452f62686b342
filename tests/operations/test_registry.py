"""The table of operations, and the one place where they are carried out."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from msgspec.structs import force_setattr
from twisted.trial.unittest import SynchronousTestCase

from chatserv.cli.parser import GROUPS, needs
from chatserv.errors import BadMessage, ChatError, Forbidden
from chatserv.local_errors import NotDone
from chatserv.operations.performing import perform
from chatserv.operations.registry import MAX_TEXT, Argument, Operation, Result, Way
from chatserv.operations.table import OPERATIONS
from chatserv.operations.world import World
from chatserv.state_directory import StatePaths
from tests.support.server import WireServer

HEAVY = {"twisted", "sqlalchemy", "cryptography", "msgspec", "zope"}
WAYS = {
    "init": "alone",
    "run": "alone",
    "default-config": "alone",
    "config show": "alone",
    "completion": "alone",
    "version": "alone",
    "status": "socket chat",
    "reload": "socket chat",
    "drain": "socket chat",
    "check-config": "alone",
    "doctor": "alone",
    "prove-blind": "alone",
    "downgrade": "alone",
    "rotate-key": "alone",
    "advertise": "socket store",
    "store copy": "alone",
    "invite": "socket store",
    "user list": "socket store",
    "user suspend": "socket store",
    "user unsuspend": "socket store",
    "user role": "socket store",
    "user reset": "socket store",
    "user delete": "socket store",
    "room list": "socket store",
    "room close": "socket store",
    "ban list": "socket store",
    "ban add": "socket store",
    "ban lift": "socket store",
    "backup": "socket chat alone",
    "verify": "socket alone",
    "restore": "socket alone",
    "export": "socket alone",
    "import": "socket alone",
}


async def echo(_world: World, arguments: Any) -> Result:
    """Gives what it got."""
    if arguments["user"] == "zoe":
        raise NotDone("there is no account zoe")
    return Result(dict(arguments), code=1 if arguments["user"] == "half" else 0)


ECHO = Operation(
    "echo",
    "Gives what it got.",
    frozenset({Way.STORE}),
    f"{__name__}:echo",
    lambda _: [],
    (
        Argument("user", "A name."),
        Argument("--role", "A role.", choices=("admin", "user"), default="user"),
        Argument("--count", "A number.", int),
        Argument("--all", "Everything.", bool),
        Argument("--file", "A file.", path=True),
        Argument("words", "Words.", many=True),
    ),
    changes=True,
)


class TableTests(SynchronousTestCase):
    """The rows."""

    def test_ways(self) -> None:
        """By which ways each operation can be reached: what is in this table and nothing else."""
        found = {name: " ".join(way.value for way in Way if way in row.ways) for name, row in OPERATIONS.items()}
        self.assertEqual(WAYS, found)

    def test_functions(self) -> None:
        """What each row names is there, and everything has words."""
        for name, row in OPERATIONS.items():
            self.assertTrue(callable(row.function()), name)
            self.assertTrue(row.summary.endswith("."), name)
            self.assertTrue(needs(row), name)
            self.assertFalse(
                {each.key for each in row.arguments} & {"who", "way", "result", "event", "operation"}, name
            )
            group = name.rpartition(" ")[0]
            self.assertIn(group, {"", *GROUPS})

    def test_light(self) -> None:
        """The command's help imports nothing that takes long."""
        for arguments in (("--help",), ("status", "--help")):
            code = (
                "import sys\nfrom chatserv.cli.main import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit:\n"
                "    print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
            )
            done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
            self.assertIn("usage: chatserv", done.stdout)
            self.assertIn("argparse", done.stderr)
            self.assertEqual(set(), HEAVY & set(done.stderr.split()))


class ArgumentTests(SynchronousTestCase):
    """What an operation takes."""

    def test_read(self) -> None:
        """Arguments get their types and defaults, whether they come as JSON or as words of the chat."""
        full = {"user": "ann", "role": "admin", "count": 7, "all": True, "file": "/a\udcff", "words": ["a"]}
        self.assertEqual(full, ECHO.read(full))
        self.assertEqual(full, ECHO.read({**full, "count": "7", "all": "yes"}))
        rest: dict[str, Any] = {"role": "user", "count": None, "all": False, "file": None, "words": []}
        self.assertEqual({"user": "ann", **rest}, ECHO.read({"user": "ann"}))

    def test_refused(self) -> None:
        """Whatever else is given is refused."""
        ECHO.read({"user": "a" * MAX_TEXT})
        for wrong in (
            {},
            {"user": None},
            {"user": 1},
            {"user": "a" * (MAX_TEXT + 1)},
            {"user": "a\0"},
            {"user": "\ud800"},
            {"user": "ann", "file": "a\0"},
            {"user": "ann", "file": "\ud800"},
            {"user": "ann", "role": "king"},
            {"user": "ann", "count": "-1"},
            {"user": "ann", "count": True},
            {"user": "ann", "count": "9" * 19},
            {"user": "ann", "all": "maybe"},
            {"user": "ann", "words": "a"},
            {"user": "ann", "words": [1]},
            {"user": "ann", "other": 1},
        ):
            self.assertRaises(BadMessage, ECHO.read, wrong)


class PerformTests(SynchronousTestCase):
    """How an operation is carried out."""

    def setUp(self) -> None:
        """A server in memory, whose audit log is read."""
        self.server = WireServer()
        OPERATIONS["echo"] = ECHO
        self.addCleanup(OPERATIONS.pop, "echo")
        self.notes: list[tuple[str, dict[str, Any]]] = []
        force_setattr(self.server.context.effects, "audit", lambda event, **fields: self.notes.append((event, fields)))

    def perform(self, way: Way, name: str, **arguments: Any) -> Result:
        """The result of an operation by this way."""
        world = World(way, "uid 7", StatePaths(Path("state")), _context=self.server.context)
        coroutine = perform(world, name, arguments)
        try:
            coroutine.send(None)
        except StopIteration as done:
            found: Result = done.value
            return found
        raise AssertionError("it waits")

    def test_matrix(self) -> None:
        """By a way that is not an operation's own it is refused, before anything is done."""
        for name, row in OPERATIONS.items():
            for way in set(Way) - row.ways:
                self.assertRaises(Forbidden, self.perform, way, name)

    def test_unknown(self) -> None:
        """What is not in the table is refused."""
        error = self.assertRaises(ChatError, self.perform, Way.SOCKET, "no\x1b" * 100)
        self.assertNotIn("\x1b", str(error))

    def test_audit(self) -> None:
        """What changes something is noted with who, by which way, and how it ended; what does not is not."""
        self.perform(Way.STORE, "echo", user="ann")
        self.perform(Way.STORE, "echo", user="half")
        self.assertRaises(NotDone, self.perform, Way.STORE, "echo", user="zoe")
        self.assertRaises(BadMessage, self.perform, Way.STORE, "echo", who="root")
        self.assertRaises(Forbidden, self.perform, Way.CHAT, "echo", user="ann")
        who = {"who": "uid 7", "way": "store"}
        rest: dict[str, Any] = {"role": "user", "count": None, "all": False, "file": None, "words": []}
        self.assertEqual(
            [
                ("echo", {**who, "result": "ok", "user": "ann", **rest}),
                ("echo", {**who, "result": "not_done", "user": "half", **rest}),
                ("echo", {**who, "result": "not_done", "user": "zoe", **rest}),
                ("echo", {**who, "result": "bad_message"}),
                ("echo", {**who, "way": "chat", "result": "forbidden"}),
            ],
            self.notes,
        )
        self.perform(Way.ALONE, "version")
        self.assertEqual(5, len(self.notes))
