"""A room that the operator closes, and who logs in around that: they are told so, and nobody is accused."""

from collections.abc import Iterable

from twisted.internet.defer import Deferred

from chatserv.client.events import RoomLeft
from chatserv.commands.leaving import close_deserted, close_room
from chatserv.commands.room_registry import RoomRecord
from chatserv.crypto.log_leaves import ZEROS, removal_leaf
from chatserv.wire import messages
from tests.client.attackers import Tap, alarms, engine_of, log_leaf, room_of
from tests.client.mending.test_restored import MendingCase


class EndedRoomTests(MendingCase):
    """Carol is away when it ends."""

    def setUp(self) -> None:
        """She goes."""
        super().setUp()
        self.carol.leave_the_machine()
        self.world.settle(2)

    def record(self) -> RoomRecord:
        """The room."""
        record = self.world.server.context.registry.get(room_of(self.alice, "plans").room_id)
        assert record is not None
        return record

    def assert_told(self) -> None:
        """Everybody knows that the room has ended, and why."""
        for person in (self.alice, self.bob, self.carol):
            self.assertEqual([RoomLeft("plans", closed=True)], person.events(RoomLeft), person.name)
            self.assertEqual([], alarms(person), person.name)

    def test_while_the_log_is_signed(self) -> None:
        """Who logs in while the log that says so is being signed comes in when it is."""
        context = self.world.server.context
        sign, signed = context.log._sign, Deferred[None]()

        async def slow(what: bytes) -> bytes:
            await signed
            return await sign(what)

        context.log._sign = slow
        closing = Deferred.fromCoroutine(close_room(context, self.record(), in_use=True))
        self.world.settle(1)
        self.carol.come_back()
        self.world.settle(1)
        self.assertEqual([], alarms(self.carol))
        signed.callback(None)
        self.world.settle(80)
        self.successResultOf(closing)
        self.assertTrue(self.carol.online)
        self.assert_told()

    def test_before_a_restored_server_ends_it(self) -> None:
        """What the log says counts, though the store has the room still; who has it is told where the log says so."""
        context, room_id = self.world.server.context, self.record().room_id
        told: list[messages.RoomClosed] = []

        def note(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
            if isinstance(message, messages.RoomClosed):
                told.append(message)
            return (message,)

        Tap(self.bob, note)
        log_leaf(self.world, removal_leaf(context.log.server_id, room_id, ZEROS, context.now_ms()))
        self.world.settle(2)
        self.carol.come_back()
        self.world.settle(2)
        self.world.do(close_deserted(context))
        self.world.settle(80)
        self.assertEqual([messages.RoomClosed(room_id, context.log.ended(room_id))], told)
        self.assert_told()

    def test_while_a_restored_server_mends(self) -> None:
        """The room goes when the log has its leaves back, from those who are there and from who comes."""
        record = self.record()
        self.world.do(close_room(self.world.server.context, record, in_use=True))
        self.world.settle(3)
        self.old.mend()
        self.world.settle(8)
        self.carol.come_back()
        self.world.settle(80)
        self.assertTrue(self.world.server.context.mending.active)
        session = self.world.server.context.hub.session_of(engine_of(self.carol).context.device_id)
        assert session is not None
        self.assertNotIn(record.room_id, session.places)
        self.finish()
        self.assertIsNone(self.world.server.context.registry.get(record.room_id))
        self.assert_told()
