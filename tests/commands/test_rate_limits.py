"""Who pays what (docs/protocol.rst 12): each command has its bucket and its cost, and an account has one purse."""

from collections.abc import Callable
from itertools import count
from typing import Any, get_args

from msgspec.structs import force_setattr, replace
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.rate_limits import DAY_SECONDS, Meter, RateLimits, Share
from chatserv.commands.table import TABLE
from chatserv.config import Config
from chatserv.domain.buckets import Bucket
from chatserv.domain.roles import Role
from chatserv.errors import RateLimited
from chatserv.limits import Limits
from chatserv.live_settings import LiveSettings
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.fields import KEYS_PAGE, WRAPS_PAGE
from tests.support.server import MemoryClient, WireServer
from tests.support.smith import PUBLIC, code

CHAT = {messages.Send, messages.SetTyping, messages.MarkRead, messages.SetPresence, messages.Announce}


class TableTests(SynchronousTestCase):
    """Every row."""

    def test_every_command_is_paid_for(self) -> None:
        """Each command of the wire has a row with a bucket, and costs something, but for the one that ends the session."""
        self.assertEqual(set(get_args(messages.ClientMessage)), set(TABLE))
        for command, row in TABLE.items():
            self.assertEqual(row.bucket is Bucket.FREE, command is messages.Bye, command)
            self.assertEqual(row.cost > 0, command is not messages.Bye, command)

    def test_chat_is_what_others_are_told(self) -> None:
        """Nothing that keeps a room, a key or the connection going is paid from what is said."""
        self.assertEqual(CHAT, {command for command, row in TABLE.items() if row.bucket is Bucket.CHAT})

    def test_no_command_costs_more_than_a_burst(self) -> None:
        """With the default limits each can be done at once by somebody who has asked for nothing before."""
        rates = RateLimits(LiveSettings(Config()), Clock().seconds)
        for command, row in TABLE.items():
            if row.bucket is not Bucket.FREE:
                self.assertLessEqual(row.cost, rates.tariffs[row.bucket].count.burst / 10, command)


class MeterTests(SynchronousTestCase):
    """Connections of accounts."""

    def setUp(self) -> None:
        """Four at once, then one a second; nobody waits longer than three seconds."""
        self.clock = Clock()
        limits = Limits(chat_burst=4, chat_per_second=1, fakelag_seconds=3, counters=2)
        self.settings = LiveSettings(Config(limits=limits))
        self.rates = RateLimits(self.settings, self.clock.seconds)

    def waits(self, meter: Meter, count: int) -> list[float]:
        """What so many take."""
        return [meter.charge(Bucket.CHAT, 1) for _ in range(count)]

    def test_fakelag_then_refusal(self) -> None:
        """The burst goes at once, the next ones wait longer and longer, and one more is refused and costs nothing."""
        meter = Meter(self.rates, "alice")
        self.assertEqual([0, 0, 0, 0, 1, 2, 3], self.waits(meter, 7))
        for _ in range(2):
            self.assertEqual(4.0, self.assertRaises(RateLimited, meter.charge, Bucket.CHAT, 1).after_seconds)
        self.clock.advance(1)
        self.assertEqual([3.0], self.waits(meter, 1))

    def test_devices_of_an_account(self) -> None:
        """Two connections of one account have no more than one; another account has its own."""
        first, second, other = Meter(self.rates, "alice"), Meter(self.rates, "alice"), Meter(self.rates, "bob")
        self.assertEqual([0] * 4, self.waits(first, 2) + self.waits(second, 2))
        self.assertEqual(([1.0], [2.0], [0.0]), (self.waits(first, 1), self.waits(second, 1), self.waits(other, 1)))

    def test_another_connection(self) -> None:
        """Who comes again finds the purse as it was left."""
        self.waits(Meter(self.rates, "alice"), 4)
        self.assertEqual([1.0], self.waits(Meter(self.rates, "alice"), 1))

    def test_forgotten_account(self) -> None:
        """Where the table of accounts has forgotten one, the connection's own purse still holds."""
        meter = Meter(self.rates, "alice")
        self.waits(meter, 4)
        for name in ("bob", "carol", "dave"):
            self.waits(Meter(self.rates, name), 1)
        self.assertEqual(2, len(self.rates.accounts))
        self.assertEqual([1.0], self.waits(meter, 1))

    def test_refusals_cost(self) -> None:
        """The answer to a refused command is paid for too, and waits; it is never refused itself."""
        limits = Limits(upkeep_burst=2, upkeep_per_second=1, fakelag_seconds=3)
        meter = Meter(RateLimits(LiveSettings(Config(limits=limits)), self.clock.seconds), "alice")
        self.assertEqual([0, 0, 1, 2, 3, 3, 3], [meter.charge_refusal(1) for _ in range(7)])

    def test_changed_settings(self) -> None:
        """New rates hold at once, for connections that stand."""
        meter = Meter(self.rates, "alice")
        self.waits(meter, 4)
        self.settings.replace(Config(limits=Limits(chat_burst=100, chat_per_second=1)))
        self.assertEqual([0] * 96, self.waits(meter, 96))


class ServerTests(SynchronousTestCase):
    """Over the wire."""

    def start(self, **limits: Any) -> MemoryClient:
        """Alice, in the lobby of a server with these limits."""
        self.server = WireServer(**limits)
        return self.server.join("alice")

    def burst(self, client: MemoryClient, count: int, text: str = "") -> list[int]:
        """Sends so many; gives their labels."""
        commands = [client.next_send(text) for _ in range(count)]
        for command in commands:
            client.tell(command)
        self.server.settle()
        return [command.label for command in commands]

    def stored(self, client: MemoryClient, labels: list[int]) -> int:
        """How many are answered, all of them by being stored."""
        replies = [client.reply(label) for label in labels if client.reply(label) is not None]
        self.assertEqual({"Sent"}, set(map(code, replies)))
        return len(replies)

    def test_burst_and_rate(self) -> None:
        """Of 230 messages 200 are stored at once, and two more each second; none is refused, and the order stays."""
        alice = self.start()
        labels = self.burst(alice, 230)
        self.assertEqual(200, self.stored(alice, labels))
        self.server.advance(1)
        self.assertEqual(202, self.stored(alice, labels))
        self.server.advance(14)
        self.assertEqual(230, self.stored(alice, labels))
        seqs = [alice.reply(label).seq for label in labels]
        self.assertEqual(sorted(seqs), seqs)

    def test_bytes(self) -> None:
        """Large messages are paid for by their bytes: six of 10 KB at once, then one a second."""
        alice = self.start()
        labels = self.burst(alice, 9, "x" * 10_000)
        self.assertEqual(6, self.stored(alice, labels))
        self.server.advance(2)
        self.assertEqual(8, self.stored(alice, labels))

    def test_chat_never_empties_upkeep(self) -> None:
        """Who has said all they may, and has as much waiting, pings, commits and leaves without waiting."""
        alice = self.start()
        self.burst(alice, 250)
        self.assertEqual("Ok", code(alice.ask(messages.Ping)))
        self.assertEqual("Committed", code(alice.commit(self.server.lobby)))
        self.assertEqual("Ok", code(alice.ask(messages.Leave, room=self.server.lobby, **self.leave_of(alice))))

    def leave_of(self, client: MemoryClient) -> dict[str, Any]:
        """The fields of a Leave."""
        made = self.server.smith.leave(client.account, self.server.lobby)
        return {"leaf": made.leaf, "signature": made.signature}

    def test_reading_pauses(self) -> None:
        """Where as many wait as may be under way nothing more is read, until the first of them has its turn."""
        alice = self.start(chat_burst=4, commands_in_flight=8, chat_per_second=1)
        self.burst(alice, 11)
        self.assertEqual("producing", alice.transport.producerState)
        self.burst(alice, 1)
        alice.tell(messages.Ping(10_000))
        self.server.settle()
        self.assertEqual("paused", alice.transport.producerState)
        self.assertIsNone(alice.reply(10_000))
        self.server.advance(1)
        self.assertEqual("Ok", code(alice.reply(10_000)))

    def test_who_runs_the_server_is_told(self) -> None:
        """Once each time that a connection is read no more: a line of the log, and a count; refusals are counted too."""
        alice = self.start(chat_burst=4, commands_in_flight=8, chat_per_second=1)
        counted: list[tuple[Any, ...]] = []
        effects = replace(self.server.context.effects, count=lambda *said: counted.append(said))
        force_setattr(self.server.context, "effects", effects)
        with capturedLogs() as events:
            self.burst(alice, 30)
            self.server.advance(5)
            alice.transmit([b"\x82\xa1t\xa7no such\xa5label\x07"])
            self.server.advance(40)
        self.assertEqual([("slowed",), ("refusals", "unknown_type")], counted)
        self.assertEqual(1, sum("too fast" in (event["log_format"] or "") for event in events))

    def test_refused_in_order(self) -> None:
        """What two devices say beyond the longest wait is refused with the time, and nothing overtakes it."""
        alice = self.start(chat_burst=4, chat_per_second=1, fakelag_seconds=2)
        labels = self.burst(alice, 8)
        replies = [alice.reply(label) for label in labels]
        self.assertEqual(["Sent"] * 4 + [None] * 2, [each and code(each) for each in replies[:6]])
        self.assertEqual({"rate_limited"}, set(map(code, replies[6:])))
        self.assertAlmostEqual(3.0, replies[6].after_seconds)
        self.server.advance(1)
        (late,) = self.burst(alice, 1)
        self.server.advance(2)
        self.assertEqual("busy", code(alice.reply(late)))

    def test_flood_of_refusals(self) -> None:
        """Messages that cannot be taken are answered at a rate too, and the connection is read no faster."""
        alice = self.start()
        for _ in range(300):
            alice.transmit([b"\x82\xa1t\xa7no such\xa5label\x07"])
        self.server.settle()
        answered = len(alice.all(messages.Error))
        self.assertIn(answered, range(190, 201))
        self.assertEqual("paused", alice.transport.producerState)
        self.server.advance(1)
        self.assertEqual(10, len(alice.all(messages.Error)) - answered)

    def test_flood_of_pings(self) -> None:
        """A thousand pings are answered at once, and fifty a second after that."""
        alice = self.start()
        spent = 1000 - self.pings(alice, 1200)
        self.assertLess(spent, 100)
        before = len(alice.all(messages.Ok))
        self.server.advance(1)
        self.assertEqual(50, len(alice.all(messages.Ok)) - before)

    def pings(self, client: MemoryClient, count: int) -> int:
        """How many of so many are answered."""
        client.transmit([encode_message(messages.Ping(100_000 + number)) for number in range(count // 2)])
        client.transmit([encode_message(messages.Ping(200_000 + number)) for number in range(count // 2)])
        self.server.settle()
        return len([reply for reply in client.all(messages.Ok) if reply.label >= 100_000])

    def test_paused_is_not_silent(self) -> None:
        """Who is made to wait longer than a silence may last is not cut off for it."""
        alice = self.start(chat_burst=1, commands_in_flight=2, chat_per_second=0.02, fakelag_seconds=300)
        self.burst(alice, 4)
        self.server.advance(120)
        self.assertFalse(alice.lost)


class ShareTests(SynchronousTestCase):
    """What one account may make in a day or an hour: as many as the bound, and then one each time that one is due again."""

    def start(self, **limits: Any) -> MemoryClient:
        """Alice, an administrator, in the lobby of a server with these limits."""
        self.server = WireServer(idle_seconds=600_000, session_max_seconds=604_800, **limits)
        return self.server.join("alice", role=Role.ADMIN)

    def check(self, bound: int, ask: Callable[[], Any]) -> None:
        """``bound`` are made, the next one is refused until a day's share has passed, and then there is one more."""
        made = [code(ask()) for _ in range(bound)]
        self.assertNotIn("rate_limited", made)
        refused = ask()
        self.assertEqual("rate_limited", code(refused))
        self.assertAlmostEqual(DAY_SECONDS / bound, refused.after_seconds, delta=1)
        self.server.clock.advance(refused.after_seconds)
        self.assertNotEqual("rate_limited", code(ask()))

    def test_each_is_a_setting(self) -> None:
        """Every one is a key of the settings."""
        for share in Share:
            self.assertEqual(getattr(Limits(), share.value), share.tariff(Limits()).count.burst)

    def test_invites(self) -> None:
        """An administrator makes no more invites than the bound; another one has their own."""
        alice = self.start(invites_per_day=3)
        bob = self.server.join("bob", role=Role.ADMIN)
        self.check(3, lambda: alice.ask(messages.MakeInvite))
        self.assertEqual("Invited", code(bob.ask(messages.MakeInvite)))

    def test_rooms(self) -> None:
        """An account makes no more rooms than the bound, whatever becomes of them."""
        alice = self.start(rooms_made_per_day=2)

        def make() -> Any:
            room, ops = self.server.smith.create(alice.account, nonce=self.server.random(32))
            return alice.commit(room, *ops)

        self.check(2, make)

    def test_names(self) -> None:
        """An account takes no more names for public rooms than the bound; private rooms it makes as before."""
        alice, number = self.start(names_per_day=2), count()

        def make() -> Any:
            policy = replace(PUBLIC, name=f"room{next(number)}")
            room, ops = self.server.smith.create(alice.account, nonce=self.server.random(32), policy=policy)
            return alice.commit(room, *ops)

        self.check(2, make)
        room, ops = self.server.smith.create(alice.account, nonce=self.server.random(32))
        self.assertEqual("Committed", code(alice.commit(room, *ops)))

    def test_leaves(self) -> None:
        """An account puts no more leaves into the log by commits in public rooms than the bound."""
        alice = self.start(log_leaves_per_day=4, commits_per_hour=1000, commits_per_hour_moderator=1000)
        size = self.server.context.log.size
        self.check(4, lambda: alice.commit(self.server.lobby))
        self.assertEqual(size + 5, self.server.context.log.size)

    def test_leases(self) -> None:
        """An account holds no more leases at once than the bound, on all of its connections."""
        alice = self.start(leases_per_account=2)
        rooms = [self.server.make_room(alice.account) for _ in range(3)]
        self.assertEqual(["Lease"] * 2, [code(alice.begin(room)) for room in rooms[:2]])
        self.assertEqual("busy", code(alice.begin(rooms[2])))
        alice.ask(messages.EndCommit, room=rooms[0])
        self.assertEqual("Lease", code(alice.begin(rooms[2])))

    def test_refused_commits(self) -> None:
        """Who has sent so many wrong commits begins none for a while, in no room."""
        alice = self.start(commits_refused_per_hour=3, commits_per_hour=100, commits_per_hour_moderator=100)
        rooms = [self.server.make_room(alice.account) for _ in range(4)]
        for room in rooms[:3]:
            alice.begin(room)
            self.assertEqual("stale_commit", code(alice.submit(alice.make(room, epoch=7))))
        refused = alice.begin(rooms[3])
        self.assertEqual(("rate_limited", 1200.0), (code(refused), round(refused.after_seconds)))


class UploadTests(SynchronousTestCase):
    """The bounds of the other two buckets, and one more."""

    def setUp(self) -> None:
        """The default limits."""
        self.clock = Clock()
        self.meter = Meter(RateLimits(LiveSettings(Config()), self.clock.seconds), "alice")

    def test_uploads(self) -> None:
        """4 MB at once, and one more byte waits as long as 1 MB a second says; what is said does not wait for that."""
        limits = Limits()
        self.assertEqual(0.0, self.meter.charge(Bucket.UPKEEP, 1, limits.upload_burst_bytes))
        self.assertEqual(0.5, self.meter.charge(Bucket.UPKEEP, 1, limits.upload_bytes_per_second // 2))
        self.assertEqual((0.0, 0.0), (self.meter.charge(Bucket.CHAT, 1, 1), self.meter.charge(Bucket.READ, 1)))

    def test_a_commit_with_wraps_for_many(self) -> None:
        """Whoever commits in the largest room, with keys fetched and wraps uploaded, does not wait."""
        costs = [TABLE[each].cost for each in (messages.BeginCommit, messages.PutCommit)]
        costs += [TABLE[messages.FetchKeys].cost] * (1000 // KEYS_PAGE + 1)
        costs += [TABLE[messages.PutWraps].cost] * (1000 // WRAPS_PAGE + 1)
        self.assertEqual({0.0}, {self.meter.charge(Bucket.UPKEEP, cost, 2000) for cost in costs})

    def test_reads(self) -> None:
        """A device that comes back after weeks asks for 2,000 wraps without waiting; one more waits."""
        self.assertEqual({0.0}, {self.meter.charge(Bucket.READ, 1) for _ in range(2000)})
        self.assertEqual(0.01, round(self.meter.charge(Bucket.READ, 1), 6))
