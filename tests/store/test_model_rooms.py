"""Rooms: the statements and `chatserv.store.memory.MemoryStore` answer the same to the same operations."""

from functools import partial
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.models import CommitDraft, Consent, ConsentAt, EventDraft
from chatserv.store import statements
from chatserv.store.consent_statements import empty_rooms, memberships, offers, public_rooms
from chatserv.store.limits import StoreLimits
from chatserv.store.node_statements import standing
from chatserv.store.transaction import Work
from tests.store.drafts import (
    LEAVES,
    cert_hash,
    device_id,
    draft,
    following,
    founding,
    log_leaf,
    registration,
    signer,
    wrap,
)
from tests.store.model_base import Stores

DEVICES = (b"d", b"e", b"f")
ROOMS = 3

rooms = st.sampled_from((0, 0, 0, 1, 1, 2))
devices = st.sampled_from(DEVICES)
ALL = ("alice", "bob", "carol")
users = st.sampled_from(ALL)
numbers = st.integers(0, 8)
seldom = st.sampled_from((0, 0, 0, 0, 0, 1))
messages = st.fixed_dictionaries(
    {
        "room": rooms,
        "number": st.none() | st.none() | numbers,
        "device": devices,
        "behind": seldom,
        "other_leaf": seldom,
        "generation": st.none() | st.none() | st.integers(0, 4),
        "at_ms": st.integers(0, 30),
        "again": seldom,
    }
)
commits = st.fixed_dictionaries(
    {
        "room": rooms,
        "which": st.sampled_from(("next", "next", "next", "next", "founding", "beyond")),
        "added": st.lists(
            st.tuples(devices.map(device_id), st.integers(0, 2)), max_size=3, unique_by=lambda pair: pair[0]
        ),
        "removed": st.lists(devices.map(device_id), max_size=1),
        "left": st.lists(users, max_size=2, unique=True),
        "asked": st.lists(users, max_size=2, unique=True),
        "agreed": st.lists(users, max_size=1),
        "gone": st.lists(users, max_size=2, unique=True),
        "name": st.sampled_from(("", "", "", "Garden", "GARDEN", "House")),
        "pair": st.sampled_from((b"", b"", b"", b"p" * 32)),
        "wraps": st.lists(devices, max_size=3, unique=True),
        "leaf": st.booleans(),
        "replaces": st.none() | rooms,
    }
)
OWNER = "d" * 16  # whose device is d


class RoomStores(Stores):
    """Both stores with three rooms at most, one of them there from the beginning, and two accounts."""

    LIMITS = StoreLimits(rooms=2)

    def __init__(self) -> None:
        super().__init__()
        self.newest: dict[int, CommitDraft] = {}
        self.sent: list[EventDraft] = []
        self.made = 100

    @initialize()
    def begin(self) -> None:
        """The first room, with all devices, and the accounts."""
        first = founding(0, devices=DEVICES)
        self.take([first])
        for name in ("alice", "bob", OWNER):
            new = registration(name)
            ours = partial(statements.register, new=new, now_ms=0, limits=self.LIMITS)
            self.same(ours, self.memory.register(new, 0))

    def take(self, drafts: list[EventDraft | CommitDraft]) -> None:
        """Does one turn with both."""
        works: list[Work] = [
            each if isinstance(each, EventDraft) else partial(statements.commit, draft=each, limits=self.LIMITS)
            for each in drafts
        ]
        store = self.memory
        calls = [store.append(each) if isinstance(each, EventDraft) else store.commit(each) for each in drafts]
        self.same_turn(works, calls)
        for event in self.heard:
            if event.change is not None:
                self.newest[int.from_bytes(event.room_id, "big")] = event.change

    def message(self, parts: dict[str, Any]) -> EventDraft:
        """A message as the room was when the turn began, but for what ``parts`` have wrong on purpose; or one once more."""
        self.made += 1
        if parts["again"] and self.sent:
            again: EventDraft = replace(self.sent[parts["at_ms"] % len(self.sent)], at_ms=parts["at_ms"])
            return again
        newest, room_id = self.newest.get(parts["room"]), founding(parts["room"]).room_id
        places = {
            each.room_id: each.place.leaf for each in self.of(self.memory.standing(device_id(parts["device"]))).places
        }
        made: EventDraft = draft(
            room_id,
            self.made if parts["number"] is None else parts["number"],
            device=parts["device"],
            epoch=(0 if newest is None else newest.epoch) - parts["behind"],
            leaf=places.get(room_id, LEAVES[parts["device"]]) + parts["other_leaf"],
            generation=self.made if parts["generation"] is None else parts["generation"],
            at_ms=parts["at_ms"],
        )
        self.sent.append(made)
        return made

    def change(self, parts: dict[str, Any]) -> CommitDraft:
        """A commit that follows the newest one as the turn began, a founding one, or one that skips an epoch."""
        self.made += 1
        room, newest, salt = parts["room"], self.newest.get(parts["room"]), b"%d" % self.made
        changes = {
            "name": parts["name"],
            "skeleton": parts["name"].lower(),
            "pair": parts["pair"],
            "added": tuple(parts["added"]),
            "removed": tuple(each for each in parts["removed"] if each not in dict(parts["added"])),
            "left": tuple(parts["left"]),
            "asked": tuple(parts["asked"]),
            "agreed": tuple(each for each in parts["agreed"] if each not in parts["asked"]),
            "gone": tuple(each for each in parts["gone"] if each not in parts["asked"]),
            "wraps": tuple(wrap(device, self.made) for device in parts["wraps"]),
            "leaves": (log_leaf(self.made),) if parts["leaf"] else (),
            "replaces": b"" if parts["replaces"] is None else founding(parts["replaces"]).room_id,
        }
        if newest is None or parts["which"] == "founding":
            return founding(room, **changes, body=salt)
        if parts["which"] == "beyond":
            return following(following(newest), salt=salt, **changes)
        return following(newest, salt=salt, **changes)

    @rule(batch=st.lists(messages | messages | messages | commits, min_size=4, max_size=14))
    def turn(self, batch: list[dict[str, Any]]) -> None:
        """Messages and commits of one turn; several commits of a room in it race."""
        self.take([self.change(parts) if "which" in parts else self.message(parts) for parts in batch])

    @rule(room=st.sampled_from((1, 2)), leaf=st.booleans(), sure=seldom)
    def close_room(self, room: int, leaf: bool, sure: int) -> None:
        """The end of a room, now and then."""
        if sure:
            room_id, last = founding(room).room_id, log_leaf(3) if leaf else None
            self.same(lambda conn: statements.close_room(conn, room_id, last), self.memory.close_room(room_id, last))

    @rule(room=rooms, user=users, number=numbers)
    def leave(self, room: int, user: str, number: int) -> None:
        """A Leave."""
        room_id, signed = founding(room).room_id, b"leave %d" % number
        self.same(lambda conn: statements.leave(conn, room_id, user, signed), self.memory.leave(room_id, user, signed))

    @rule(ends=seldom, account=st.booleans())
    def end_device(self, ends: int, account: bool) -> None:
        """The end of a device, and of its account with it, now and then."""
        if ends and account:
            leaf = log_leaf(5)
            self.same(
                lambda conn: statements.end_account(conn, OWNER, leaf, 0, None),
                self.memory.end_account(OWNER, leaf, 0, None),
            )
        elif ends:
            leaf, key, which = log_leaf(6), signer(OWNER), cert_hash(OWNER)
            self.same(
                lambda conn: statements.revoke(conn, which, leaf, 0, key), self.memory.revoke(which, leaf, 0, key)
            )

    @rule(wanted=st.lists(st.tuples(rooms, users, st.sampled_from((0, 1, 2))), max_size=3))
    def set_consents(self, wanted: list[tuple[int, str, int]]) -> None:
        """What users say to their places, of rooms too that there are not."""
        said = [ConsentAt(founding(room).room_id, user, "carol", Consent(value)) for room, user, value in wanted]
        self.same(lambda conn: statements.set_consents(conn, said), self.memory.set_consents(said))

    @rule(device=devices, cursors=st.dictionaries(rooms, st.integers(0, 12), max_size=3))
    def passed(self, device: bytes, cursors: dict[int, int]) -> None:
        """A device has dealt with events."""
        seen = {founding(room).room_id: cursor for room, cursor in cursors.items()}
        who = device_id(device)
        self.same(lambda conn: statements.passed(conn, who, seen), self.memory.passed(who, seen))

    @rule(name=users, room=rooms, seq=numbers)
    def mark_read(self, name: str, room: int, seq: int) -> None:
        """A read marker, of carol too, who has no account."""
        room_id = founding(room).room_id
        ours, theirs = self.read(lambda conn: statements.find_account(conn, name)), self.of(self.memory.account(name))
        mine, yours = (b"" if each is None else each.account.account_id for each in (ours, theirs))
        self.same(
            lambda conn: statements.mark_read(conn, mine, room_id, seq), self.memory.mark_read(yours, room_id, seq)
        )

    @rule(room=rooms, after=st.integers(-1, 12), before=st.integers(0, 14), limit=st.integers(0, 5))
    def page(self, room: int, after: int, before: int, limit: int) -> None:
        """Pages forward and backward, and one of commits."""
        room_id, of, memory = founding(room).room_id, self.of, self.memory
        forward = self.read(lambda conn: statements.events(conn, room_id, after, limit))
        assert forward == of(memory.events(room_id, after, limit))
        backward = self.read(lambda conn: statements.events_before(conn, room_id, before, after, limit))
        assert backward == of(memory.events_before(room_id, before, after, limit))
        commits = self.read(lambda conn: statements.commits(conn, room_id, after, limit))
        assert commits == of(memory.commits(room_id, after, limit))

    @invariant()
    def agree(self) -> None:
        """What can be read is the same in both."""
        memory, of = self.memory, self.of
        assert self.read(statements.rooms) == of(memory.rooms())
        assert self.read(statements.consents) == of(memory.consents())
        assert self.read(statements.log) == of(memory.log())
        for user in (*ALL, OWNER):
            assert self.read(partial(statements.rooms_of, name=user)) == of(memory.rooms_of(user))
            assert self.read(partial(memberships, user=user)) == of(memory.memberships(user))
        assert self.read(partial(offers, users=ALL)) == of(memory.offers(ALL))
        assert self.read(partial(public_rooms, after="", limit=9)) == of(memory.public_rooms("", 9))
        assert self.read(empty_rooms) == of(memory.empty_rooms())
        accounts = self.read(lambda conn: statements.accounts(conn, "", 9))
        for ours, theirs in zip(accounts, of(memory.accounts("", 9)), strict=True):
            marks = self.read(partial(statements.read_marks, account_id=ours.account.account_id))
            assert marks == of(memory.read_marks(theirs.account.account_id))
        for who in map(device_id, DEVICES):
            ours, theirs = self.read(partial(standing, device_id=who)), of(memory.standing(who))
            assert (ours.places, ours.heads) == (theirs.places, theirs.heads)
            for room_id in (founding(room).room_id for room in range(ROOMS)):
                for epoch in range(6):
                    kept = self.read(partial(statements.wrap_of, room_id=room_id, epoch=epoch, device_id=who))
                    assert kept == of(memory.wrap(room_id, epoch, who))


class RoomModelTests(SynchronousTestCase):
    """Runs `RoomStores`."""

    def test_same_answers(self) -> None:
        """Every sequence of operations has the same answers in SQL and in memory."""
        bounds = settings(max_examples=50, stateful_step_count=25, deadline=None)
        run_state_machine_as_test(RoomStores, settings=bounds)
