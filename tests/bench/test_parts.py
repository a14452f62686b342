"""The command line of the benchmark: which parts run, what is printed, and what is said of a part that failed."""

import io
import json
import resource
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase

from bench import __main__ as program
from bench.options import Options
from bench.server import BenchError


class PartsTests(SynchronousTestCase):
    """``python -m bench``."""

    def setUp(self) -> None:
        """No part measures anything."""
        self.ran: list[str] = []
        self.options: list[Options] = []

        def run(part: program.Part, options: Options) -> Iterator[dict[str, object]]:
            name = next(name for name, each in program.PARTS.items() if each is part)
            self.ran.append(name)
            self.options.append(options)
            if name == "s2":
                raise BenchError("it measured nothing")
            yield {"what": name, "p50_ms": 1.0}

        self.patch(program.Part, "run", run)

    def main(self, *words: str) -> tuple[int, str, str]:
        """Exit code, and what is printed."""
        out, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(errors):
            return program.main(words), out.getvalue(), errors.getvalue()

    def test_which(self) -> None:
        """What is asked for, as often as it is; those that are quick unasked; every one for ``all``."""
        self.main("s4", "s1", "--runs", "2")
        self.main()
        self.main("all")
        self.assertEqual(self.ran, ["s4", "s4", "s1", "s1", *program.QUICK, *program.PARTS])
        self.assertRaises(SystemExit, self.main, "no-such-part")

    def test_options(self) -> None:
        """They reach the part; what makes no sense ends the program before anything runs."""
        self.main("s1", "--seconds", "3", "--members", "7", "--full")
        self.assertEqual(self.options[0].seconds, 3.0)
        self.assertEqual((self.options[0].members, self.options[0].full), (7, True))
        for words in (("--seconds", "61"), ("--members", "-1"), ("--runs", "0")):
            self.assertRaises(SystemExit, self.main, "s1", *words)
        self.assertEqual(len(self.ran), 1)

    def test_printed(self) -> None:
        """A JSON line for each, with what it ran on, and the table; the lines alone where that is wanted."""
        _, out, _ = self.main("s1")
        first, *rest = out.splitlines()
        self.assertLessEqual({"what", "python", "date", "pinned"}, set(json.loads(first)))
        self.assertIn("p50, ms", "".join(rest))
        self.assertEqual(len(self.main("s1", "--json-lines")[1].splitlines()), 1)

    def test_failure(self) -> None:
        """It is said, the other parts run, and the exit code is 1."""
        code, out, errors = self.main("s2", "s1", "--json-lines")
        self.assertEqual((code, len(out.splitlines())), (1, 1))
        self.assertIn("s2: it measured nothing", errors)

    def test_files(self) -> None:
        """The generator may have as many connections as the system allows, whatever the shell has set."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] - 1, before[1]))
        with program.pinned(Options()):
            self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (before[1], before[1]))

    def test_places(self) -> None:
        """Each part is where it is said to be."""
        for part in program.PARTS.values():
            module, name = part.where.split(":")
            self.assertTrue(callable(getattr(import_module(f"bench.{module}"), name)), part.where)
