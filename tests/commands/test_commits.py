"""The way of a commit: lease, wraps, commit, and what the server refuses."""

import dataclasses
from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands import commits
from chatserv.crypto.commits import Remove, SetMember, SetPolicy
from chatserv.crypto.log_leaves import ZEROS
from chatserv.crypto.room_state import Policy
from chatserv.crypto.room_state import Role as RoomRole
from chatserv.domain.roles import Role
from chatserv.wire import messages
from tests.support.server import MemoryClient, WireServer
from tests.support.smith import DIRECT, PRIVATE, PUBLIC, code, dummy_wrap


class CommitCase(SynchronousTestCase):
    """Alice owns a private room, in which Bob is a member; Carol is in the lobby like them."""

    def setUp(self) -> None:
        """A server without the limits that some tests are about."""
        self.start()

    def start(self, **limits: Any) -> None:
        """A new server."""
        self.server = WireServer(**limits)
        self.alice, self.bob, self.carol = (self.server.join(name) for name in ("alice", "bob", "carol"))
        self.room = self.server.make_room(self.alice.account, self.bob.account)
        self.lobby = self.server.lobby


class RoomTests(CommitCase):
    """Rooms that come to be and change."""

    def test_made(self) -> None:
        """A room that is made is entered by all of its devices, with the commit as its first event."""
        self.bob.sync()
        room = self.alice.make_room(self.bob.account)
        entered = self.bob.all(messages.RoomEntered)[-1]
        record = self.server.context.registry.get(room)
        assert record is not None
        self.assertEqual(
            entered.info, messages.RoomInfo(room, "", 0, 0, 0, commit_hash=record.head.commit_hash, agreed=False)
        )
        (event,) = self.bob.events(room)
        self.assertEqual((event.seq, event.kind, event.sender), (1, 1, "alice"))
        wrap = self.bob.all(messages.WrapReady)[-1]
        self.assertEqual((wrap.room, wrap.epoch, wrap.wrap), (room, 0, dummy_wrap(1, 0)))
        kinds = [type(message) for message in self.bob.received[-4:]]
        self.assertEqual(kinds, [messages.RoomEntered, messages.WrapReady, messages.Event, messages.Presence])

    def test_thirty_join_at_once(self) -> None:
        """Thirty who join one public room at once all land, one after the other, with each wrap made once."""
        joiners = [self.server.join(f"joiner{number}", lobby=False) for number in range(30)]
        first = self.server.hub.rooms[self.lobby].epoch
        labels = [client.label() for client in joiners]
        for client, label in zip(joiners, labels, strict=True):
            client.tell(messages.BeginCommit(label, self.lobby))
        self.server.settle()
        wraps = 0
        waiting = list(zip(joiners, labels, strict=True))
        while waiting:
            self.server.settle()
            ready = [(client, label) for client, label in waiting if client.reply(label) is not None]
            ((client, label),) = ready  # one lease at a time
            lease = client.reply(label)
            self.assertEqual(lease.epoch, self.server.hub.rooms[self.lobby].epoch)
            made = client.make(self.lobby, *self.server.smith.join(client.account, self.lobby))
            wraps += len(made.wraps)
            self.assertEqual(code(client.submit(made)), "Committed")
            waiting.remove((client, label))
        self.assertEqual(self.server.hub.rooms[self.lobby].epoch, first + 30)
        self.assertEqual(wraps, sum(4 + number for number in range(30)))
        state = self.server.smith.state(self.lobby)
        assert state is not None
        self.assertEqual(len(state.roster), 34)

    def test_wraps_fetched_again(self) -> None:
        """A device fetches its own wrap of an epoch with its path; of an epoch without one there is none."""
        self.alice.commit(self.room)
        reply = self.bob.ask(messages.GetWrap, room=self.room, epoch=1)
        self.assertEqual((reply.wrap, reply.path), (dummy_wrap(1, 1), ()))
        self.assertEqual(code(self.bob.ask(messages.GetWrap, room=self.room, epoch=2)), "not_found")
        self.assertEqual(code(self.alice.ask(messages.GetWrap, room=self.room, epoch=1)), "not_found")

    def test_passed(self) -> None:
        """A sync says what was dealt with: wraps of epochs that ended before are forgotten; of another store's nothing."""
        for _ in range(2):
            self.alice.commit(self.room)
        for store, epochs in ((b"another store---", [0, 1, 2]), (self.server.memory.incarnation, [2])):
            client = self.server.log_in(self.bob.account)
            client.ask(messages.Sync, store=store, cursors=((self.room, 3),))
            kept = [
                epoch
                for epoch in range(3)
                if code(client.ask(messages.GetWrap, room=self.room, epoch=epoch)) == "Wrapped"
            ]
            self.assertEqual(kept, epochs)

    def test_behind(self) -> None:
        """Who is behind in a room gets no wrap with its commits; the wrap can be fetched."""
        self.alice.commit(self.room)
        self.assertEqual(self.bob.all(messages.WrapReady), [])
        self.bob.sync()
        self.assertEqual(len(self.bob.events(self.room)), 2)
        self.assertEqual(code(self.bob.ask(messages.GetWrap, room=self.room, epoch=1)), "Wrapped")

    def test_direct_message_twice(self) -> None:
        """Two have one direct message: who makes a second one is told of the first, whoever begins."""
        first = self.alice.make_room(self.bob.account, policy=DIRECT)
        smith = self.server.smith
        room, ops = smith.create(self.bob.account, self.alice.account, policy=DIRECT, nonce=b"2" * 32)
        self.assertEqual(self.bob.commit(room, *ops).room, first)
        self.assertNotIn(room, self.server.hub.rooms)
        self.assertEqual(code(self.alice.commit(first)), "Committed")
        other = self.alice.make_room(self.carol.account, policy=DIRECT)
        self.assertNotEqual(other, first)

    def test_log_of_a_public_room(self) -> None:
        """Each commit of a public room is in the log before it is answered; those of others never are."""
        log = self.server.context.log
        before = log.size
        self.alice.commit(self.room)
        self.assertEqual(log.size, before)
        self.alice.commit(self.lobby)
        head = log.facts.room_head("lobby", log.size)
        record = self.server.context.registry.get(self.lobby)
        assert head is not None
        assert record is not None
        self.assertEqual((log.size, head.room_id, head.commit_hash), (before + 1, self.lobby, record.head.commit_hash))
        self.assertEqual(log.covered_size, log.size)

    def test_renamed_and_hidden(self) -> None:
        """A new name, and becoming private, end the old name in the log; the directory follows."""
        club = replace(PUBLIC, name="club", topic="games")
        room = self.alice.make_room(policy=club)
        self.alice.commit(room, SetPolicy(replace(club, name="guild")))
        self.assertEqual(self.server.hub.rooms[room].name, "guild")
        facts = self.server.context.log.facts
        for name, is_open in (("club", False), ("guild", True)):
            head = facts.room_head(name, facts.size)
            assert head is not None
            self.assertEqual((head.room_id, head.closed), (room, not is_open))
        self.alice.commit(room, SetPolicy(PRIVATE))
        head = facts.room_head("guild", facts.size)
        assert head is not None
        self.assertEqual(head.commit_hash, ZEROS)
        names = [item.name for item in self.alice.ask(messages.ListRooms).rooms]
        self.assertEqual(names, ["lobby"])


class RefusedCommitTests(CommitCase):
    """Commits that the server does not take."""

    def refused(self, made: Any, expected: str, client: MemoryClient | None = None) -> None:
        """Alice's commit is refused, nothing changes, and the lease is free again."""
        client = client or self.alice
        epoch = self.server.hub.rooms[self.room].epoch
        self.assertEqual(code(client.begin(self.room)), "Lease")
        self.assertEqual(code(client.submit(made)), expected)
        self.assertEqual(self.server.hub.rooms[self.room].epoch, epoch)
        self.assertEqual(code(self.bob.begin(self.room)), "Lease")
        self.bob.ask(messages.EndCommit, room=self.room)

    def test_against_the_rules(self) -> None:
        """What the rules of rooms refuse, and what is no commit, is refused."""
        smith = self.server.smith
        self.refused(smith.make(self.bob.account, self.room, SetMember("alice", None)), "bad_commit", self.bob)
        self.assertEqual(code(self.alice.begin(self.room)), "Lease")
        self.assertEqual(code(self.alice.ask(messages.PutCommit, room=self.room, commit=b"no commit")), "bad_commit")

    def test_by_another_device(self) -> None:
        """A good commit that another device signed is refused."""
        self.refused(self.bob.make(self.room), "bad_commit")

    def test_of_another_room(self) -> None:
        """A commit for another room than the lease's is refused."""
        made = self.alice.make(self.lobby)
        self.alice.begin(self.room)
        reply = self.alice.ask(messages.PutCommit, room=self.room, commit=made.commit.encoded)
        self.assertEqual(code(reply), "bad_commit")

    def test_crossing(self) -> None:
        """Of two commits of one epoch the second is stale, lease or no lease."""
        second = self.alice.make(self.room)
        self.bob.commit(self.room)
        self.refused(second, "stale_commit")

    def test_log_of_before(self) -> None:
        """A commit that was checked against less of the log than the one before it is refused, and one against a fork."""
        self.server.join("dave")
        self.alice.commit(self.room)
        size = self.server.context.log.size
        self.refused(self.alice.make(self.room, kt_size=size - 1), "bad_commit")
        self.refused(self.alice.make(self.room, kt_root=b"f" * 32), "bad_commit")
        self.refused(self.alice.make(self.room, kt_size=size + 1), "bad_commit")

    def test_leaf_that_it_has_to_know(self) -> None:
        """A commit may miss leaves of the last five minutes, and none that is older."""
        self.start(idle_seconds=1000)
        size = self.server.context.log.size
        self.server.join("dave", lobby=False)
        self.server.advance(300)
        self.assertEqual(code(self.alice.commit(self.room, kt_size=size)), "Committed")
        self.server.advance(1)
        self.refused(self.alice.make(self.room, kt_size=size), "stale_commit")
        self.refused(self.alice.make(self.room, kt_size=size + 1), "stale_commit")
        self.assertEqual(code(self.alice.commit(self.room)), "Committed")

    def test_wraps(self) -> None:
        """One wrap for each device but the committer's, those that the commit names, and no other, or it is refused."""
        made = self.alice.make(self.room)
        for wraps in ({}, {1: b"x" * 1610}, made.wraps | {0: dummy_wrap(0, 1)}, {2: made.wraps[1]}):
            self.refused(dataclasses.replace(made, wraps=wraps), "bad_wraps")

    def test_wraps_are_dropped_with_the_lease(self) -> None:
        """What was uploaded under one lease does not count under the next."""
        made = self.alice.make(self.room)
        self.alice.begin(self.room)
        self.alice.upload(made)
        self.alice.ask(messages.EndCommit, room=self.room)
        self.refused(dataclasses.replace(made, wraps={}), "bad_wraps")

    def test_device_without_prekeys(self) -> None:
        """A device that nobody could wrap to is not let in, by itself or by others."""
        dave = self.server.join("dave", lobby=False)
        self.server.smith.equips = False
        self.refused(self.alice.make(self.room, *self.server.smith.add(dave.account, self.room)), "bad_key")
        self.assertEqual(code(dave.join_room(self.server.lobby)), "bad_key")
        self.server.smith.equips = True
        self.assertEqual(code(dave.join_room(self.server.lobby)), "Committed")

    def test_wraps_of_another_epoch(self) -> None:
        """Wraps are for the next epoch."""
        self.alice.begin(self.room)
        for epoch in (0, 2):
            reply = self.alice.ask(messages.PutWraps, room=self.room, epoch=epoch, wraps=((1, dummy_wrap(1, epoch)),))
            self.assertEqual(code(reply), "stale_commit")

    def test_most_wraps(self) -> None:
        """As many wraps as the room may have devices are kept, one more is refused; a second one of a leaf replaces it."""
        room = self.server.make_room(self.alice.account, policy=replace(PRIVATE, max_devices=3))
        self.alice.begin(room)
        for leaf, expected in ((1, "Ok"), (2, "Ok"), (3, "Ok"), (4, "quota"), (3, "Ok")):
            reply = self.alice.ask(messages.PutWraps, room=room, epoch=1, wraps=((leaf, dummy_wrap(leaf, 1)),))
            self.assertEqual(code(reply), expected)

    def test_most_wraps_of_a_session(self) -> None:
        """A session that has leases of several rooms keeps no more wraps than are needed for two of the largest."""
        self.patch(commits, "MAX_STAGED", 3)
        rooms = [self.room, self.lobby]
        for room in rooms:
            self.alice.begin(room)
        replies = [
            self.alice.ask(
                messages.PutWraps,
                room=room,
                epoch=self.server.hub.rooms[room].epoch + 1,
                wraps=tuple((leaf, dummy_wrap(leaf, 1)) for leaf in range(2)),
            )
            for room in rooms
        ]
        self.assertEqual([code(reply) for reply in replies], ["Ok", "quota"])

    def test_without_a_lease(self) -> None:
        """Nothing is taken of who has no lease, nor of who has one of another room."""
        self.alice.begin(self.lobby)
        made = self.alice.make(self.room)
        self.assertEqual([code(reply) for reply in self.alice.upload(made)], ["stale_commit"])
        reply = self.alice.ask(messages.PutCommit, room=self.room, commit=made.commit.encoded)
        self.assertEqual(code(reply), "stale_commit")

    def test_names(self) -> None:
        """A public room has a canonical name that no other open room has, or looks like."""
        for name, expected in (
            ("two words", "name_invalid"),
            ("Club", "name_invalid"),
            ("#club", "name_invalid"),
            ("-club", "name_invalid"),
        ):
            self.assertEqual(self.make_public(name), expected)
        self.assertEqual([self.make_public(name) for name in ("club", "club")], ["Committed", "name_taken"])

    def make_public(self, name: str, client: MemoryClient | None = None) -> str:
        """What becomes of a new public room of that name."""
        client, smith = client or self.alice, self.server.smith
        room, ops = smith.create(client.account, policy=replace(PUBLIC, name=name), nonce=self.server.random(32))
        return code(client.commit(room, *ops))

    def test_lobby(self) -> None:
        """Only a server administrator makes the lobby; nobody makes a room that looks like it, or renames one to it."""
        self.assertEqual(self.server.wait(self.server.store.public_rooms("", 9))[0].name, "lobby")
        self.server.put(self.server.founder, self.lobby, SetPolicy(replace(PUBLIC, name="hall")))
        for name in ("lobby", "1obby"):
            self.assertEqual(self.make_public(name), "forbidden")
        room = self.server.make_room(self.alice.account)
        renamed = self.alice.commit(room, SetPolicy(Policy(PUBLIC.kind, public=True, name="lobby")))
        self.assertEqual(code(renamed), "forbidden")
        admin = self.server.join("ada", Role.ADMIN, lobby=False)
        self.assertEqual(self.make_public("lobby", admin), "Committed")

    def test_rooms_of_an_account(self) -> None:
        """An account goes into as many rooms as the limit; one more is refused, until it leaves one."""
        self.start(rooms_per_account=3)
        self.bob.ask(messages.Agreed, rooms=(self.room,))
        third = self.server.make_room(self.bob.account)
        club = self.server.make_room(self.carol.account, policy=replace(PUBLIC, name="club"))
        self.assertEqual(code(self.bob.join_room(club)), "quota")
        self.bob.leave_room(third)
        self.assertEqual(code(self.bob.join_room(club)), "Committed")

    def test_rooms_of_the_server(self) -> None:
        """The server has as many rooms as the limit."""
        self.start(rooms=2)
        room, ops = self.server.smith.create(self.carol.account)
        self.assertEqual(code(self.carol.commit(room, *ops)), "quota")

    def test_full_room(self) -> None:
        """Who would join a full room is told so before they make a commit; its devices go on committing."""
        club = self.server.make_room(self.alice.account, policy=replace(PUBLIC, name="club", max_devices=1))
        self.assertEqual(code(self.bob.join_room(club)), "room_full")
        self.assertEqual(code(self.alice.commit(club)), "Committed")


class LimitTests(CommitCase):
    """How often one may commit and join."""

    def test_commits_of_a_member(self) -> None:
        """A member's device commits six times an hour in a room; others, and other rooms, do not count."""
        for _ in range(6):
            self.assertEqual(code(self.bob.commit(self.room)), "Committed")
        reply = self.bob.commit(self.room)
        self.assertEqual((code(reply), reply.after_seconds), ("rate_limited", 3600.0))
        self.assertEqual(code(self.bob.commit(self.lobby)), "Committed")
        self.assertEqual(code(self.alice.commit(self.room)), "Committed")
        self.server.clock.advance(3600)
        self.bob = self.server.log_in(self.bob.account)
        self.assertEqual(code(self.bob.commit(self.room)), "Committed")

    def test_commits_of_a_moderator(self) -> None:
        """Moderators and owners have a limit of their own."""
        self.start(commits_per_hour=1, commits_per_hour_moderator=3)
        for _ in range(3):
            self.assertEqual(code(self.alice.commit(self.room)), "Committed")
        self.assertEqual(code(self.alice.commit(self.room)), "rate_limited")

    def test_bad_ones_count(self) -> None:
        """Commits that are refused as bad count like others."""
        self.start(commits_per_hour=2)
        for _ in range(2):
            self.bob.begin(self.room)
            self.bob.ask(messages.PutCommit, room=self.room, commit=b"")
        self.assertEqual(code(self.bob.begin(self.room)), "rate_limited")

    def test_joins(self) -> None:
        """An account joins a room three times a day, from whatever device; then it waits."""
        dave = self.server.join("dave", lobby=False)
        for _ in range(3):
            self.assertEqual(code(dave.join_room(self.lobby)), "Committed")
            self.server.put(self.server.founder, self.lobby, SetMember("dave", None))
        reply = dave.join_room(self.lobby)
        self.assertEqual(code(reply), "rate_limited")
        self.assertEqual(reply.after_seconds, 86_400.0)
        self.server.clock.advance(86_400)
        dave = self.server.log_in(dave.account)
        self.assertEqual(code(dave.join_room(self.lobby)), "Committed")


class LeaseTests(CommitCase):
    """The lease."""

    def ask(self, client: MemoryClient, room: bytes | None = None, **fields: Any) -> int:
        """Asks for the lease; gives the label."""
        label = client.label()
        client.tell(messages.BeginCommit(label, room or self.room, **fields))
        self.server.settle()
        return label

    def end(self, client: MemoryClient) -> None:
        """Gives the lease back."""
        self.assertEqual(code(client.ask(messages.EndCommit, room=self.room)), "Ok")

    def test_head(self) -> None:
        """A lease names the head of the room, the Leaves that wait, and its time."""
        record = self.server.context.registry.get(self.lobby)
        assert record is not None
        self.bob.leave_room(self.lobby)
        leave = self.server.smith.leave(self.bob.account, self.lobby)
        lease = self.alice.begin(self.lobby)
        self.assertEqual((lease.epoch, lease.commit_hash), (record.head.epoch, record.head.commit_hash))
        self.assertEqual((lease.kt_size, lease.leaves), (record.head.kt_size, (leave.body(),)))
        self.assertEqual(lease.seconds, 15 + 0.04 * 4)
        new = self.alice.begin(b"n" * 16, new=True)
        self.assertEqual((new.epoch, new.commit_hash, new.kt_size), (-1, bytes(32), 0))

    def test_one_after_the_other(self) -> None:
        """One has it; the others wait, in the order in which they came, urgent ones first."""
        clients = [self.server.join(f"client{number}") for number in range(3)]
        clients.append(self.server.log_in(self.server.founder))
        first, second, third, urgent = (
            self.ask(client, self.lobby, urgent=at == 3) for at, client in enumerate(clients)
        )
        order: list[int] = []
        for at, label in ((0, first), (3, urgent), (1, second), (2, third)):
            answered = [number for number, client in enumerate(clients) if client.all(messages.Lease)]
            order += [number for number in answered if number not in order]
            self.assertIsNotNone(clients[at].reply(label))
            clients[at].ask(messages.EndCommit, room=self.lobby)
        self.assertEqual(order, [0, 3, 1, 2])

    def test_lapse(self) -> None:
        """A lease that is not used in time goes to the next one; who let it lapse waits for ten minutes, in that room."""
        self.ask(self.alice)
        label = self.ask(self.bob)
        self.server.clock.advance(15.07)
        self.server.settle()
        self.assertIsNone(self.bob.reply(label))
        self.server.clock.advance(0.02)
        self.server.settle()
        self.assertIsInstance(self.bob.reply(label), messages.Lease)
        self.end(self.bob)
        made = self.alice.make(self.room)
        reply = self.alice.ask(messages.PutCommit, room=self.room, commit=made.commit.encoded)
        self.assertEqual(code(reply), "stale_commit")
        reply = self.alice.begin(self.room)
        self.assertEqual(code(reply), "rate_limited")
        self.assertAlmostEqual(reply.after_seconds, 600, delta=1)
        self.assertEqual(code(self.alice.begin(self.lobby)), "Lease")
        self.server.clock.advance(600)
        self.alice = self.server.log_in(self.alice.account)
        self.assertEqual(code(self.alice.begin(self.room)), "Lease")

    def test_lapses_are_bounded(self) -> None:
        """As many lapses as the limit are remembered; the oldest goes first."""
        self.start(counters=2)
        for client in (self.alice, self.bob, self.carol):
            client.begin(self.lobby)
            self.server.clock.advance(16)
            self.server.settle()
        codes = [code(client.begin(self.lobby)) for client in (self.alice, self.bob, self.carol)]
        self.assertEqual(codes, ["Lease", "rate_limited", "rate_limited"])

    def test_most_waiters(self) -> None:
        """As many as the limit wait; the next is busy."""
        self.start(lease_waiting=2)
        clients = [self.server.join(f"client{number}") for number in range(4)]
        labels = [self.ask(client, self.lobby) for client in clients]
        replies = [client.reply(label) for client, label in zip(clients, labels, strict=True)]
        self.assertEqual([None if reply is None else code(reply) for reply in replies], ["Lease", None, None, "busy"])

    def test_gone(self) -> None:
        """A holder who is gone, and waiters who are gone, hold nobody up."""
        self.ask(self.alice, self.lobby)
        self.ask(self.bob, self.lobby)
        label = self.ask(self.carol, self.lobby)
        self.bob.drop()
        self.alice.drop()
        self.server.settle()
        self.assertIsInstance(self.carol.reply(label), messages.Lease)

    def test_takeover(self) -> None:
        """A device that comes again has lost the lease of its connection before."""
        self.ask(self.alice)
        label = self.ask(self.bob)
        self.server.log_in(self.alice.account)
        self.assertIsInstance(self.bob.reply(label), messages.Lease)

    def test_withdrawn(self) -> None:
        """Who waits may give up; the waiting request is refused."""
        self.ask(self.alice)
        label = self.ask(self.bob)
        self.end(self.bob)
        self.assertEqual(code(self.bob.reply(label)), "stale_commit")
        self.end(self.alice)
        self.assertEqual(code(self.alice.begin(self.room)), "Lease")

    def test_given_while_nobody_looks(self) -> None:
        """Who goes in the moment in which they get the lease passes it on."""
        self.ask(self.alice, self.lobby)
        self.ask(self.bob, self.lobby)
        label = self.ask(self.carol, self.lobby)
        leases = self.server.context.leases
        session = self.alice.seat.live
        assert session is not None
        leases.give_back(self.lobby, session)
        self.bob.drop()
        self.server.settle()
        self.assertIsInstance(self.carol.reply(label), messages.Lease)

    def test_given_back_before_it_is_told(self) -> None:
        """Who gives the lease back in the moment in which they get it is not told that they have it."""
        self.ask(self.alice, self.lobby)
        label = self.ask(self.bob, self.lobby)
        for client in (self.alice, self.bob):
            assert client.seat.live is not None
            self.server.context.leases.give_back(self.lobby, client.seat.live)
        self.server.settle()
        self.assertEqual(code(self.bob.reply(label)), "stale_commit")
        self.assertEqual(code(self.carol.begin(self.lobby)), "Lease")

    def test_kicked_while_waiting(self) -> None:
        """Who is removed while they wait gets no lease, and holds nobody up."""
        self.server.put(self.alice.account, self.room, *self.server.smith.add(self.carol.account, self.room))
        self.ask(self.alice)
        bobs, carols = self.ask(self.bob), self.ask(self.carol)
        self.assertEqual(
            code(self.alice.submit(self.alice.make(self.room, SetMember("bob", RoomRole.BANNED)))), "Committed"
        )
        self.assertEqual(code(self.bob.reply(bobs)), "banned")
        self.assertIsInstance(self.carol.reply(carols), messages.Lease)

    def test_one_request_of_a_session(self) -> None:
        """Who holds a room's lease, or waits for it, is not given a second place in the line."""
        self.ask(self.alice, self.room)
        self.assertEqual(code(self.alice.begin(self.room)), "busy")
        waiting = self.ask(self.bob, self.room)
        self.assertEqual(code(self.bob.begin(self.room)), "busy")
        self.alice.ask(messages.EndCommit, room=self.room)
        self.assertEqual(code(self.bob.reply(waiting)), "Lease")

    def test_many_refused_in_a_row(self) -> None:
        """However many are refused one after the other, the server does not choke on it."""
        owner = self.server.join("olga")
        club = self.server.make_room(owner.account, policy=replace(PUBLIC, name="club"))
        self.ask(owner, club)
        people = [self.server.join(f"guest{chr(ord('a') + number)}") for number in range(25)]
        labels = [self.ask(person, club) for person in people]
        self.assertEqual(code(owner.submit(owner.make(club, SetPolicy(PRIVATE)))), "Committed")
        replies = {code(person.reply(label)) for person, label in zip(people, labels, strict=True)}
        self.assertEqual(replies, {"not_member"})

    def test_one_new_room_at_a_time(self) -> None:
        """A session makes one room at a time; nobody makes one that there is."""
        self.assertEqual(code(self.alice.begin(b"n" * 16, new=True)), "Lease")
        self.assertEqual(code(self.alice.begin(b"m" * 16, new=True)), "busy")
        self.alice.ask(messages.EndCommit, room=b"n" * 16)
        self.assertEqual(code(self.alice.begin(b"m" * 16, new=True)), "Lease")
        self.assertEqual(code(self.alice.begin(self.room, new=True)), "stale_commit")
        self.assertEqual(code(self.carol.begin(self.room, new=True)), "not_member")

    def test_while_the_commit_is_under_way(self) -> None:
        """A lease whose commit is with the store takes nothing more, does not lapse, and outlives its session."""
        server = WireServer(slow=["commit"])
        alice, bob = server.join("alice"), server.join("bob")
        alice.begin(server.lobby)
        made = alice.make(server.lobby)
        self.assertIsNone(alice.submit(made))
        waiting = bob.begin(server.lobby)
        again = alice.ask(messages.PutCommit, room=server.lobby, commit=made.commit.encoded)
        self.assertEqual((waiting, code(again)), (None, "stale_commit"))
        server.clock.advance(16)
        alice.drop()
        server.settle()
        self.assertEqual(bob.all(messages.Lease), [])
        server.store.fire_all()
        server.settle()
        self.assertEqual(bob.one(messages.Lease).epoch, made.epoch)

    def test_answer_waits_for_the_log(self) -> None:
        """A commit of a public room is answered after the head that covers its leaf, and its lease is free then."""
        self.alice.sync()
        self.alice.begin(self.lobby)
        made = self.alice.make(self.lobby)
        self.server.pool.held = True
        self.assertIsNone(self.alice.submit(made))
        self.assertEqual(self.server.hub.rooms[self.lobby].epoch, made.epoch)
        self.server.pool.held = False
        self.server.pool.release()
        self.server.settle()
        kinds = [type(message) for message in self.alice.received[-2:]]
        self.assertEqual(kinds, [messages.LogHead, messages.Committed])


class MemberTests(CommitCase):
    """Being removed, and added again."""

    def setUp(self) -> None:
        """Bob hears the room live."""
        super().setUp()
        for client in (self.alice, self.bob):
            client.sync()

    def kick(self) -> None:
        """Alice takes Bob's device out."""
        self.assertEqual(code(self.alice.commit(self.room, SetMember("bob", None))), "Committed")

    def test_kicked(self) -> None:
        """Who is removed gets the commit that did it and nothing after it, and cannot send, commit or type."""
        self.kick()
        seq = self.server.hub.rooms[self.room].head
        self.alice.say("secret", self.room)
        self.alice.commit(self.room)
        self.assertEqual([event.seq for event in self.bob.events(self.room)], [1, seq])
        self.assertEqual([wrap for wrap in self.bob.all(messages.WrapReady) if wrap.room == self.room], [])
        for reply in (
            self.bob.say("hello", self.room),
            self.bob.begin(self.room),
            self.bob.ask(messages.SetTyping, room=self.room),
            self.bob.ask(messages.GetRoom, room=self.room, epoch=0),
        ):
            self.assertEqual(code(reply), "not_member")

    def test_added_again(self) -> None:
        """Who is added again enters anew: from that commit on, and nothing of the time between."""
        self.kick()
        self.alice.say("secret", self.room)
        self.alice.commit(self.room, *self.server.smith.add(self.bob.account, self.room))
        self.alice.say("welcome back", self.room)
        self.assertEqual([event.seq for event in self.bob.events(self.room)], [1, 2, 4, 5])
        entered = self.bob.all(messages.RoomEntered)[-1].info
        self.assertEqual((entered.room, entered.since, entered.epoch), (self.room, 3, 2))
        self.assertIsInstance(self.bob.say("hello", self.room), messages.Sent)

    def test_removed_while_offline(self) -> None:
        """A device that was removed while it was away reads up to the commit that did it, and no further, live or not."""
        self.bob.drop()
        self.alice.say("one", self.room)
        self.kick()
        self.alice.say("secret", self.room)
        again = self.server.log_in(self.bob.account)
        again.sync()
        self.alice.say("secret", self.room)
        self.assertEqual([event.seq for event in again.events(self.room)], [1, 2, 3])
        page = again.ask(messages.History, room=self.room, before=100)
        self.assertEqual([event.seq for event in page.events], [1, 2, 3])

    def test_one_device_of_two(self) -> None:
        """A user whose device is taken out stays a member without it: this device has no place, and comes back by itself."""
        leaf = self.server.smith.leaf(self.bob.account, self.room)
        self.alice.commit(self.room, Remove(leaf))
        self.assertEqual(code(self.bob.say("hello", self.room)), "not_member")
        (_, add) = self.server.smith.join(self.bob.account, self.room)
        self.assertEqual(code(self.bob.commit(self.room, add)), "Committed")
        self.assertIsInstance(self.bob.say("hello", self.room), messages.Sent)
