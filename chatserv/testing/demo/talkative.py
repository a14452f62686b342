"""Devices of people who talk through the real programs, and what is wrong with what they were shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chatserv.testing.demo.talking import Reader
from chatserv.testing.processes import PATIENCE

ROOM: Final = "plans"
RIGHT: Final = (
    "muted",
    "not a member",
    "You are not in a room",
    "You have not accepted",
    "removed you from",
    "has a new device",
    "Making your keys",
    "Logging in",
    "This device is now one of your account",
    "signed with the previous one: there is nothing to do",
)  # is said rightly
NOT_SENT: Final = 1


@dataclass
class Talkative:
    """One device of a person, through all runs of its client.

    Attributes:
        name: Of its profile.
        user: Whose, where that is not the same.
        was_out: Whether they were put out of the room once, so that they need not have seen everything.
        late: Whether it came later: it need not have seen what was before its first line.
    """

    directory: Path
    name: str
    user: str = ""
    was_out: bool = False
    late: bool = False
    runs: list[Reader] = field(default_factory=list)
    typed: int = 0

    def start(self) -> None:
        """Starts the client once more."""
        typing = () if self.late else ("--send",)
        arguments = (*typing, "--room", ROOM, "--accept-invites", "--user", self.user or self.name, *PATIENCE)
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

    def seen(self) -> list[list[tuple[int, str, str | None]]]:
        """By run, the place, id and text of each message that was shown."""
        return [[(each["seq"], each["id"], each["text"]) for each in run.records()] for run in self.runs]

    def missing(self, places: Mapping[str, int]) -> int:
        """How many messages were shown to others alone, that should have been shown here too."""
        if self.was_out:
            return 0
        shown = {message_id for run in self.seen() for _, message_id, _ in run}
        begun = min((places[each] for each in shown if each in places), default=0) if self.late else 0
        if self.late and not shown:
            return 0
        return sum(seq >= begun and each not in shown for each, seq in places.items())


def places_of(everybody: Iterable[Talkative]) -> dict[str, int]:
    """At which place each message was shown; of two places the first that is found."""
    places: dict[str, int] = {}
    for person in everybody:
        for run in person.seen():
            for seq, message_id, _ in run:
                places.setdefault(message_id, seq)
    return places


def complaints(everybody: Sequence[Talkative]) -> list[str]:
    """Every warning, and every difference between what people were shown."""
    warnings = [line for person in everybody for line in person.warnings()]
    found = [line for line in warnings if not any(words in line for words in RIGHT)]
    places = places_of(everybody)
    for person in everybody:
        for run in person.seen():
            if [seq for seq, _, _ in run] != sorted({seq for seq, _, _ in run}):
                found.append(f"{person.name}: lines twice, or out of order")
            for seq, message_id, text in run:
                if places[message_id] != seq:
                    found.append(f"{person.name}: a line at another place than somebody else's")
                if text is None:
                    found.append(f"{person.name}: message {seq} cannot be read")
        if missing := person.missing(places):
            found.append(f"{person.name}: {missing} lines were shown to others alone")
    return found
