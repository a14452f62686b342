"""What a delivery costs in a room of 50 and in one of 5,000: encoded once, queued and sealed for each, and then dropped.

A commit brings a thousand devices into a room at most. Envelopes are opaque to what delivers them, so there is none here:
the room is made in the hub. Neither are there sockets: 5,000 of them cost the kernel what it is not asked here.
"""

import os
import time
from collections.abc import Iterator
from statistics import median
from typing import Any, Final, cast

from twisted.internet.task import Clock

from bench.start import BODY_BYTES
from chatserv.commands.delivery import deliver
from chatserv.commands.room_registry import RoomRegistry
from chatserv.crypto.session import RecordKey
from chatserv.domain.hub import Hub, LiveRoom, LiveSession, Place
from chatserv.domain.roles import Role
from chatserv.limits import Limits
from chatserv.models import Event, EventKind
from chatserv.net.sendq import SendQueue, TurnFlusher
from chatserv.wire.records import RecordLayer, RekeyLimits

AUDIENCES: Final = (50, 5_000)
DELIVERIES = 200_000  # of each
ROOM: Final = bytes(16)


class Nowhere:
    """A transport that takes everything and keeps nothing."""

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """It never says stop."""

    def write(self, data: bytes) -> None:
        """Gone."""


def audiences() -> Iterator[dict[str, object]]:
    """Us of CPU a delivery, the median of the turns, one message each."""
    for members in AUDIENCES:
        yield {
            "scenario": "growth",
            "what": f"a room of {members:,}",
            "members": members,
            "deliver_us": round(_deliver(members), 2),
        }


def _deliver(members: int) -> float:
    clock, hub, nowhere = Clock(), Hub(members), Nowhere()
    hub.add_rooms([LiveRoom(ROOM, "", 0, 0)])
    flusher, limits = TurnFlusher(clock), Limits()
    for number in range(members):
        layer = RecordLayer(
            RecordKey(os.urandom(32)), RecordKey(os.urandom(32)), limits.line_bytes, RekeyLimits(), clock.seconds
        )
        # Which nothing is told here.
        queue = SendQueue(cast(Any, layer), nowhere, nowhere.write, flusher, limits, cast(Any, None))
        name = number.to_bytes(16)
        session = LiveSession(name, name.hex(), Role.USER, name, queue, {ROOM: Place(number, 0)})
        hub.attach(session)
        hub.rooms[ROOM].live[session] = None
    registry, times = cast(RoomRegistry, None), []  # only commits need one
    for seq in range(1, max(3, DELIVERIES // members) + 1):
        event = Event(ROOM, seq, 0, "alice", EventKind.MESSAGE, os.urandom(BODY_BYTES))
        began = time.thread_time()
        deliver(hub, registry, [event])
        clock.advance(0)
        times.append((time.thread_time() - began) * 1e6 / members)
    return median(times)
