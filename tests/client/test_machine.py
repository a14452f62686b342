"""Whole clients and a whole server at random: people come and go, programs and connections end, the server starts again.

When all is quiet, exactly the members of a room's newest epoch read its newest message, each message that was acknowledged
was shown once, and in one order, to everybody who was a member then, and nobody was warned of anything.
``CHATSERV_HYPOTHESIS=long`` tries many more.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import count

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import Alarm, GapSeen, KeysBroken, MessageReceived, MessagesMissing, RoomRewound
from chatserv.crypto.room_state import State
from chatserv.domain.roles import Role
from chatserv.errors import ChatError
from chatserv.models import Event, EventKind
from chatserv.testing.world import Person, World
from tests.client.attackers import room_of

LONG = os.environ.get("CHATSERV_HYPOTHESIS") == "long"
EXAMPLES, STEPS = (200, 40) if LONG else (8, 12)
NAMES = ("ann1", "ben1", "cat1", "dan1", "eva1")
OWNER = NAMES[0]
ROOM, LOBBY = "den", "lobby"
WORRIES = (Alarm, GapSeen, KeysBroken, MessagesMissing, RoomRewound)
PATIENT = {"commits_per_hour": 10_000, "commits_per_hour_moderator": 10_000, "joins_per_day": 10_000}

others = st.sampled_from(NAMES[1:])
anybody = st.sampled_from(NAMES)
rooms = st.sampled_from((ROOM, LOBBY))


class People(RuleBasedStateMachine):
    """Up to five people, the lobby, and one private room."""

    directories: Iterator[str]

    @initialize(newcomers=st.sets(others, max_size=2))
    def begin(self, newcomers: set[str]) -> None:
        """The owner, whose room it is, and a few who are there from the beginning."""
        self.world = World(next(self.directories), **PATIENT)
        self.people: dict[str, Person] = {}
        self.running: set[str] = set()
        self.numbers = count(1)
        self.shown: dict[str, list[tuple[str, int, str]]] = {}
        self.due: dict[str, set[tuple[str, str]]] = {}
        self.left: dict[str, set[str]] = {ROOM: set(), LOBBY: set()}
        self.rosters: dict[bytes, list[tuple[int, frozenset[str]]]] = {}
        self.world.server.store.subscribe(self._watch)
        for name in (OWNER, *sorted(newcomers)):
            self._register(name)
        owner = self.people[OWNER]
        owner.do(owner.client.create_room(ROOM))
        self.ids = {name: room_of(owner, name).room_id for name in (ROOM, LOBBY)}
        for name in sorted(newcomers):
            self._invite(name)

    def _watch(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.change is not None:
                state = State.decode(event.change.state)
                users = frozenset(entry.user for entry in state.roster)
                self.rosters.setdefault(event.room_id, []).append((event.seq, users))

    def _register(self, name: str) -> None:
        person = self.world.person(name, Role.ADMIN if name == OWNER else Role.USER, wait=False)
        self.people[name] = person
        self.shown[name], self.due[name] = [], set()
        self.running.add(name)
        self._settle()

    def _settle(self) -> None:
        """Everything that somebody does by themselves is done; who was offered the room agrees."""
        for _ in range(3):
            self.world.settle(7)
            for name in self.running:
                person = self.people[name]
                if ROOM in person.client.rooms and person.room(ROOM).offered:
                    self._show(name, person.room(ROOM).accept())
        self._collect()

    def _collect(self) -> None:
        for name in self.running:
            person = self.people[name]
            worries = [event for kind in WORRIES for event in person.events(kind)]
            assert not worries, (name, worries)
            self._show(name, person.events(MessageReceived))
            person.told[:] = [event for event in person.told if not isinstance(event, MessageReceived)]

    def _show(self, name: str, found: list[MessageReceived]) -> None:
        for message in found:
            assert not message.unreadable, (name, message)
            assert message.text is not None
            self.shown[name].append((message.room, message.seq, message.text))

    def _try(self, name: str, work: object) -> bool:
        try:
            self.people[name].do(work)  # type: ignore[arg-type]
        except ChatError:
            return False
        return True

    def _members(self, room: str) -> frozenset[str]:
        return self.rosters[self.ids[room]][-1][1]

    # -- people --------------------------------------------------------------------------------------------------------

    @rule(name=others)
    def register(self, name: str) -> None:
        """Somebody new."""
        if name not in self.people:
            self._register(name)

    def _invite(self, name: str) -> None:
        """The owner takes somebody in; who was away when they were put out reads on from here."""
        owner = self.people[OWNER]
        if name in self.people and name not in {each.user for each in owner.room(ROOM).members()}:
            if self._try(OWNER, owner.room(ROOM).invite(name)):
                self.left[ROOM].discard(name)
                if name not in self.running:
                    self.due[name] = {each for each in self.due[name] if each[0] != ROOM}
            self._settle()

    @precondition(lambda self: OWNER in self.running)
    @rule(name=others)
    def invite(self, name: str) -> None:
        """See `_invite`."""
        self._invite(name)

    @precondition(lambda self: OWNER in self.running)
    @rule(name=others)
    def kick(self, name: str) -> None:
        """The owner puts somebody out."""
        if name in self._members(ROOM):
            self._try(OWNER, self.people[OWNER].room(ROOM).kick(name))
            self._settle()
            assert name not in self._members(ROOM)

    @rule(name=others, room=rooms)
    def leave(self, name: str, room: str) -> None:
        """Somebody goes."""
        if name in self.running and room in self.people[name].client.rooms:
            if self._try(name, self.people[name].room(room).leave()):
                self.left[room].add(name)
            self._settle()

    @rule(name=others)
    def join(self, name: str) -> None:
        """Somebody who has left the lobby comes back to it."""
        if name in self.running and LOBBY not in self.people[name].client.rooms:
            if self._try(name, self.people[name].client.join(LOBBY)):
                self.left[LOBBY].discard(name)
            self._settle()

    @rule(name=anybody, room=rooms)
    def rotate(self, name: str, room: str) -> None:
        """Somebody gives a room a new epoch."""
        if name in self.running and room in self.people[name].client.rooms:
            self._try(name, self.people[name].room(room).rotate())
            self._settle()

    # -- what is said --------------------------------------------------------------------------------------------------

    def _say(self, name: str, room: str) -> "tuple[str, list[int]] | None":
        person = self.people.get(name)
        if person is None or name not in self.running or room not in person.client.rooms:
            return None
        text, stored = f"{name} {next(self.numbers)}", list[int]()
        waiting: Deferred[int] = person.client.send(room, text)
        waiting.addCallbacks(stored.append, lambda _: None)
        return text, stored

    def _expect(self, room: str, said: "tuple[str, list[int]] | None") -> None:
        """What was acknowledged is due to everybody who was in its epoch, and had not said farewell."""
        if said is None:
            return
        text, stored = said
        for seq in stored:
            users = [users for at, users in self.rosters[self.ids[room]] if at < seq][-1]
            for user in users - self.left[room]:
                self.due[user].add((room, text))

    @rule(name=anybody, room=rooms, times=st.integers(1, 3))
    def send(self, name: str, room: str, times: int) -> None:
        """Somebody says something."""
        said = [self._say(name, room) for _ in range(times)]
        self._settle()
        for each in said:
            self._expect(room, each)
            assert each is None or each[1], "not acknowledged"

    @rule(names=st.lists(anybody, min_size=2, max_size=3), room=rooms, rotate=st.booleans())
    def talk_at_once(self, names: list[str], room: str, rotate: bool) -> None:
        """Several say something, and the first of them rotates at the same time."""
        said = [self._say(name, room) for name in names]
        if rotate and said[0] is not None:
            Deferred.fromCoroutine(self.people[names[0]].room(room).rotate()).addErrback(lambda _: None)
        self._settle()
        for each in said:
            self._expect(room, each)

    @rule(name=anybody, room=rooms)
    def send_and_cut(self, name: str, room: str) -> None:
        """Every connection dies while something is said."""
        said = self._say(name, room)
        self.world.server.reactor.advance(0)
        self.world.server.cut()
        self._settle()
        self.world.settle(10)
        self._settle()
        self._expect(room, said)
        assert said is None or said[1], "not acknowledged"

    # -- programs and the server ---------------------------------------------------------------------------------------

    @rule(name=anybody)
    def stop(self, name: str) -> None:
        """A program ends."""
        if name in self.running:
            self._collect()
            self.people[name].leave_the_machine()
            self.running.discard(name)

    @rule(name=anybody)
    def start(self, name: str) -> None:
        """A program starts."""
        if name in self.people and name not in self.running:
            self.people[name].come_back()
            self.running.add(name)
            self._settle()

    @rule()
    def restart_server(self) -> None:
        """The server goes down and comes up over the same store."""
        self.world.server.restart()
        self.world.server.store.subscribe(self._watch)
        self.world.settle(10)
        self._settle()

    # -- what holds ----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Everybody comes back, all is quiet: see the module."""
        if not hasattr(self, "world"):
            return
        try:
            for name in NAMES:
                self.start(name)
            self.world.settle(40)
            self._settle()
            for room in (ROOM, LOBBY):
                self._newest_is_read(room)
            self._all_was_shown()
        finally:
            self.world.close()

    def _newest_is_read(self, room: str) -> None:
        said = self._say(OWNER, room)
        self._settle()
        assert said is not None
        assert said[1], "not acknowledged"
        self._expect(room, said)
        readers = {name for name in self.people if any(text == said[0] for _, _, text in self.shown[name])}
        assert readers == self._members(room), (room, readers, self._members(room))

    def _all_was_shown(self) -> None:
        for name in self.people:
            texts = [(room, text) for room, _, text in self.shown[name]]
            assert len(texts) == len(set(texts)), (name, "shown twice", texts)
            lacking = self.due[name] - set(texts)
            assert not lacking, (name, lacking)
            for room in (ROOM, LOBBY):
                seqs = [seq for in_room, seq, _ in self.shown[name] if in_room == room]
                assert seqs == sorted(seqs), (name, room, seqs)
        stored = self.world.server.store._rooms._rooms
        for room, number in self.ids.items():
            count_messages = sum(event.kind == EventKind.MESSAGE for event in stored[number].events)
            assert count_messages >= len([1 for user, text in self.due[OWNER] if user == room])


class MachineTests(SynchronousTestCase):
    """The machine, run."""

    def test_people(self) -> None:
        """See the module."""
        base = self.mktemp()
        numbers = count()
        People.directories = (f"{base}.{number}" for number in numbers)
        run_state_machine_as_test(
            People,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=not LONG,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=list(Phase) if LONG else [Phase.generate],  # shrinking takes minutes
            ),
        )
