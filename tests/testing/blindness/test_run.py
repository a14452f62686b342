"""What the proof of blindness says of what it finds."""

import sys
import zlib
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import ClassVar
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.blindness import places, run
from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.blindness.files import OF_A_WINDOW, SECRETS_OF_FILES, UNSEALED_PREVIEW, unsealed
from chatserv.testing.blindness.places import LEAKS, LEAKS_OF_NODES, LONGEST_NAME, Place, at_second
from chatserv.testing.blindness.play import BY_DESIGN, SECRETS
from chatserv.testing.blindness.run import (
    CLEAN,
    FOUND,
    KNOWING,
    KNOWING_NODES,
    LEAKED,
    LEAKED_NODES,
    UNPROVEN,
    Evidence,
    validate,
)
from chatserv.testing.blindness.searching import NotSearched
from chatserv.testing.processes import ProgramError

CODE = "-".join(("7K3QX", "M9RT2", "V5HWB", "ZC4PN", "8JD6Y", "EF0G1", "ASQ2L", "X7TUK"))


class JudgeTests(SynchronousTestCase):
    """Exit codes and lines."""

    leaks: ClassVar = LEAKS
    knowing: ClassVar[tuple[str, ...]] = KNOWING

    def setUp(self) -> None:
        """Places with what has to be there, and nothing else."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.secret, self.control = Flock.hatch(SECRETS), Flock.hatch(BY_DESIGN)
        for place in self.leaks:
            text = self.control[BY_DESIGN[0]].text if place in self.knowing else "nothing"
            (self.directory / place).write_text(text)

    def add(self, place: str, data: bytes) -> None:
        """Puts more into a place."""
        with (self.directory / place).open("ab") as file:
            file.write(b"\n" + data)

    def validated(self, *, leak: bool = False, unread: tuple[str, ...] = ()) -> tuple[int, list[str]]:
        """Exit code, and what is printed."""
        evidence = Evidence([Place(place, (self.directory / place,)) for place in self.leaks], unread, "a memory", CODE)
        with redirect_stdout(StringIO()) as printed:
            code = validate(evidence, self.secret, self.control, leak=leak)
        return code, printed.getvalue().splitlines()

    def test_clean(self) -> None:
        """Nothing anywhere: a line for each place, and 0."""
        code, lines = self.validated()
        self.assertEqual(code, CLEAN)
        self.assertEqual(lines[1 : 1 + len(self.leaks)], [f"{place:<{LONGEST_NAME}}0" for place in self.leaks])
        self.assertEqual(lines[-1], f"canaries found in 0 of {len(self.leaks)} places")

    def test_found(self) -> None:
        """One canary in one place: it is named, and the code is 1."""
        self.add(places.LOGS, self.secret["message"].text.encode("utf-16-le") * 2)
        code, lines = self.validated()
        self.assertEqual((code, lines[-1]), (FOUND, f"canaries found in 1 of {len(self.leaks)} places"))
        at = lines.index(f"{places.LOGS:<{LONGEST_NAME}}2")
        self.assertEqual(lines[at + 1], "    message, utf-16")

    def test_unread(self) -> None:
        """A canary that nobody has read proves nothing."""
        code, lines = self.validated(unread=("edit",))
        self.assertEqual(code, UNPROVEN)
        self.assertIn("-- canaries that came to whom they were meant for: all but edit", lines)

    def test_blind_search(self) -> None:
        """A search that does not find what is said in the clear proves nothing."""
        for place in self.knowing:
            kept = (self.directory / place).read_bytes()
            (self.directory / place).write_text("nothing")
            self.assertEqual(self.validated()[0], UNPROVEN)
            (self.directory / place).write_bytes(kept)
        self.assertEqual(self.validated()[0], CLEAN)

    def test_wire(self) -> None:
        """What the server may know is on the wire for nobody."""
        self.add(places.WIRE, self.control[BY_DESIGN[1]].text.encode())
        self.assertEqual(self.validated()[0], UNPROVEN)

    def test_leaks(self) -> None:
        """All leaks found: 1; one that is not, or is another canary, another encoding or of a file: 2."""
        encoders = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
        wanted = {place: encoders.get(kind) for place, kind in self.leaks.items()}
        count = len(wanted)
        self.assertIn(None, wanted.values())
        with mock.patch.dict(
            self.leaks, {place: kind if wanted[place] else "utf-8" for place, kind in self.leaks.items()}
        ):
            for place in [*wanted][:-1]:
                self.add(place, self.secret[LEAKED_NODES[place]].text.encode(wanted[place] or "utf-8"))
            last = [*wanted][-1]
            for text in (self.secret[LEAKED_NODES[last]].text, self.secret["message"].text):
                self.add(last, text.encode("utf-8"))
                code, lines = self.validated(leak=True)
                self.assertEqual((code, lines[-1]), (UNPROVEN, f"leaks found in {count - 1} of {count} places"))
            self.add(last, self.secret[LEAKED_NODES[last]].text.encode(wanted[last] or ""))
            *most, missing = SECRETS_OF_FILES
            for names, outcome in ((most, UNPROVEN), ((missing,), FOUND)):
                for place in self.leaks.keys() & {places.BLOBS, at_second(places.BLOBS)}:
                    self.add(place, b"\n".join(map(self.bare, names)))
                code, lines = self.validated(leak=True)
                self.assertEqual((code, lines[-1]), (outcome, f"leaks found in {count} of {count} places"))

    def bare(self, name: str) -> bytes:
        """A canary of a file that nobody has sealed."""
        text = self.secret[name].text.encode()
        return zlib.compress(text) if unsealed(name) == UNSEALED_PREVIEW else text

    def test_recovery_code(self) -> None:
        """A recovery code is searched for as well, in every encoding."""
        self.add(places.LOGS, CODE.encode().hex().encode())
        code, lines = self.validated()
        self.assertEqual((code, lines[-1]), (FOUND, f"canaries found in 1 of {len(self.leaks)} places"))
        self.assertIn("    recovery code, hex", lines)


class NodesJudgeTests(JudgeTests):
    """The same of two nodes: more places, and more where something has to be found."""

    leaks = LEAKS_OF_NODES
    knowing = KNOWING_NODES


class MainTests(SynchronousTestCase):
    """The program around it."""

    def test_failures(self) -> None:
        """A play that fails and a place that cannot be searched are told, and prove nothing."""
        for error in (ProgramError("no server"), NotSearched("no file")):
            told = StringIO()
            with (
                mock.patch.object(sys, "argv", ["blind"]),
                mock.patch.object(sys, "stderr", told),
                mock.patch.object(run, "perform", side_effect=error),
            ):
                self.assertEqual(run.main(), UNPROVEN)
            self.assertEqual(told.getvalue(), f"{error}\n")

    def test_without_window(self) -> None:
        """Where no window can be it is said, and nothing is to be found of what one sends."""
        with (
            mock.patch.object(sys, "argv", ["blind"]),
            mock.patch.object(run, "why_no_window", return_value="not installed: Xvfb"),
            mock.patch.object(run, "perform", side_effect=ProgramError("enough")) as perform,
            redirect_stdout(StringIO()) as printed,
            redirect_stderr(StringIO()),
        ):
            self.assertEqual(run.main(), UNPROVEN)
        self.assertEqual(printed.getvalue(), "-- no picture goes from a window here: not installed: Xvfb\n")
        self.assertEqual(set(perform.call_args.args[1].names), set(SECRETS) - OF_A_WINDOW)

    def test_canaries(self) -> None:
        """A server that leaks has another canary for each place, and a node one for everything that it has of its own."""
        self.assertEqual(len(set(LEAKED.values())), len(LEAKS) + 1)
        self.assertEqual(LEAKED_NODES.keys(), LEAKS_OF_NODES.keys())

    def test_names(self) -> None:
        """No name of a place runs into its number."""
        self.assertLess(max(map(len, LEAKS_OF_NODES)), LONGEST_NAME)
