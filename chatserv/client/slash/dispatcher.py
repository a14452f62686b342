"""Slash commands: one table for every client, with help, completion and permissions.

::

    slash = Slash(client)                              # begins in #lobby
    for line in await slash.run("/create plans"):      # lines to show; raises ChatError where it is refused
        print(line)
    slash.room                                         # "plans"
    slash.complete("/inv")                             # ["/invite "]
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from chatserv.client.client import Client
from chatserv.client.slash.administration import ADMIN
from chatserv.client.slash.archive import ARCHIVE
from chatserv.client.slash.audit import AUDIT
from chatserv.client.slash.command import SlashCommand, SlashContext, SlashError, begins
from chatserv.client.slash.devices import DEVICES
from chatserv.client.slash.files import FILES, paths
from chatserv.client.slash.members import MEMBERS
from chatserv.client.slash.own import ACCOUNT
from chatserv.client.slash.people import PEOPLE
from chatserv.client.slash.rooms import COMING, RULES
from chatserv.client.slash.talk import OURSELVES, PRESENT, PROGRAM, SAYING
from chatserv.domain.names import LOBBY
from chatserv.domain.texts import valid_text
from chatserv.errors import ChatError, Reject
from chatserv.i18n import N_, _
from chatserv.sanitize import is_blank

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

GROUPS: Final = (
    (N_("Rooms"), (*COMING, *RULES)),
    (N_("Messages"), (*SAYING, *FILES, *ARCHIVE)),
    (N_("People"), (*PRESENT, *MEMBERS, *PEOPLE, *AUDIT)),
    (N_("You"), (*OURSELVES, *DEVICES, *ACCOUNT)),
    (N_("Program"), PROGRAM),
    (N_("Administration"), ADMIN),
)
COMMANDS: Final = {command.name: command for _heading, commands in GROUPS for command in commands}
_OUTSIDERS: Final = frozenset({"invite", "ban"})  # commands about a room that name somebody who is not in it
_RANKS: Final = {"": 0, "banned": 0, "member": 1, "moderator": 2, "owner": 3}


class Slash(SlashContext):
    """Carries out what a person types, in the room that is current.

    Args:
        client: The client.
        room: The room to begin in; it may come later.
        sent: Gets what fires when a message is stored, or fails; by default nothing waits for that, as the client's
            events tell it.
        quit: What ``/quit`` does.
        colour: Whether QR codes are coloured with escape sequences, for terminals.
        codes: Whether QR codes are drawn at all; not for who hears lines read out.
    """

    commands, groups = COMMANDS, GROUPS

    def __init__(
        self,
        client: Client,
        room: str = LOBBY,
        *,
        sent: "Callable[[Deferred[int]], object] | None" = None,
        quit: Callable[[], None] = lambda: None,  # noqa: A002 - the command's name
        colour: bool = False,
        codes: bool = True,
    ) -> None:
        super().__init__(client, room, sent or _let_be, quit, colour=colour, codes=codes)
        self._switching = 0

    # -- lines ---------------------------------------------------------------------------------------------------------

    @property
    def switching(self) -> bool:
        """Whether a command is under way that may go to another room: lines for a room wait until it is done."""
        return self._switching > 0

    async def run(self, line: str) -> list[str]:
        """Carries a line out: a command, or a text for the current room (``//text`` is the text ``/text``).

        Returns:
            Lines to show, each in one piece and translated.

        Raises:
            ChatError: It is refused; `explained` has the words for it.
        """
        if is_blank(valid_text(line)):
            return []
        if not line.startswith("/") or line.startswith("//"):
            self.sent(self.here().send(line[1:] if line.startswith("/") else line))
            return []
        name, *rest = line[1:].split(None, 1) or [""]
        command = self.find(name.lower())
        return await self.obey(command.name, command.words(rest[0] if rest else ""))

    async def obey(self, name: str, words: Sequence[str]) -> list[str]:
        """Carries a command out with words that are not parts of a line, as a dialog has them: each may hold spaces.

        Args:
            name: Of the command, without the ``/``.
            words: Its arguments; those at the end that may be left out need not be there.

        Returns, raises: As `run`.
        """
        command = self.find(name)
        given = [*words, *[""] * (len(command.usage.split()) - len(words))]
        self._switching += command.switches
        try:
            return await command.handler(self, given)
        except Reject:
            raise SlashError(
                _("This text cannot be used here: it is too long or contains characters that are not allowed.")
            ) from None
        finally:
            self._switching -= command.switches

    # -- completion ----------------------------------------------------------------------------------------------------

    def permitted(self, command: SlashCommand) -> bool:
        """Whether we may carry out a command here, as far as roles tell; whoever enforces it decides."""
        if command.role == "admin":
            return self.client.is_admin
        if not command.role:
            return True
        try:
            here = self.here()
        except ChatError:
            return False
        return not here.direct and _RANKS.get(here.role, 0) >= _RANKS[command.role]

    def complete(self, prefix: str) -> list[str]:
        """What a line that begins so may become: commands that we may use, then rooms and users, in order.

        Case, width and composition of letters do not count, nor does a ``#`` or ``@`` in front of a name.
        """
        if not prefix.startswith("/") or prefix.startswith("//"):
            return []
        name, space, rest = prefix[1:].partition(" ")
        name = name.lower()
        if not space:
            found = (each for each in COMMANDS.values() if begins(each.name, name) and self.permitted(each))
            return sorted(f"/{each.name} " if each.usage else f"/{each.name}" for each in found)
        command = COMMANDS.get(name)
        if command is None:
            return []
        wanted = command.usage.split()
        if wanted[:1] == ["PATH"]:
            return [f"/{name} {each}" for each in _completed_path(rest)]
        done, between, begun = rest.rpartition(" ")
        place_of_word = len(done.split())
        if place_of_word >= len(wanted):
            return []
        kind = wanted[place_of_word].strip("[]")
        if kind == "DIRECTORY":
            return [f"/{name} {done}{between}{each}" for each in paths(begun, directories=True)]
        candidates = self._candidates(kind, everywhere=not command.room or name in _OUTSIDERS)
        at = "@" if kind == "USER" and begun.startswith("@") else ""
        return [f"/{name} {done}{between}{at}{each}" for each in candidates if begins(each, begun)]

    def complete_word(self, line: str) -> list[str]:
        """What a line's last word may become: a room behind a ``#``, else a user, with a colon where the line begins."""
        word = line.rpartition(" ")[2]
        if word.startswith("#"):
            return sorted(f"#{name} " for name in self.client.rooms if not name.startswith("@") and begins(name, word))
        at = "@" if word.startswith("@") else ""
        end = " " if at or word != line else ": "
        known = self.users(everywhere=line.startswith("/")) if word else []  # a command may be about somebody elsewhere
        return [f"{at}{user}{end}" for user in known if begins(user, word)]

    def _candidates(self, kind: str, *, everywhere: bool) -> Iterable[str]:
        if kind == "ROOM":
            return sorted(name if name.startswith("@") else f"#{name}" for name in self.client.rooms)
        if kind == "COMMAND":
            return sorted(COMMANDS)
        kinds = kind.split("|")
        found = [each for each in kinds if each.islower() and (len(kinds) > 1 or each == "admin")]
        if "USER" in kinds:
            found += self.users(everywhere=everywhere)
        return [*found, *self.device_ids] if "DEVICE" in kinds else found

    def users(self, *, everywhere: bool = False) -> list[str]:
        """Whom one may mean: members of the current room, or of all our rooms, and whom we talk with; not ourselves."""
        found = {name[1:] for name in self.client.rooms if name.startswith("@")}
        with contextlib.suppress(ChatError):  # no room, no members
            rooms = [handle for handle in self.handles() if not handle.offered] if everywhere else [self.here()]
            found |= {member.user for room in rooms for member in room.members()}
        return sorted(found - {self.client.user})


def _completed_path(begun: str) -> list[str]:
    """What a path at the beginning of a command's words may become, in quotes where it has spaces; none behind it."""
    bare = begun.removeprefix('"')
    if '"' in bare or (bare == begun and " " in begun):
        return []
    found = []
    for each in paths(bare, directories=False):
        if '"' not in each:
            quote = '"' if " " in each or bare != begun else ""
            found.append(f"{quote}{each}" + ("" if each.endswith("/") else f"{quote} "))
    return found


def _let_be(stored: "Deferred[int]") -> None:
    """The client's events tell what becomes of a message."""
    stored.addErrback(lambda _failure: None)
