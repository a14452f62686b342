"""``make honest``: everybody is honest, everything dies now and then, and nobody may be accused of anything.

Three people talk in a private room, about twenty lines a second, through the real programs. By chance, of which the seed is
printed, the server and the clients are killed, stopped for a while and started again; somebody is muted by an administrator
of the server, so that a line is refused for good, or put out of the room and taken in again; somebody gets a further device
by their recovery code, or revokes one. In the end no client may have warned of anything, and all of them must have shown the
same lines in one order, each device from its first one on.
"""

import argparse
import os
import random  # noqa: TID251 - chances that can be had again
import re
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chatserv.testing.demo.talkative import NOT_SENT, ROOM, Talkative, complaints, places_of
from chatserv.testing.demo.talking import say
from chatserv.testing.processes import ProgramError, ServerProgram, run_client
from chatserv.testing.unlimited import unlimited

PEOPLE: Final = ("alice", "bob", "carol")
LINES_A_SECOND: Final = 20.0
DEVICES: Final = 2  # further ones of a person at a time
PAUSES: Final = (4.0, 12.0)  # seconds between two misfortunes
ABSENCES: Final = (0.0, 4.0)
QUIET_SECONDS: Final = (3.0, 90.0)  # at the end, so that everybody is up to date
END_SECONDS: Final = 20.0


class Campaign:
    """One run.

    Args:
        directory: Gets everything.
        seed: Of all chances.
        rate: Lines a second.
    """

    def __init__(self, directory: Path, seed: int, rate: float = LINES_A_SECOND) -> None:
        self._directory, self._chance = directory, random.Random(seed)  # noqa: S311 - to be had again
        self._pause = 1 / rate
        limits = unlimited(
            commits_per_hour=1000,
            commits_per_hour_moderator=1000,
            prekeys_per_hour=1000,
            rotations_per_day=1000,
            password_tries=1000,
            password_tries_account=1000,
            joins_per_day=1000,
            prekeys_unused=1000,
        )
        self._server = ServerProgram(directory, {"limits": limits})
        self.people = [Talkative(directory, name) for name in PEOPLE]
        self.devices: list[Talkative] = []  # further ones, by their order
        self.ended: list[Talkative] = []  # that were revoked
        self._ids: dict[str, str] = {}  # of those, as /devices shows them
        self.happened: Counter[str] = Counter()
        self._misfortunes: tuple[Callable[[], None], ...] = (
            self._kill_server, self._end_server, self._kill_client, self._kill_client, self._stop_client, self._stop_server,
            self._mute, self._put_out, self._new_device, self._new_device,
        )  # fmt: skip

    def run(self, seconds: float, lines: int = 0) -> None:
        """Everything from registration to the end: after so many seconds, or where ``lines`` is given so many lines."""
        with self._server:
            self._register()
            try:
                for person in self.people:
                    person.start()
                self._talk(time.monotonic() + seconds, lines)
                self._settle()
            finally:
                for person in (*self.people, *self.devices):
                    person.runs[-1].leave(END_SECONDS)

    def _register(self) -> None:
        directory, server = self._directory, self._server
        run_client(directory, "ruth", server.link(), "--send")
        for person in self.people:
            invite = run_client(directory, "ruth", "--invite").strip()
            run_client(directory, person.name, invite, "--send", "--recovery-file", str(self._code(person.name)))
        self._command("alice", f"/create {ROOM}", *(f"/invite {name}" for name in PEOPLE[1:]))
        for name in PEOPLE[1:]:  # whoever has not accepted is shown nothing yet, and may say nothing
            run_client(directory, name, "--command", f"/accept {ROOM}", seconds=300)

    def _command(self, name: str, *lines: str) -> None:
        arguments = [part for line in lines for part in ("--command", line)]
        run_client(self._directory, name, "--room", ROOM, *arguments, seconds=300)

    def _code(self, name: str) -> Path:
        """Has the recovery code of somebody."""
        return self._directory / f"{name}.code"

    def _talk(self, until: float, lines: int) -> None:
        next_line = time.monotonic()
        misfortune = next_line + self._chance.uniform(*PAUSES)
        while sum(person.typed for person in self.people) < lines if lines else time.monotonic() < until:
            self._chance.choice(self.people).type()
            next_line += self._pause
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
        while not self._all_is_shown() and time.monotonic() < deadline:
            self._revive()
            time.sleep(1.0)

    def _absence(self) -> None:
        """The others talk on."""
        until = time.monotonic() + self._chance.uniform(*ABSENCES)
        while time.monotonic() < until:
            self._chance.choice(self.people).type()
            time.sleep(self._pause)

    def _revive(self) -> None:
        """Whoever has ended because a line was refused starts again; any other end is no part of the play."""
        for person in (*self.people, *self.devices):
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
        theirs = [each for each in self.devices if each.user == person.name]
        for each in (person, *theirs):
            each.was_out = True
            each.runs[-1].end()
        owner.runs[-1].end()
        self._command(owner.name, f"/kick {person.name}", f"/invite {person.name}")
        owner.start()
        self._absence()
        for each in (person, *theirs):
            each.start()

    def _new_device(self) -> None:
        """Somebody gets a further device by their code; who has enough of them revokes one, and has another code then."""
        person = self._chance.choice(self.people)
        theirs = [each for each in self.devices if each.user == person.name]
        if len(theirs) >= DEVICES:
            self._revoke(person, theirs[0])
            return
        self.happened["new devices"] += 1
        name = f"{person.name}-{self.happened['new devices']}"
        link = re.sub(r"\?invite=[^#]*", "", self._server.link())
        told = run_client(
            self._directory, name, link, "--user", person.name, "--recovery-file", str(self._code(person.name)),
            "--command", "/devices", seconds=300,
        )  # fmt: skip
        found = re.search(r"^(\w+) .*\(this one\)", told, re.MULTILINE)
        if found is None:
            raise ProgramError(f"{name}: is no device of {person.name}:\n{told}")
        device = Talkative(self._directory, name, person.name, late=True)
        self._ids[name] = found[1]
        self.devices.append(device)
        device.start()

    def _revoke(self, person: Talkative, device: Talkative) -> None:
        self.happened["revocations"] += 1
        self.devices.remove(device)
        self.ended.append(device)
        self._command(person.name, f"/revoke {self._ids[device.name]} yes")
        told = run_client(self._directory, person.name, "--command", "/recovery", seconds=300)
        self._code(person.name).write_text(told)
        device.runs[-1].leave(END_SECONDS)

    # -- what came of it -----------------------------------------------------------------------------------------------

    def _all_is_shown(self) -> bool:
        everybody = [*self.people, *self.devices]
        places = places_of(everybody)
        return not any(each.missing(places) for each in everybody)

    def complaints(self) -> list[str]:
        """Every warning, and every difference between what people were shown."""
        return complaints([*self.people, *self.devices])

    @property
    def lines(self) -> int:
        """How many lines were shown."""
        return len(places_of(self.people))


def main() -> int:
    """Prints what happened. Returns 0 only if nobody complained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N", help="how long (30)")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(2**32), metavar="N", help="of all chances (another one)"
    )
    parser.add_argument("--rate", type=float, default=LINES_A_SECOND, metavar="N", help="lines a second (20)")
    parser.add_argument("--lines", type=int, default=0, metavar="N", help="how many lines, in place of minutes")
    arguments = parser.parse_args()
    os.environ.update(LC_ALL="C.UTF-8", LANGUAGE="en")  # what is said is validated by its words
    length = f"{arguments.lines} lines" if arguments.lines else f"{arguments.minutes:g} minutes"
    say(f"{length}, {arguments.rate:g} a second, seed {arguments.seed}")
    with tempfile.TemporaryDirectory(prefix="chatserv-honest-") as name:
        campaign = Campaign(Path(name), arguments.seed, arguments.rate)
        try:
            campaign.run(arguments.minutes * 60, arguments.lines)
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
