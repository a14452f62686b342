"""The scenes of ``make demo`` about devices: a second one, two programs on one profile, a revocation, and the loss of all.

They come after those of `chatserv.testing.demo.scenes`: Alice and Bob are in a private room and write to each other.
"""

import re
import shutil
import time
from typing import Final

from chatserv.private_files import write_private
from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.demo.stage import WAIT_SECONDS, Stage, wait_until
from chatserv.testing.demo.talking import Reader, say
from chatserv.testing.processes import CLIENT, PASSWORD, ProgramError, run_client
from chatserv.testing.pseudo_terminal import PseudoTerminal

ROOM: Final = "plans"
FIRST, LAPTOP, PHONE = "bob", "laptop", "phone"  # Bob's profiles
MOST_SECONDS: Final = 120.0  # what losing every device may cost
GREETED_SECONDS: Final = 2.0
_WORDS: Final = re.compile(r"^.*  ((?:[a-z]{3,8} ){5}[a-z]{3,8})$", re.MULTILINE)  # on a line of their own
_CODE: Final = re.compile(r"\b(?:[0-9A-Z]{5}-){7}[0-9A-Z]{5}\b")
_LISTED: Final = re.compile(r"^[* ] (\S+)", re.MULTILINE)
_OTHER_DEVICE: Final = re.compile(r"^([0-9a-f]{8})  (?!.*\(this one\)).*\n", re.MULTILINE)


class Seated(PseudoTerminal):
    """Bob at a terminal with plain lines.

    Args:
        stage: Where.
        profile: Of which program.
        *arguments: What the program is started with.
    """

    def __init__(self, stage: Stage, profile: str, *arguments: str) -> None:
        self._name = "bob" if profile == FIRST else f"bob at the {profile}"
        super().__init__(stage.directory, [*CLIENT, "--no-seal", "--plain", "--profile", profile, *arguments])

    def answer(self, question: str, line: str, *, secret: bool = False) -> None:
        """Types a line after these words. Raises `ProgramError` where they do not come."""
        self.wait(question)
        print(f"   {self._name} types  {'(the password)' if secret else line}", flush=True)
        self.type(line + "\n")

    def wait(self, words: str) -> None:
        """Waits for words. Raises `ProgramError` where they do not come."""
        if not self.shows(words, WAIT_SECONDS):
            raise ProgramError(f"{self._name}: {words!r} does not come:\n{self.text}")
        print(f"   {self._name} sees   {words}", flush=True)

    def find(self, pattern: re.Pattern[str]) -> str:
        """The last of what is written like that. Raises `ProgramError` where nothing is."""
        wait_until(lambda: bool(self._look(pattern)))
        found = self._look(pattern)
        if not found:
            raise ProgramError(f"{self._name}: nothing like {pattern.pattern}:\n{self.text}")
        return found[-1]

    def _look(self, pattern: re.Pattern[str]) -> list[str]:
        self.read()
        return pattern.findall(self.text)


def several_devices(stage: Stage) -> None:
    """Bob lets his laptop in, uses his profile from a pipe meanwhile, and revokes the laptop."""
    bob = Seated(stage, FIRST)
    try:
        bob.wait("Connected to")
        second_device(stage, bob)
        terminal_and_pipe(stage, bob)
        revocation(stage, bob)
        bob.type("/quit\n")
        bob.finish(WAIT_SECONDS)
    finally:
        bob.close()


def second_device(stage: Stage, bob: Seated) -> None:
    """Bob logs in on a laptop, which his first device approves; it comes into his rooms by itself."""
    say("bob starts the program on his laptop, logs in with his password, and approves it at the device that he has")
    laptop = Seated(stage, LAPTOP, stage.server.link())
    try:
        laptop.answer("Are you new here", "a")
        laptop.answer("User name:", "bob")
        laptop.answer("Password:", PASSWORD, secret=True)
        laptop.wait("approve this device on another one of yours")
        words = [each.find(_WORDS) for each in (laptop, bob)]
        stage.check("both devices show the same six words", words[0] == words[1])
        bob.type(f"/approve {words[1]}\n")
        bob.wait("Approved.")
        laptop.answer("Does it show exactly these words", "y")
        laptop.wait("This device is now one of your account")
        laptop.wait("Connected to")
        laptop.type("/quit\n")
        laptop.finish(WAIT_SECONDS)
    finally:
        laptop.close()


def terminal_and_pipe(stage: Stage, bob: Seated) -> None:
    """While Bob's program runs on a terminal, a script sends through his profile; the laptop reads both."""
    say("while bob's program is open on the terminal, a script of his sends a line through a pipe")
    laptop = Reader(stage.directory, LAPTOP, file="laptop-lobby.out")
    try:
        run_client(stage.directory, FIRST, "--send", typed="The backup is done.\n")
        stage.check("the terminal shows it at once", bob.shows("The backup is done.", WAIT_SECONDS))
        bob.type("Thanks, script.\n")
        wanted = [("bob", "The backup is done."), ("bob", "Thanks, script.")]
        got = wait_until(lambda: laptop.shown()[-2:] == wanted)
        stage.check("bob's laptop has both, in order", got)
        stage.show(laptop)
    finally:
        laptop.leave(WAIT_SECONDS)


def revocation(stage: Stage, bob: Seated) -> None:
    """Bob revokes the laptop, whose program runs: it has what was said before, and nothing of what is said after."""
    flock = Flock.hatch(("before", "after"))
    before, after = (f"The key lies under {canary.text}." for canary in flock.canaries)
    readers = {
        name: Reader(
            stage.directory,
            profile,
            "--room",
            ROOM,
            "--as",
            "revocation",
            file=f"{profile}-revocation.out",
            errors=True,
        )
        for name, profile in (("bob", FIRST), ("the laptop", LAPTOP))
    }

    def greeted() -> bool:
        stage.do("alice", f"/room {ROOM}", "Can you read this?")
        return wait_until(lambda: all(reader.shown() for reader in readers.values()), GREETED_SECONDS)

    try:
        wait_until(greeted)  # a new reader begins at what its device has not shown, and bob's terminal may be quicker
        stage.do("alice", f"/room {ROOM}", before)
        got = wait_until(lambda: all(("alice", before) in reader.shown() for reader in readers.values()))
        stage.check(f"both devices read in #{ROOM} what alice says there", got)
        say("bob revokes the laptop, whose program runs, and alice says something else")
        bob.type("/devices\n")
        laptop = bob.find(_OTHER_DEVICE)
        bob.answer(laptop, f"/revoke {laptop} yes")
        bob.wait(f"Revoked: {laptop}")
        stage.do("alice", f"/room {ROOM}", after)
        stage.check("bob reads it", wait_until(lambda: ("alice", after) in readers["bob"].shown()))
    finally:
        for reader in readers.values():
            reader.leave(WAIT_SECONDS)
    refused = not _can_read(stage, LAPTOP)
    stage.check("the laptop's program is not let in any more", refused)
    stage.check("the laptop has the first, and the second nowhere", stage.canaries(LAPTOP, flock) == {"before"})


def _rooms(stage: Stage, profile: str) -> set[str]:
    """The names of the rooms that a device shows."""
    return set(_LISTED.findall(stage.do(profile, "/list")))


def _can_read(stage: Stage, profile: str) -> bool:
    """Whether a program of that profile comes online."""
    try:
        run_client(stage.directory, profile, "--command", f"/room {ROOM}", "--command", "/log")
    except ProgramError:
        return False
    return True


def loss_of_all(stage: Stage) -> None:
    """Bob loses every device, and comes back with recovery code and password alone."""
    say("bob makes a recovery code and writes it down; then he loses every device that he has")
    printed = run_client(stage.directory, FIRST, "--command", "/recovery")
    code = stage.directory / "written-down"
    write_private(code, (_CODE.findall(printed)[-1] + "\n").encode())
    before = _rooms(stage, FIRST)
    for profile in (FIRST, LAPTOP):
        shutil.rmtree(stage.directory / "profiles" / profile)
    begun = time.monotonic()
    arguments = (stage.server.link(), "--user", "bob", "--recovery-file", str(code))
    run_client(stage.directory, PHONE, *arguments, "--command", "/list")
    after = _rooms(stage, PHONE)
    took = time.monotonic() - begun
    say(f"with code and password a new device is back in its rooms after {took:.0f} seconds")
    stage.check(
        "it is in the same rooms as before, within two minutes",
        f"#{ROOM}" in after and after == before and took < MOST_SECONDS,
    )
    phone = Reader(stage.directory, PHONE, "--room", ROOM, "--count", "1", file="phone-plans.out")
    try:
        stage.do("alice", f"/room {ROOM}", "Good to have you back, bob.")
        phone.finish(time.monotonic() + WAIT_SECONDS)
    finally:
        phone.end()
    stage.show(phone)
    stage.check("it reads what alice says then", phone.shown() == [("alice", "Good to have you back, bob.")])
    numbers = [
        re.findall(r"\b[0-9]{5}\b", stage.do(name, f"/verify {other}"))
        for name, other in (("alice", "bob"), (PHONE, "alice"))
    ]
    stage.check("the safety number is what it was on both sides", bool(numbers[0]) and numbers[0] == numbers[1])


DEVICE_SCENES: Final = (several_devices, loss_of_all)
