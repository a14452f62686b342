"""Which news are read where."""

from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Alarm, ClientEvent, DeviceAsks, DeviceGone, DeviceSeen, IdentityChanged, KeysBroken
from chatserv.client.events import (
    Announced,
    ArchiveFull,
    Delivered,
    GapSeen,
    MessageDeleted,
    MessageEdited,
    MessagesExpired,
    MessagesMissing,
    OtherServer,
    PresenceSeen,
    Reacted,
    ReadMoved,
    RetentionChanged,
    RoomChanged,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomRewound,
    RoomTitled,
    RotationDone,
    RotationOpen,
    SendAcknowledged,
    SendDelayed,
    SendFailed,
    SendHeld,
    SendQueued,
    ServerKeyChanged,
    ServerRestored,
    Status,
    StatusChanged,
    TypingSeen,
)
from chatserv.client.file_events import FileProgress, FileState
from chatserv.client.history_results import HistoryReceived
from chatserv.errors import Muted
from clients.terminal.news_filter import concerns
from tests.client.slash_fakes import message

ID = b"\1" * 16


class ConcernsTests(SynchronousTestCase):
    """`clients.terminal.news_filter.concerns`."""

    def test_every_event(self) -> None:
        """What concerns all is read anywhere, a room's news in the room alone; the rest is shown in other ways."""
        anywhere = (
            Alarm("old_log"), Announced("x", 0), DeviceSeen("bob", ID), IdentityChanged("bob", was_verified=False),
            DeviceAsks(ID, "six words"), DeviceGone(ID), ServerKeyChanged(ID), ServerRestored(1, 2),
            OtherServer("b.example:5000"),
            RotationOpen(("phone",)), RotationDone(), HistoryReceived("phone", None),
            SendHeld("plans", ("bob",)), SendFailed(ID, Muted()), SendDelayed("plans", Muted()),
            RoomJoined("plans"), RoomLeft("plans"),
            RoomOffered("plans", "bob"), PresenceSeen("bob", "away"), GapSeen("plans", 1, 2), ArchiveFull("plans", 9),
            MessagesExpired("plans", 1, 2), RetentionChanged(0, 0),
            MessagesMissing("plans", "bob", 1), RoomRewound("plans", 2, 1), KeysBroken("plans", "bob"),
        )  # fmt: skip
        here = (
            MessageEdited("plans", ID, "bob", "x"), MessageDeleted("plans", ID, "bob"),
            Reacted("plans", ID, "bob", "x", on=True),
            RoomChanged("plans", "bob", ()), RoomTitled("plans", "plan", "", "bob"),
        )  # fmt: skip
        nowhere = (
            StatusChanged(Status.ONLINE), message(1, room="plans"), SendQueued("plans", ID, "x", 0), SendAcknowledged(ID, 1),
            Delivered("plans", "bob", (ID,)), ReadMoved("plans", "bob", 1), TypingSeen("plans", "bob"),
            FileProgress("plans", ID, 1, 2, "up", FileState.MOVING),
        )  # fmt: skip
        for events, expected in ((anywhere, (True, True)), (here, (True, False)), (nowhere, (False, False))):
            for event in events:
                self.assertEqual((concerns(event, "plans"), concerns(event, "lobby")), expected, event)
        covered = {type(event) for events in (anywhere, here, nowhere) for event in events}
        self.assertEqual(covered, set(get_args(ClientEvent)))
