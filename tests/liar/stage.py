"""Where a lie is played: a server in memory with time of its own, and Alice, Bob and Carol with real clients."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from chatserv.client import Alarm, ChatError, ClientEvent, MessageReceived, SendFailed, explained
from chatserv.client.events import (
    GapSeen,
    IdentityChanged,
    KeysBroken,
    MessagesMissing,
    RoomRewound,
    SendHeld,
    Status,
    StatusChanged,
)
from chatserv.domain.roles import Role
from chatserv.testing.world import Person, World
from clients.shared.event_text import news
from tests.client.attackers import Tap

TELLING: Final = (Alarm, GapSeen, IdentityChanged, KeysBroken, MessagesMissing, RoomRewound, SendHeld, SendFailed)


@dataclass(frozen=True)
class Notice:
    """That somebody was told: who, how many seconds after the lie, of what, in which words."""

    who: str
    seconds: int
    event: object
    words: str


class Stage:
    """Alice owns #lobby and #plans, where Bob and Carol are members; something was said there.

    Args:
        directory: For profiles.
    """

    def __init__(self, directory: str) -> None:
        self.world = World(directory)
        self.alice = self.world.person("alice1", Role.ADMIN)
        self.bob, self.carol = self.world.person("bob1"), self.world.person("carol1")
        self.room("plans", self.bob, self.carol)
        for person in (self.alice, self.bob):
            person.say("plans", f"{person.name} is here")
        self.world.settle(2)
        self._undo: list[Callable[[], None]] = [self.world.close]
        self._from: dict[str, int] = {}
        self._lied_at = 0.0

    def room(self, name: str, *members: Person, public: bool = False) -> None:
        """A room of alice's with these people in it."""
        self.alice.do(self.alice.client.create_room(name, public=public))
        for member in members:
            self.alice.do(self.alice.room(name).invite(member.name))
        self.world.settle()
        for member in members:
            member.room(name).accept()
        self.world.settle(2)

    def newcomer(self, name: str) -> Person:
        """Somebody who is about to register: their client is made, and not started."""
        profile = self.world.server.profile(f"{self.world.directory}/{name}", name)
        person = Person.__new__(Person)
        person.world, person.name, person.profile, person.told = self.world, name, profile, []
        person._listens = True
        person.client = person._make(follow=True)
        self.world.people.append(person)
        return person

    def patch(self, target: Any, name: str, value: Any) -> None:
        """Sets an attribute until the end of the play."""
        before, own = getattr(target, name), name in vars(target)
        setattr(target, name, value)
        self._undo.append(lambda: setattr(target, name, before) if own else delattr(target, name))

    def close(self) -> None:
        """The end of the play."""
        while self._undo:
            self._undo.pop()()

    # -- what is told --------------------------------------------------------------------------------------------------

    def lied(self) -> None:
        """From now on people may notice; what they were told before does not count."""
        self._lied_at = self.world.reactor.seconds()
        self._from = {person.name: len(person.told) for person in self.world.people}

    @property
    def seconds(self) -> int:
        """Since the lie."""
        return int(self.world.reactor.seconds() - self._lied_at)

    def told(self, person: Person) -> list[ClientEvent]:
        """What somebody was told since."""
        return person.told[self._from.get(person.name, 0) :]

    def notices(self, *kinds: type) -> list[Notice]:
        """Everything that warns of something, of these kinds or of all."""
        found = []
        for person in self.world.people:
            for event in self.told(person):
                if isinstance(event, kinds or TELLING) or _unreadable(event, kinds) or _failed(event, kinds):
                    found.append(Notice(person.name, self.seconds, event, words_of(event, person.name)))
        return found


def _unreadable(event: ClientEvent, kinds: tuple[type, ...]) -> bool:
    return not kinds and isinstance(event, MessageReceived) and event.unreadable


def _failed(event: ClientEvent, kinds: tuple[type, ...]) -> bool:
    return not kinds and isinstance(event, StatusChanged) and event.status is Status.FAILED


def words_of(event: object, us: str = "") -> str:
    """How the programs of one person say it."""
    if isinstance(event, ChatError):
        return explained(event)
    if isinstance(event, MessageReceived):
        return "(a message that cannot be read on this device)" if event.unreadable else f"{event.sender}: {event.text}"
    if isinstance(event, StatusChanged):
        return explained(event.error) if isinstance(event.error, ChatError) else str(event.status.value)
    return " ".join(news(event, lambda _room, _id: None, us))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Lie:
    """A row of the suite.

    Attributes:
        name: What the server does.
        play: Does it, calls `Stage.lied` at that moment, and whatever honest people do next.
        by: Who is told; empty where nobody can be.
        kind: Of what kind the event is that tells it.
        within: Seconds after the lie.
        when: After what, in words.
        says: What stands in the words.
        blind: Switches the one check off.
        why: Of a lie that nobody can notice: why, and what it costs.
    """

    name: str
    play: Callable[[Stage], object]
    by: str = ""
    kind: type = Alarm
    within: int = 0
    when: str = "at once"
    says: str = ""
    blind: Callable[[Stage], None] = field(default=lambda _: None)
    why: str = ""

    def run(self, directory: str, *, blind: bool = False) -> tuple[Notice | None, list[Notice]]:
        """Plays it. Gives what tells it, if anything does, and everything that warned anybody."""
        stage = Stage(directory)
        try:
            if blind:
                self.blind(stage)
            stage.lied()
            raised = self._play(stage)
            found = self._wanted(stage, raised)
            while found is None and stage.seconds < self.within:
                stage.world.settle(1)
                found = self._wanted(stage, raised)
            return found, stage.notices()
        finally:
            stage.close()

    def _play(self, stage: Stage) -> ChatError | None:
        """An error is what somebody is told too: of what they have asked for."""
        try:
            self.play(stage)
        except ChatError as error:
            return error
        return None

    def _wanted(self, stage: Stage, raised: ChatError | None) -> Notice | None:
        if isinstance(raised, self.kind) and self.says in words_of(raised):
            return Notice(self.by, stage.seconds, raised, words_of(raised))
        kinds = (self.kind,)
        return next(
            (each for each in stage.notices(*kinds) if each.who == self.by and self.says in each.words),
            None,
        )


__all__ = ["Lie", "Notice", "Stage", "Tap", "words_of"]
