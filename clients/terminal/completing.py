"""What the word in front of the cursor may become."""

import contextlib
from typing import Final

from chatserv.client import ChatError, Slash, clean_line

MAX_CANDIDATES: Final = 100


def candidates(line: str, slash: Slash) -> tuple[int, list[str]]:
    """How many characters before the cursor are replaced, and by what: in order, bounded, and drawable.

    A command and its arguments are completed by the table of commands, other words to users (``name: `` where the line
    begins) and rooms (``#plans``).
    """
    found = slash.complete(line)
    replaced = len(line)
    if not found and (" " in line or not line.startswith("/")):
        word = line.rpartition(" ")[2]
        replaced, found = len(word), _words(word, slash, first=word == line) if word else []
    drawable = [each for each in found if clean_line(each) == each]
    return replaced, drawable[:MAX_CANDIDATES]


def _words(word: str, slash: Slash, *, first: bool) -> list[str]:
    if word.startswith("#"):
        rooms = (f"#{name}" for name in slash.client.rooms if not name.startswith("@"))
        return sorted(f"{room} " for room in rooms if room.startswith(word))
    at = "@" if word.startswith("@") else ""
    end = " " if at or not first else ": "
    begun = word[len(at) :].lower()
    return [f"{at}{user}{end}" for user in users(slash) if user.startswith(begun)]


def users(slash: Slash) -> list[str]:
    """Whom one may mean here: members of the room and those one talks with, but not oneself."""
    known = {name[1:] for name in slash.client.rooms if name.startswith("@")}
    with contextlib.suppress(ChatError):  # no room, no members
        known |= {member.user for member in slash.here().members()}
    return sorted(known - {slash.client.keyring.user})
