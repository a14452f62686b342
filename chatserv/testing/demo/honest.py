"""``make honest``: everybody is honest, everything dies now and then, and nobody may be accused of anything.

Three people talk in a private room, about twenty lines a second, through the real programs. By chance, of which the seed is
printed, the server and the clients are killed, stopped for a while and started again; somebody is muted by an administrator
of the server, so that a line is refused for good, or put out of the room and taken in again. In the end no client may have
warned of anything, and all of them must have shown the same lines in one order.
"""

import argparse
import os
import random  # noqa: TID251 - chances that can be had again
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chatserv.testing.demo.talking import Reader, say
from chatserv.testing.processes import ProgramError, ServerProgram, run_client

PEOPLE: Final = ("alice", "bob", "carol")
ROOM: Final = "plans"
LINES_A_SECOND: Final = 20.0
PAUSES: Final = (4.0, 12.0)  # seconds between two misfortunes
ABSENCES: Final = (0.0, 4.0)
QUIET_SECONDS: Final = (3.0, 90.0)  # at the end, so that everybody is up to date
END_SECONDS: Final = 20.0
PATIENCE: Final = ("--timeout", "120")
RIGHT: Final = (
    "muted",
    "not a member",
    "You are not in a room",
    "You have not accepted",
    "removed you from",
)  # is said rightly
NOT_SENT: Final = 1


@dataclass
class Talkative:
    """One person, through all runs of their client.

    Attributes:
        was_out: Whether they were put out of the room once, so that they need not have seen everything.
    """

    directory: Path
    name: str
    was_out: bool = False
    runs: list[Reader] = field(default_factory=list)
    typed: int = 0

    def start(self) -> None:
        """Starts the client once more."""
        arguments = ("--send", "--room", ROOM, "--accept-invites", *PATIENCE)
        self.runs.append(
            Reader(self.directory, self.name, *arguments, file=f"{self.name}-{len(self.runs)}.out", errors=True)
        )

    def type(self) -> None:
        """Types one more line, if somebody is there to read it."""
        self.typed += 1
        self.runs[-1].try_to_type(f"{self.name} says line {self.typed}")

    def warnings(self) -> list[str]:
        """What the clients have written to standard error."""
        return [f"{self.name}: {line}" for run in self.runs for line in run.complaints()]

    @property
    def lines(self) -> set[str]:
        """The ids of all lines that were shown."""
        return {message_id for run in self.seen() for _, message_id, _ in run}

    def seen(self) -> list[list[tuple[int, str, str | None]]]:
        """By run, the place, id and text of each message that was shown."""
        return [[(each["seq"], each["id"], each["text"]) for each in run.records()] for run in self.runs]


class Campaign:
    """One run.

    Args:
        directory: Gets everything.
        seed: Of all chances.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self._directory, self._chance = directory, random.Random(seed)  # noqa: S311 - to be had again
        limits = {"commits_per_hour": 1000, "commits_per_hour_moderator": 1000, "prekeys_per_hour": 1000}
        self._server = ServerProgram(directory, {"limits": limits})
        self.people = [Talkative(directory, name) for name in PEOPLE]
        self.happened: Counter[str] = Counter()
        self._misfortunes: tuple[Callable[[], None], ...] = (
            self._kill_server, self._end_server, self._kill_client, self._kill_client, self._stop_client, self._stop_server,
            self._mute, self._put_out,
        )  # fmt: skip

    def run(self, seconds: float) -> None:
        """Everything from registration to the end."""
        with self._server:
            self._register()
            try:
                for person in self.people:
                    person.start()
                self._talk(time.monotonic() + seconds)
                self._settle()
            finally:
                for person in self.people:
                    person.runs[-1].leave(END_SECONDS)

    def _register(self) -> None:
        directory, server = self._directory, self._server
        run_client(directory, "ruth", server.link(), "--send")
        for person in self.people:
            run_client(directory, person.name, run_client(directory, "ruth", "--invite").strip(), "--send")
        self._command("alice", f"/create {ROOM}", *(f"/invite {name}" for name in PEOPLE[1:]))

    def _command(self, name: str, *lines: str) -> None:
        arguments = [part for line in lines for part in ("--command", line)]
        run_client(self._directory, name, "--room", ROOM, *arguments, *PATIENCE, seconds=300)

    def _talk(self, until: float) -> None:
        next_line = time.monotonic()
        misfortune = next_line + self._chance.uniform(*PAUSES)
        while time.monotonic() < until:
            self._chance.choice(self.people).type()
            next_line += 1 / LINES_A_SECOND
            if time.monotonic() >= misfortune:
                self._chance.choice(self._misfortunes)()
                next_line = time.monotonic()
                misfortune = next_line + self._chance.uniform(*PAUSES)
            self._revive()
            time.sleep(max(0.0, next_line - time.monotonic()))

    def _settle(self) -> None:
        """Waits until everybody has shown what the others have, for a while."""
        least, most = QUIET_SECONDS
        deadline = time.monotonic() + most
        time.sleep(least)
        while any(self._missing(person) for person in self.people) and time.monotonic() < deadline:
            self._revive()
            time.sleep(1.0)

    def _absence(self) -> None:
        """The others talk on."""
        until = time.monotonic() + self._chance.uniform(*ABSENCES)
        while time.monotonic() < until:
            self._chance.choice(self.people).type()
            time.sleep(1 / LINES_A_SECOND)

    def _revive(self) -> None:
        """Whoever has ended because a line was refused starts again; any other end is no part of the play."""
        for person in self.people:
            code = person.runs[-1].code
            if code is None:
                continue
            if code != NOT_SENT:
                raise ProgramError(f"the client of {person.name} ended with {code}: {person.warnings()}")
            self.happened["refusals"] += 1
            person.start()

    # -- what happens --------------------------------------------------------------------------------------------------

    def _kill_server(self) -> None:
        self.happened["kills of the server"] += 1
        self._server.kill()
        self._absence()
        self._server.start()

    def _end_server(self) -> None:
        self.happened["restarts of the server"] += 1
        self._server.stop()
        self._absence()
        self._server.start()

    def _stop_server(self) -> None:
        self.happened["pauses"] += 1
        os.kill(self._server.pid, signal.SIGSTOP)
        self._absence()
        os.kill(self._server.pid, signal.SIGCONT)

    def _kill_client(self) -> None:
        self.happened["kills of clients"] += 1
        person = self._chance.choice(self.people)
        person.runs[-1].end()
        self._absence()
        person.start()

    def _stop_client(self) -> None:
        self.happened["pauses"] += 1
        client = self._chance.choice(self.people).runs[-1]
        client.signal(signal.SIGSTOP)
        self._absence()
        client.signal(signal.SIGCONT)

    def _mute(self) -> None:
        """The server refuses somebody's lines for good."""
        self.happened["mutes"] += 1
        name = self._chance.choice(PEOPLE)
        self._command("ruth", f"/server-mute {name}")
        self._absence()
        self._command("ruth", f"/server-unmute {name}")

    def _put_out(self) -> None:
        """Somebody who is away is put out of the room, and is in it again when coming back."""
        self.happened["kicks"] += 1
        owner, person = self.people[0], self._chance.choice(self.people[1:])
        person.was_out = True
        person.runs[-1].end()
        owner.runs[-1].end()
        self._command(owner.name, f"/kick {person.name}", f"/invite {person.name}")
        owner.start()
        self._absence()
        person.start()

    # -- what came of it -----------------------------------------------------------------------------------------------

    def complaints(self) -> list[str]:
        """Every warning, and every difference between what people were shown."""
        warnings = [line for person in self.people for line in person.warnings()]
        found = [line for line in warnings if not any(words in line for words in RIGHT)]
        places: dict[str, int] = {}
        for person in self.people:
            for run in person.seen():
                if [seq for seq, _, _ in run] != sorted({seq for seq, _, _ in run}):
                    found.append(f"{person.name}: lines twice, or out of order")
                for seq, message_id, text in run:
                    if places.setdefault(message_id, seq) != seq:
                        found.append(f"{person.name}: a line at another place than somebody else's")
                    if text is None:
                        found.append(f"{person.name}: message {seq} cannot be read")
            if missing := self._missing(person):
                found.append(f"{person.name}: {missing} lines were shown to others alone")
        return found

    def _missing(self, person: Talkative) -> int:
        return 0 if person.was_out else self.lines - len(person.lines)

    @property
    def lines(self) -> int:
        """How many lines were shown."""
        return len(set.union(*(person.lines for person in self.people)))


def main() -> int:
    """Prints what happened. Returns 0 only if nobody complained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N", help="how long (30)")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(2**32), metavar="N", help="of all chances (another one)"
    )
    arguments = parser.parse_args()
    os.environ.update(LC_ALL="C.UTF-8", LANGUAGE="en")  # what is said is validated by its words
    say(f"{arguments.minutes:g} minutes, seed {arguments.seed}")
    with tempfile.TemporaryDirectory(prefix="chatserv-honest-") as name:
        campaign = Campaign(Path(name), arguments.seed)
        try:
            campaign.run(arguments.minutes * 60)
        except ProgramError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            happened = ", ".join(f"{count} {what}" for what, count in sorted(campaign.happened.items()))
            say(f"{campaign.lines} lines; {happened}")
        complaints = campaign.complaints()
    for line in complaints:
        print(line)
    print(f"{len(complaints)} false alarms")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
