"""What a person's devices leave for each other, and links that give an account a new identity."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.commits import Remove, SetMember
from chatserv.crypto.log_leaves import LeafType
from chatserv.crypto.room_state import Kind, Policy
from chatserv.domain.roles import Role
from chatserv.wire import messages
from chatserv.wire.fields import MAX_BACKUP_STEP
from tests.support.server import MemoryClient, TestAccount, WireServer
from tests.support.smith import DIRECT, code

NEXT = "next identity"
OWN = Policy(Kind.DEVICES)


class OwnCase(SynchronousTestCase):
    """Alice, Bob, and Dora who runs the server."""

    def setUp(self) -> None:
        """The default limits."""
        self.start()

    def start(self, **settings: Any) -> None:
        """A new server."""
        self.server = WireServer(**settings)
        self.alice, self.bob = self.server.join("alice"), self.server.join("bob")
        self.dora = self.server.join("dora", Role.ADMIN)

    def link(self, name: str = "alice", **fields: Any) -> Any:
        """What an administrator gets who asks for a link."""
        return self.dora.ask(messages.MakeInvite, name=name, reset=True, **fields)

    def come(self, account: TestAccount, token: bytes) -> MemoryClient:
        """Somebody who registers by a link."""
        return self.server.log_in(account, token=token)

    def refused(self, account: TestAccount, token: bytes) -> str:
        """Why they do not come in."""
        error = self.come(account, token).error
        return "" if error is None else error.code


class BackupTests(OwnCase):
    """What `put_backup` and `get_backup` promise."""

    def put(self, counter: int, blob: bytes = b"sealed", slots: tuple[bytes, ...] = (b"one", b"two")) -> str:
        """What comes of a backup."""
        return code(self.alice.ask(messages.PutBackup, counter=counter, blob=blob, slots=slots))

    def test_backup(self) -> None:
        """It is given back as it was left, with the server's time; the next welcome has its counter."""
        self.assertEqual("not_found", code(self.alice.ask(messages.GetBackup)))
        self.assertEqual(0, self.alice.one(messages.Welcome).backup)
        self.assertEqual("Ok", self.put(3))
        found = self.alice.ask(messages.GetBackup)
        now = self.server.now_ms()
        self.assertEqual((3, now, b"sealed", (b"one", b"two")), (found.counter, found.at, found.blob, found.slots))
        self.assertEqual(3, self.server.log_in(self.alice.account).one(messages.Welcome).backup)
        self.assertEqual("not_found", code(self.bob.ask(messages.GetBackup)))

    def test_step(self) -> None:
        """No device can use up the counters, so that its person could never leave a backup again."""
        self.assertEqual("Ok", self.put(3))
        self.assertEqual("bad_message", self.put(2**63 - 1))
        self.assertEqual("bad_message", self.put(3 + MAX_BACKUP_STEP + 1))
        self.assertEqual("Ok", self.put(3 + MAX_BACKUP_STEP))
        self.assertEqual("Ok", self.put(4 + MAX_BACKUP_STEP))
        self.assertEqual("bad_message", code(self.bob.ask(
            messages.PutBackup, counter=MAX_BACKUP_STEP + 1, blob=b"sealed", slots=())))  # fmt: skip

    def test_compare_and_swap(self) -> None:
        """Only a greater counter takes its place; the same again is done already."""
        outcomes = [self.put(*each) for each in ((3,), (3,), (3, b"another"), (2,), (4, b"newer", ()))]
        self.assertEqual(["Ok", "Ok", "stale_backup", "stale_backup", "Ok"], outcomes)
        self.assertEqual(b"newer", self.alice.ask(messages.GetBackup).blob)

    def test_largest(self) -> None:
        """The largest one fits a line, both ways."""
        self.assertEqual("Ok", self.put(1, bytes(48_000), (bytes(256), bytes(256))))
        self.assertEqual(48_000, len(self.alice.ask(messages.GetBackup).blob))

    def test_survives(self) -> None:
        """A restart takes nothing of it."""
        self.put(9)
        self.server.restart()
        self.assertEqual(9, self.server.log_in(self.alice.account).one(messages.Welcome).backup)


class DeviceTests(OwnCase):
    """What `list_devices` promises."""

    def listed(self) -> tuple[messages.DeviceInfo, ...]:
        """Alice's devices."""
        found: tuple[messages.DeviceInfo, ...] = self.alice.ask(messages.ListDevices).items
        return found

    def test_here(self) -> None:
        """A device that is here is online and seen now; others' devices are not listed."""
        (item,) = self.listed()
        account, now = self.alice.account, self.server.now_ms()
        self.assertEqual((account.device_id, account.cert_hash), (item.device_id, item.cert_hash))
        self.assertEqual((now, True), (item.seen, item.online))
        self.assertLessEqual(item.created, now)

    def test_seldom(self) -> None:
        """Its being here is written once an hour, however often it comes."""
        written: list[tuple[bytes, int]] = []
        real = self.server.memory.saw

        async def saw(device_id: bytes, now_ms: int) -> None:
            written.append((device_id, now_ms))
            await real(device_id, now_ms)

        self.patch(self.server.memory, "saw", saw)
        carol = self.server.join("carol")
        for _ in range(5):
            carol = self.server.log_in(carol.account)
        self.assertEqual(1, len(written))
        self.server.clock.advance(3601)
        carol.drop()
        self.server.settle()
        self.assertEqual([carol.account.device_id] * 2, [device_id for device_id, _ in written])
        self.assertEqual(self.server.now_ms(), written[-1][1])

    def test_a_full_disk(self) -> None:
        """Where it cannot be written nobody is hurt, and it is tried again."""
        self.server.store.slow.add("saw")
        carol = self.server.join("carol")
        self.assertTrue(carol.authenticated)
        self.assertEqual(["saw"], [name for name, _ in self.server.store.waiting])


class OwnRoomTests(OwnCase):
    """What `own_rooms` promises, and the room of one's own devices."""

    def rooms(self, client: MemoryClient, after: bytes = b"") -> list[tuple[bytes, bool]]:
        """The rooms that a device has to enter."""
        return [(each.room, each.agreed) for each in client.ask(messages.OwnRooms, after=after).rooms]

    def out(self, client: MemoryClient, room: bytes) -> None:
        """The device has no place in the room, though its user is a member."""
        client.seat.live.places.pop(room)  # type: ignore[union-attr]

    def test_where_there_is_no_place(self) -> None:
        """Rooms where this device is not, in order of id, with whether they were agreed to; others' rooms are not told."""
        asked = self.server.make_room(self.bob.account, self.alice.account)
        own = self.alice.make_room()
        self.bob.make_room()
        self.assertEqual([], self.rooms(self.alice))
        for room in (asked, own):
            self.out(self.alice, room)
        expected = sorted([(asked, False), (own, True)])
        self.assertEqual(expected, self.rooms(self.alice))
        self.assertEqual(expected[1:], self.rooms(self.alice, expected[0][0]))

    def test_left(self) -> None:
        """A room that the user has left, by a Leave that waits, is none of theirs."""
        room = self.bob.make_room(self.alice.account)
        self.alice.leave_room(room)
        self.assertEqual([], self.rooms(self.alice))

    def test_pages(self) -> None:
        """More than a page are told in pages."""
        self.start(rooms_per_account=250)
        made = sorted(self.server.make_room(self.alice.account) for _ in range(101))
        for room in made:
            self.out(self.alice, room)
        first = self.alice.ask(messages.OwnRooms)
        self.assertEqual((made[:100], True), ([each.room for each in first.rooms], first.more))
        last = self.alice.ask(messages.OwnRooms, after=made[99])
        self.assertEqual((made[100:], False), ([each.room for each in last.rooms], last.more))

    def test_devices_room(self) -> None:
        """There is one an account; it is listed nowhere, asks nobody, and counts among no rooms."""
        self.start(rooms_per_account=1)
        before = self.server.rooms_in("alice")
        self.assertEqual(1, before)  # the lobby: there is no place for another one
        first, ops = self.server.smith.create(self.alice.account, policy=OWN, nonce=bytes(32))
        self.assertEqual("Committed", code(self.alice.commit(first, *ops)))
        second, ops = self.server.smith.create(self.alice.account, policy=OWN, nonce=b"n" * 32)
        existing = self.alice.commit(second, *ops)
        self.assertEqual(("Existing", first), (code(existing), existing.room))
        registry = self.server.context.registry
        self.assertEqual((1, None), (self.server.rooms_in("alice"), registry.invitations.get("alice", first)))
        self.assertNotIn(first, [each.room for each in self.alice.ask(messages.ListRooms).rooms])
        welcome = self.server.log_in(self.alice.account).one(messages.Welcome)
        self.assertIn((first, True), [(each.room, each.agreed) for each in welcome.rooms])
        bobs, ops = self.server.smith.create(self.bob.account, policy=OWN, nonce=bytes(32))
        self.assertEqual("Committed", code(self.bob.commit(bobs, *ops)))
        self.server.restart()
        self.assertEqual(1, self.server.rooms_in("alice"))

    def test_devices_room_stays(self) -> None:
        """Nobody leaves it, as nobody leaves a direct message."""
        first, ops = self.server.smith.create(self.alice.account, policy=OWN, nonce=bytes(32))
        self.alice.commit(first, *ops)
        self.assertEqual("forbidden", code(self.alice.leave_room(first)))


class ResetTests(OwnCase):
    """Links that reset an identity, and what using one does."""

    def new(self, user: str = "alice", identity: str = NEXT) -> TestAccount:
        """A new device with a new identity."""
        return self.server.account(user, identity)

    def test_reset(self) -> None:
        """The log has the new identity as a reset; the old device is out at once, its backup is gone, the role stays."""
        self.alice.ask(messages.PutBackup, counter=5, blob=b"sealed", slots=())
        new = self.come(self.new(), self.link().token)
        self.assertEqual("revoked", self.alice.one(messages.Farewell).code)
        welcome = new.one(messages.Welcome)
        self.assertEqual(("alice", "user", 0), (welcome.name, welcome.role, welcome.backup))
        facts = self.server.context.log.facts
        self.assertEqual([LeafType.UIK, LeafType.RESET], [each.kind for each in facts.identities("alice", facts.size)])
        self.assertTrue(facts.struck("alice", 0, facts.size))
        old = self.server.log_in(self.alice.account)
        self.assertEqual("auth_failed", old.error and old.error.code)
        self.assertEqual([new.account.device_id], [each.device_id for each in new.ask(messages.ListDevices).items])
        self.assertIn(("Reset", "alice"), [(event, fields["who"]) for event, fields in self.server.audited])

    def test_once_and_for_a_name(self) -> None:
        """A link is for its account alone, for one use, and for a time; whoever has it first has it."""
        token = self.link().token
        self.assertEqual("invite_invalid", self.refused(self.new("bob"), token))
        self.assertEqual("invite_invalid", self.refused(self.new("eve"), token))
        first = self.new()
        self.assertTrue(self.come(first, token).authenticated)
        self.assertEqual("invite_invalid", self.refused(self.new("alice", "third identity"), token))
        late = self.link("bob").token
        self.server.clock.advance(25 * 3600)
        self.assertEqual("invite_invalid", self.refused(self.new("bob"), late))
        self.assertTrue(self.server.log_in(first).authenticated)

    def test_answer_lost(self) -> None:
        """Who registers once more with the same device, as the answer was lost, comes in, and nothing is logged twice."""
        account, token = self.new(), self.link().token
        self.come(account, token)
        size = self.server.context.log.size
        again = self.come(account, token)
        self.assertTrue(again.authenticated)
        self.assertEqual(size, self.server.context.log.size)

    def test_old_identity(self) -> None:
        """Nobody is reset to a key that the account had."""
        self.assertEqual("bad_key", self.refused(self.server.account("alice"), self.link().token))
        self.assertTrue(self.server.log_in(self.alice.account).authenticated)

    def test_whose(self) -> None:
        """Administrators alone make them, for an account that there is, whose role stays; each is noted."""
        self.assertEqual("forbidden", code(self.bob.ask(messages.MakeInvite, name="alice", reset=True)))
        self.assertEqual("not_found", code(self.link("nobody")))
        self.assertEqual(["bad_message"] * 2, [code(self.link("")), code(self.link(admin=True))])
        self.link()
        made = [fields for event, fields in self.server.audited if event == "MakeInvite" and fields["result"] == "ok"]
        self.assertEqual([("dora", "alice", True)], [(each["who"], each["name"], each["reset"]) for each in made])

    def test_closed(self) -> None:
        """Where registration is closed, a link for a reset works, also once more, and nothing else does."""
        self.server = WireServer(registration="invite")
        self.dora = self.server.join("dora", Role.ADMIN)
        other = self.dora.ask(messages.MakeInvite).token
        self.alice = self.come(self.server.account("alice"), self.dora.ask(messages.MakeInvite).token)
        msgspec.structs.force_setattr(self.server.config.security, "registration", "closed")
        account, token = self.new(), self.link().token
        self.assertEqual([True, True], [self.come(account, token).authenticated for _ in range(2)])
        self.assertEqual("invite_invalid", self.refused(self.server.account("eve"), other))
        self.assertEqual("invite_invalid", self.refused(self.server.account("eve"), b""))

    def test_last_administrator(self) -> None:
        """The last administrator comes back by a link, as one."""
        token = self.link("dora").token
        new = self.come(self.new("dora"), token)
        self.assertEqual("admin", new.one(messages.Welcome).role)
        self.assertEqual("Ok", code(new.ask(messages.Suspend, user="alice", on=True)))

    def test_suspended(self) -> None:
        """A reset lets nobody in who is suspended."""
        token = self.link().token
        self.dora.ask(messages.Suspend, user="alice", on=True)
        self.assertEqual("forbidden", self.refused(self.new(), token))

    def test_rooms(self) -> None:
        """Private rooms that only it was in are closed, its own devices' too; a public one stays, and the others' rooms."""
        alone, shared = self.alice.make_room(), self.alice.make_room(self.bob.account)
        public = self.alice.make_room(policy=Policy(Kind.ROOM, public=True, name="garden"))
        devices, ops = self.server.smith.create(self.alice.account, policy=OWN, nonce=bytes(32))
        self.alice.commit(devices, *ops)
        new = self.come(self.new(), self.link().token)
        registry = self.server.context.registry
        self.assertEqual([None, None], [registry.get(room) for room in (alone, devices)])
        self.assertNotIn(None, [registry.get(room) for room in (shared, public)])
        fresh, ops = self.server.smith.create(new.account, policy=OWN, nonce=b"n" * 32)
        self.assertEqual("Committed", code(new.commit(fresh, *ops)))

    def test_struck(self) -> None:
        """The next committer strikes it, and takes it in again by a commit; before that nobody can."""
        room = self.alice.make_room(self.bob.account)
        new = self.come(self.new(), self.link().token)
        smith = self.server.smith
        self.assertEqual("bad_commit", code(new.commit(room, *smith.join(new.account, room)[1:])))
        old = smith.leaf(self.alice.account, room)
        self.assertGreaterEqual(old, 0)
        self.assertEqual("Committed", code(self.bob.commit(room, SetMember("alice", None))))
        self.assertEqual("Committed", code(self.bob.commit(room, *smith.add(new.account, room))))
        self.assertIn(room, [each.info.room for each in new.all(messages.RoomEntered)])

    def test_direct_messages(self) -> None:
        """The pair is free for new direct messages; the old ones stay readable to the other side."""
        old = self.bob.make_room(self.alice.account, policy=DIRECT)
        again, ops = self.server.smith.create(self.alice.account, self.bob.account, policy=DIRECT, nonce=b"a" * 32)
        self.assertEqual("Existing", code(self.alice.commit(again, *ops)))
        new = self.come(self.new(), self.link().token)
        fresh = new.make_room(self.bob.account, policy=DIRECT)
        self.assertNotEqual(old, fresh)
        third, ops = self.server.smith.create(self.bob.account, new.account, policy=DIRECT, nonce=b"t" * 32)
        existing = self.bob.commit(third, *ops)
        self.assertEqual(("Existing", fresh), (code(existing), existing.room))
        self.assertTrue(self.bob.ask(messages.History, room=old, before=99).events)
        self.bob.sync(room=old)
        leaf = self.server.smith.leaf(self.alice.account, old)
        self.assertEqual("Committed", code(self.bob.commit(old, Remove(leaf))))
        self.assertEqual("Sent", code(self.bob.say("to myself", old)))

    def test_direct_messages_of_before(self) -> None:
        """Who does not know of the reset yet, and makes new direct messages by an older log, is told to look first."""
        self.bob.make_room(self.alice.account, policy=DIRECT)
        size = self.server.context.log.size
        self.come(self.new(), self.link().token)
        room, ops = self.server.smith.create(self.bob.account, self.alice.account, policy=DIRECT, nonce=b"b" * 32)
        self.assertEqual("stale_commit", code(self.bob.commit(room, *ops[:-1], kt_size=size)))

    def test_after_a_crash(self) -> None:
        """Nothing is half done, wherever the server goes down: the reset is one write, and rooms are closed at the start."""
        alone, token, account = self.alice.make_room(), self.link().token, self.new()
        self.server.store.slow.update(("register", "close_room"))
        connection = self.server.connect(account, token=token)
        assert connection is not None
        connection.start()
        self.server.settle()
        self.server.restart()
        self.server.store.waiting.clear()
        self.assertTrue(self.server.log_in(self.alice.account).authenticated)  # nothing has happened
        self.server.store.slow.discard("register")
        connection = self.server.connect(account, token=token)
        assert connection is not None
        connection.start()
        self.server.settle()
        self.server.restart()
        self.assertFalse(self.server.log_in(self.alice.account).authenticated)
        self.assertEqual([alone], self.server.context.registry.over)
        self.assertTrue(self.come(account, token).authenticated)


class PublicTests(OwnCase):
    """A lobby whose only member was reset."""

    def test_lobby(self) -> None:
        """Somebody else joins it, and takes the one who was reset in again."""
        room = self.alice.make_room(policy=Policy(Kind.ROOM, public=True, name="garden"))
        self.assertEqual("garden", room and self.server.context.registry.get(room).name)  # type: ignore[union-attr]
        new = self.come(self.server.account("alice", NEXT), self.link().token)
        smith = self.server.smith
        out = Remove(smith.leaf(self.alice.account, room))
        joined = self.bob.commit(room, *smith.join(self.bob.account, room), out)
        self.assertEqual("Committed", code(joined))
        self.assertEqual("Committed", code(self.bob.commit(room, SetMember("alice", None))))
        self.assertEqual("Committed", code(new.join_room(room)))
