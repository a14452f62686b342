"""Lies about rooms: forks, ghosts, hidden members, commits that are withheld, rooms that are taken away."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from twisted.internet.defer import Deferred

from chatserv.client.commits import committer
from chatserv.client.commits.room_changes import FalseRoom, RoomChanges
from chatserv.client.inbound.places import Places
from chatserv.client.inbound.room_queue import RoomQueue
from chatserv.client.state.rooms import Room
from chatserv.client.verification.logged_rooms import LoggedRooms
from chatserv.crypto import room_draft, room_rules
from chatserv.crypto.commits import Add, Commit, Op, SetMember
from chatserv.crypto.log_leaves import room_leaf
from chatserv.crypto.room_draft import Actor
from chatserv.crypto.room_state import Member, Role, RosterEntry, State
from chatserv.crypto.suite import sha256
from chatserv.models import EventKind
from chatserv.testing.memory_server import NOW_MS, server_id
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import Tap, as_it_is, engine_of, forged_commit, log_leaf, room_of
from tests.liar.stage import Lie, Stage


def is_commit(message: messages.ServerMessage) -> bool:
    """Whether it is an event with a commit."""
    return isinstance(message, messages.Event) and message.kind == EventKind.COMMIT


def without_commits(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
    """The edit of a server that withholds commits."""
    return () if is_commit(message) else (message,)


def state_of(person: Person, room: str = "plans") -> State:
    """The room as somebody has it."""
    state = room_of(person, room).state
    assert state is not None
    return state


# -- who is in it ------------------------------------------------------------------------------------------------------


def _with(stage: Stage, guest: Person) -> tuple[State, tuple[Op, ...]]:
    """#plans with somebody more in it, and what a commit would say for that."""
    device, old = engine_of(guest).context, state_of(stage.carol)
    entry = RosterEntry(old.next_leaf, guest.name, device.device_id, device.cert_hash)
    member = Member(guest.name, Role.MEMBER, False, engine_of(stage.alice).context.log.size)
    members = tuple(sorted((*old.members, member), key=lambda each: each.user))
    new = State(entry.leaf + 1, old.policy, members, (*old.roster, entry))
    return new, (SetMember(guest.name, Role.MEMBER), Add(entry))


def _guest(stage: Stage) -> Person:
    """Somebody of the server's choice, with an account of their own, who knows all of #plans."""
    guest = stage.world.person("dora1")
    stage.world.settle(2)
    room, theirs = engine_of(guest).rooms.look_at(room_of(stage.alice, "plans").room_id), room_of(stage.alice, "plans")
    room.state, room.head, room.commit, room.row = theirs.state, theirs.head, theirs.commit, theirs.row
    return guest


def add_ghost(stage: Stage) -> None:
    """A plain member who works for the server takes somebody in, which members may not."""
    guest = _guest(stage)
    new, ops = _with(stage, guest)
    commit = forged_commit(stage.bob, "plans", new, *ops)
    tap = Tap(stage.carol)
    stage.lied()
    tap.post("plans", commit.encoded, "bob1", EventKind.COMMIT)


def forge_membership(stage: Stage) -> None:
    """Somebody who is no member comes in by a commit of their own."""
    guest = _guest(stage)
    new, ops = _with(stage, guest)
    commit = forged_commit(guest, "plans", new, *ops)
    tap = Tap(stage.carol)
    stage.lied()
    tap.post("plans", commit.encoded, guest.name, EventKind.COMMIT)


def hide_member(stage: Stage) -> None:
    """Alice takes Dora in; Carol gets Alice's change without that in it."""
    old = state_of(stage.carol)
    stage.world.person("dora1")
    stage.world.settle(2)

    def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        if isinstance(message, messages.Event) and message.kind == EventKind.COMMIT:
            commit = Commit.decode(message.body)
            tbs = replace(commit.tbs, ops=(), state_hash=old.state_hash)
            return (msgspec.structs.replace(message, body=Commit(tbs, commit.signature).encoded),)
        return (message,)

    Tap(stage.carol, edit)
    stage.lied()
    stage.alice.do(stage.alice.room("plans").invite("dora1"))
    stage.world.settle(2)


def fork(stage: Stage) -> None:
    """Carol's half takes a commit of Bob's where the others' takes one of Alice's; then she gets the others' next one."""
    tap = Tap(stage.carol, without_commits)
    mine = forged_commit(stage.bob, "plans", state_of(stage.carol))
    stage.lied()
    stage.alice.do(stage.alice.room("plans").rotate())
    tap.post("plans", mine.encoded, "bob1", EventKind.COMMIT)
    tap.edit = as_it_is
    stage.alice.do(stage.alice.room("plans").rotate())


def old_roster(stage: Stage) -> None:
    """Bob joins a public room, and is given it as it was before the last change."""
    stage.room("club", public=True)
    old = room_of(stage.alice, "club").head
    stage.alice.do(stage.alice.room("club").rotate())
    stage.world.settle(2)

    def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        if isinstance(message, messages.Lease):
            made = {"epoch": old.epoch, "commit_hash": old.commit_hash, "kt_size": old.kt_size}
            return (msgspec.structs.replace(message, **made),)
        if isinstance(message, messages.Chain):
            return (msgspec.structs.replace(message, epoch=old.epoch, commits=message.commits[: old.epoch + 1]),)
        return (message,)

    Tap(stage.bob, edit)
    stage.lied()
    stage.bob.do(stage.bob.client.join("club"))


def fork_public(stage: Stage) -> None:
    """The log names a commit of #lobby that its members never saw."""
    lobby = room_of(stage.alice, "lobby").room_id
    stage.lied()
    log_leaf(stage.world, room_leaf(server_id(), "lobby", lobby, sha256(b"fork"), NOW_MS))


# -- what is withheld --------------------------------------------------------------------------------------------------


def own_commit(stage: Stage) -> None:
    """Alice gives the room new keys; the server says that it is done, and never shows it."""
    Tap(stage.alice, without_commits)
    stage.lied()
    Deferred.fromCoroutine(stage.alice.room("plans").rotate()).addErrback(lambda _: None)


def one_change(stage: Stage) -> None:
    """Carol does not get a change of Alice's, nor when she asks; then comes the next one."""

    def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        if isinstance(message, messages.Chain):
            return (messages.Error(message.label, "not_found"),)
        return without_commits(message)

    tap = Tap(stage.carol, edit)
    stage.lied()
    stage.alice.do(stage.alice.room("plans").rotate())

    def later(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        return (message,) if is_commit(message) else edit(message)

    tap.edit = later
    stage.alice.do(stage.alice.room("plans").rotate())
    stage.world.settle(2)


def removal(stage: Stage) -> None:
    """Alice puts Bob out; Carol is kept from that, and from everything after it."""
    Tap(stage.carol, without_commits)
    stage.lied()
    stage.alice.do(stage.alice.room("plans").kick("bob1"))


def unlogged(stage: Stage) -> None:
    """Alice puts Bob out; she is shown that, and it is in no log, so that it can be kept from others."""
    Tap(stage.alice, lambda message: () if isinstance(message, messages.LogHead) else (message,))
    stage.lied()
    stage.alice.do(stage.alice.room("plans").kick("bob1"))


def own_and_cut(stage: Stage) -> None:
    """Alice gives the room new keys; the server says that it is done, cuts the connection, and knows nothing of it."""
    Tap(stage.alice, without_commits)
    stage.lied()
    Deferred.fromCoroutine(stage.alice.room("plans").rotate()).addErrback(lambda _: None)
    stage.world.settle(2)
    stage.world.server.cut()
    stage.world.settle(8)


def silence(stage: Stage) -> None:
    """Alice gives the room new keys; Carol is kept from that, and from everything after it; nobody gets what she says."""
    room_id = room_of(stage.carol, "plans").room_id

    def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        return () if isinstance(message, messages.Event) and message.room == room_id else (message,)

    Tap(stage.carol, edit)
    stage.lied()
    stage.alice.do(stage.alice.room("plans").rotate())
    stage.alice.say("plans", "where is carol?")
    stage.world.settle(200)


def take_away(stage: Stage) -> None:
    """The server says that Carol is in #plans no more."""
    room_id = room_of(stage.carol, "plans").room_id
    tap = Tap(stage.carol)
    stage.lied()
    tap.send(messages.RoomClosed(room_id))


def _blind(target: Any, name: str, value: Any = lambda *_: None) -> Callable[[Stage], None]:
    """Switches one function off."""
    return lambda stage: stage.patch(target, name, value)


def _stop_in_silence(_: object, room: Room, *__: object) -> None:
    room.stopped = True
    room.queue.clear()


def _anybody(state: State, _leaf: int, ops: tuple[Op, ...]) -> room_rules._Committer:
    """Whoever comes from outside may."""
    entry = next(op.entry for op in ops if isinstance(op, Add))
    actor = Actor(entry.user, Role.MEMBER, external=True)
    return room_rules._Committer(entry, actor, state.policy, enters_as=Role.MEMBER, first_ops=1)


LIES: Final = (
    Lie(
        "add a ghost",
        add_ghost,
        "carol1",
        when="at once",
        within=2,
        says="it passed on a change that breaks the room's rules. The room is on hold. (plans: SetMember",
        blind=_blind(room_draft.Draft, "_may_set", lambda *_: True),
    ),
    Lie(
        "forge membership",
        forge_membership,
        "carol1",
        when="at once",
        within=2,
        says="it passed on a change that breaks the room's rules",
        blind=_blind(room_rules, "_outsider", _anybody),
    ),
    Lie(
        "hide a member",
        hide_member,
        "carol1",
        when="at once",
        within=2,
        says="it passed on a change that breaks the room's rules",
        blind=_blind(room_rules, "verify_commit"),
    ),
    Lie(
        "fork two views of a room",
        fork,
        "carol1",
        when="with the first change of the other half",
        within=2,
        says="it passed on a change that breaks the room's rules",
        blind=_blind(room_rules, "_check_place"),
    ),
    Lie(
        "fork two views of a public room",
        fork_public,
        "carol1",
        when="a minute after the log names a change that did not come",
        within=130,
        says="it shows different members different rooms",
        blind=_blind(LoggedRooms, "_check"),
    ),
    Lie(
        "serve an old roster to a newcomer",
        old_roster,
        "bob1",
        FalseRoom,
        within=5,
        when="when they join",
        says="The server shows this room differently from its log",
        blind=_blind(RoomChanges, "_checked_entry", lambda self, *_: self.planner.enter()),
    ),
    Lie(
        "withhold one's own commit",
        own_commit,
        "alice1",
        when="after two minutes",
        within=130,
        says="it does not carry out a change that you made to a room",
        blind=_blind(committer.Committer, "_stalled"),
    ),
    Lie(
        "withhold one's own commit, and cut the connection",
        own_and_cut,
        "alice1",
        when="with the next connection",
        within=15,
        says="it does not carry out a change that you made to a room",
        blind=_blind(LoggedRooms, "_look_for_ours"),
    ),
    Lie(
        "withhold a removal from one member",
        removal,
        "carol1",
        when="after a minute",
        within=70,
        says="it shows different members different rooms",
        blind=_blind(LoggedRooms, "_check"),
    ),
    Lie(
        "withhold a removal from the log",
        unlogged,
        "alice1",
        when="after a minute",
        within=70,
        says="it shows different members different rooms",
        blind=_blind(LoggedRooms, "_check"),
    ),
    Lie(
        "withhold a change that removes nobody from one member, and everything after it",
        silence,
        why="to both sides it looks like silence; nobody reads what they must not",
    ),
    Lie(
        "withhold somebody's commit from one member, and show the next one",
        one_change,
        "carol1",
        when="with the next change",
        within=5,
        says="it does not deliver what is needed to follow a room",
        blind=_blind(RoomQueue, "_stop", _stop_in_silence),
    ),
    Lie(
        "take a room away",
        take_away,
        "carol1",
        when="at once",
        within=2,
        says="it says that you are no longer in a room, which nobody has signed",
        blind=_blind(Places, "_withheld"),
    ),
)
