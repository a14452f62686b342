"""What every slash command has in common: its place in the table, what it is given, how it refuses, how text is shown."""

import difflib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chatserv.client.client import Client
from chatserv.client.room_handle import RoomHandle
from chatserv.domain.names import LOBBY, user_name
from chatserv.domain.scripts import folded
from chatserv.errors import ChatError, NotMember
from chatserv.i18n import N_, _
from chatserv.local_errors import LocalFileError
from chatserv.sanitize import clean_line, isolate

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

TAB_COLUMNS: Final = 4
_SIGILS: Final = ("#", "@")  # in front of rooms and users

Handler = Callable[["SlashContext", list[str]], Awaitable[list[str]]]
_ARGUMENTS: Final = {
    "COMMAND": N_("COMMAND"),
    "DEVICE": N_("DEVICE"),
    "DIRECTORY": N_("DIRECTORY"),
    "EMOJI": N_("EMOJI"),
    "FILE": N_("FILE"),
    "N": N_("N"),
    "NAME": N_("NAME"),
    "NUMBER": N_("NUMBER"),
    "PATH": N_("PATH"),
    "ROOM": N_("ROOM"),
    "SECONDS": N_("SECONDS"),
    "SUBJECT": N_("SUBJECT"),
    "TEXT": N_("TEXT"),
    "TOPIC": N_("TOPIC"),
    "USER": N_("USER"),
    "WORDS": N_("WORDS"),
}
_TAKES_THE_REST: Final = ("TEXT", "TOPIC", "FILE", "DIRECTORY", "NUMBER|yes", "NAME|DEVICE", "no|with-identity|WORDS")


class SlashError(ChatError):
    """A command that is refused, in words for the person who typed it.

    Args:
        said: The words, translated.
    """

    code = "slash"
    text = N_("This command cannot be carried out.")

    def __init__(self, said: str = "") -> None:
        super().__init__()
        self._said = said

    def explain(self) -> str:
        """The words."""
        return self._said or super().explain()


@dataclass(frozen=True)
class SlashCommand:
    """A row of the table.

    Attributes:
        name: Without the ``/``.
        usage: Its arguments, each a key of `_ARGUMENTS` or a word as it is typed; what stands in brackets may be left out.
        help: What it does, to be translated.
        handler: Carries it out; gets as many words as ``usage`` names, empty ones for those that were left out.
        room: Whether it is about the current room.
        role: Who may do it: anybody (empty), ``moderator`` or ``owner`` of the room, or ``admin`` of the server.
        warns_clear: Whether the server gets to know what is typed, in public rooms or always.
        switches: Whether another room may be the current one afterwards. A program waits for it before it sends a line.
        quotes: Whether its lines are what people have written, and none of them names a command of ours.
    """

    name: str
    usage: str
    help: str
    handler: Handler
    room: bool = False
    role: str = ""
    warns_clear: bool = False
    switches: bool = False
    quotes: bool = False

    @property
    def line(self) -> str:
        """How it is typed, with what stands for its arguments in the language of the person."""
        usage = re.sub("[A-Z]+", lambda found: _(_ARGUMENTS[found[0]]), self.usage)
        return f"/{self.name} {usage}".rstrip()

    def words(self, given: str) -> list[str]:
        """The arguments of a line, the last one with everything that is left. Raises `SlashError` with the usage."""
        wanted = self.usage.split()
        found = _quoted(given) if wanted[:1] == ["PATH"] else given.split(None, max(len(wanted) - 1, 0))
        if found:
            found[-1] = found[-1].rstrip()
        least = sum(not word.startswith("[") for word in wanted)
        rest = bool(wanted) and wanted[-1].strip("[]") in _TAKES_THE_REST
        spaced = len(found) == len(wanted) and not rest and len(" ".join(found).split()) > len(wanted)
        if not least <= len(found) <= len(wanted) or spaced:
            raise self.misused()
        return found + [""] * (len(wanted) - len(found))

    def misused(self) -> SlashError:
        """What whoever types it wrongly is told."""
        return SlashError(_("Usage: {usage}").format(usage=self.line))


def _quoted(given: str) -> list[str]:
    """A path and what stands behind it; a path that has spaces stands in quotes, as completion puts it."""
    if not given.startswith('"'):
        return given.split(None, 1)
    path, _end, rest = given[1:].partition('"')
    return [each for each in (path, rest.strip()) if each]


class SlashContext:
    """What handlers are given: the client, the current room, and how this program shows things.

    Args:
        client: The client.
        room: The room to begin in; it may come later.
        sent: Gets what fires when a message is stored, or fails.
        quit: What ``/quit`` does.
        colour: Whether QR codes are coloured with escape sequences, for terminals.
        codes: Whether QR codes are drawn at all.

    Attributes:
        commands: The table, by name.
        groups: The same in the order of ``/help``, each group behind its heading.
        compared: The safety numbers that were shown, by user.
        device_ids: The beginnings of our devices' ids, as they were shown last.
        ask_secret: Asks the person for something that is shown nowhere, such as a password; set by programs that can. Its
            argument is the question. What it raises where nothing is entered is passed on.
    """

    ask_secret: Callable[[str], Awaitable[str]] | None = None

    commands: Mapping[str, SlashCommand]
    groups: Sequence[tuple[str, Sequence[SlashCommand]]]

    def __init__(
        self,
        client: Client,
        room: str,
        sent: "Callable[[Deferred[int]], object]",
        quit: Callable[[], None],  # noqa: A002 - the command's name
        *,
        colour: bool,
        codes: bool,
    ) -> None:
        self.client, self.quit, self.colour, self.codes = client, quit, colour, codes
        self.sent = sent
        self.compared: dict[str, str] = {}
        self.device_ids: list[str] = []
        self._wanted = room.strip().removeprefix("#")
        self._current: RoomHandle | None = None

    @property
    def room(self) -> str:
        """The name of the current room, ``lobby`` or ``@bob``; we may not be in it yet, or not any more."""
        if self._current is None:
            with suppress(ChatError):  # it may come
                self._current = self.client.room(self._wanted)
        return self._wanted if self._current is None else self._current.name

    def here(self) -> RoomHandle:
        """The current room. Raises `SlashError` where we are not in it, or have not agreed to it."""
        if self._current is None or self._current.name not in self.client.rooms:
            self._current = self.room_named(self.room)
        self.consented(self._current)
        return self._current

    def handles(self) -> list[RoomHandle]:
        """All our rooms, in order of name."""
        return self.client.handles()

    def room_named(self, name: str, *, consented: bool = False) -> RoomHandle:
        """A room of ours. Raises `SlashError` where there is none, and where ``consented`` and we have not agreed to it."""
        try:
            handle = self.client.room(name)
        except NotMember:
            said = _("You are not in a room {room}.")
            raise SlashError(said.format(room=place(name.strip().removeprefix("#")))) from None
        if consented:
            self.consented(handle)
        return handle

    def consented(self, handle: RoomHandle) -> None:
        """Raises `SlashError` for a room that waits for the person's consent."""
        if handle.offered:
            said = _("You have not accepted {room} yet: /accept {room} or /refuse {room}")
            raise SlashError(said.format(room=place(handle.name)))

    async def secret(self, question: str) -> str:
        """Something that nobody may read along. Raises `SlashError` where the program cannot ask for it."""
        if self.ask_secret is None:
            raise SlashError(_("This is asked for by a program that a person uses, on a terminal or in a window."))
        return await self.ask_secret(question)

    def go(self, handle: RoomHandle) -> list[str]:
        """Makes a room the current one."""
        self._current = handle
        return [_("You are now in {room}.").format(room=place(handle.name))]

    def go_home(self) -> list[str]:
        """Goes to the lobby, if there is one: the current room is gone."""
        self._current, self._wanted = None, LOBBY
        return self.go(self.client.room(LOBBY)) if LOBBY in self.client.rooms else []

    def find(self, name: str) -> SlashCommand:
        """The command of this name. Raises `SlashError` with the nearest one."""
        command = self.commands.get(name)
        if command is not None:
            return command
        said = [_("There is no command /{name}; /help shows all commands.").format(name=shown(name))]
        said += [
            _("Did you mean /{name}?").format(name=near) for near in difflib.get_close_matches(name, self.commands, 1)
        ]
        raise SlashError(" ".join(said))


@contextmanager
def refused(kind: type[ChatError], said: str) -> Iterator[None]:
    """Puts an error into words that fit what was asked for."""
    try:
        yield
    except kind:
        raise SlashError(said) from None


def explained(error: ChatError) -> str:
    """What a person is told of an error: what happened, who refuses where that may be in doubt, and when to try again."""
    said = [error.explain()]
    if isinstance(error, LocalFileError) and error.detail:
        said.append(f"({shown(error.detail)})")
    if error.by == "room":
        said.append(_("This is a rule of the room."))
    elif error.by == "server":
        said.append(_("This was decided by the server's administrators."))
    if error.after_seconds is not None and 0 < error.after_seconds < 86_400:
        said.append(_("Try again in {seconds} s.").format(seconds=round(error.after_seconds + 0.5)))
    return " ".join(said)


def shown(text: str) -> str:
    """Foreign text as part of a line: it can neither break nor reorder it."""
    return isolate(clean_line(text))


def shown_lines(text: str) -> list[str]:
    """Foreign text line by line, each as `shown` gives it; whoever shows more than the first indents the others."""
    return [shown(line.expandtabs(TAB_COLUMNS).rstrip()) for line in text.replace("\r\n", "\n").split("\n")]


def place(room: str) -> str:
    """A room as people write it, ``#lobby`` or ``@bob``, as part of a line."""
    return f"@{shown(room[1:])}" if room.startswith("@") else f"#{shown(room)}"


def person(word: str) -> str:
    """The user that a word names, with or without ``@``. Raises `NameInvalid`, or `SlashError` for a room."""
    if word.startswith("#"):
        raise SlashError(_("{room} is a room; this names a person, such as @bob.").format(room=shown(word)))
    return user_name(word.removeprefix("@"))


def nobody(user: str) -> str:
    """What is said of a name that no account has."""
    return _("There is nobody named {user} on this server.").format(user=shown(user))


def begins(name: str, begun: str) -> bool:
    """Whether a name may be meant by its beginning, in any spelling; ``#`` or ``@`` count where both have one in front."""
    if name[:1] in _SIGILS and begun[:1] in _SIGILS and name[0] != begun[0]:
        return False
    return folded(name.lstrip("#@")).startswith(folded(begun.lstrip("#@")))
