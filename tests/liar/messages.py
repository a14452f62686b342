"""Lies about messages: dropped, delayed, moved, repeated, cut off."""

from collections.abc import Iterable
from typing import Final

import msgspec

from chatserv.client.events import MessageReceived, MessagesMissing, RoomRewound
from chatserv.client.inbound.closing_heads import ClosingHeads
from chatserv.client.inbound.message_reader import MessageReader
from chatserv.client.inbound.places import Places
from chatserv.client.storage.chains import ChainTable
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import OldCopy, Renumber, Tap, as_it_is, is_message, room_of, swapping
from tests.liar.stage import Lie, Stage


def _renumbered(stage: Stage, dropped: int) -> Renumber:
    """What an honest server sends of #plans, after so many events that nobody saw were left out."""
    edit = Renumber(room_of(stage.carol, "plans").room_id, lambda _: False)
    edit.dropped = dropped
    return edit


def drop(stage: Stage) -> None:
    """Carol does not get what Alice says, and the rest is numbered anew."""
    tap = Tap(stage.carol, Renumber(room_of(stage.carol, "plans").room_id, is_message))
    stage.lied()
    stage.alice.say("plans", "lost")
    tap.edit = _renumbered(stage, 1)
    stage.alice.say("plans", "there")


def swallow(stage: Stage) -> None:
    """Bob's message is acknowledged, and nobody gets it."""
    for person in (stage.alice, stage.carol):
        Tap(person, Renumber(room_of(person, "plans").room_id, is_message))
    stage.lied()
    stage.bob.say("plans", "lost")
    stage.world.settle(8)
    stage.alice.do(stage.alice.room("plans").rotate())


def swap(stage: Stage, first: Person, second: Person) -> None:
    """Carol gets what two people say in the other order."""
    Tap(stage.carol, swapping())
    stage.lied()
    first.say("plans", "one")
    second.say("plans", "two")


def replay(stage: Stage) -> None:
    """Carol gets the same message once more, at another place."""
    tap = Tap(stage.carol)
    stage.alice.say("plans", "pay him")
    again = tap.events("plans")[-1]
    stage.lied()
    tap.post("plans", again.body, again.sender)


def delay(stage: Stage) -> None:
    """Carol gets what is said a quarter of an hour later."""
    held: list[messages.ServerMessage] = []

    def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        if isinstance(message, messages.Event):
            held.append(message)
            return ()
        return (message,)

    tap = Tap(stage.carol, edit)
    stage.lied()
    stage.alice.say("plans", "late")
    stage.world.settle(900)
    tap.edit = as_it_is
    tap.send(*held)
    if ("alice1", "late") not in stage.carol.texts("plans"):
        raise AssertionError("it does not come")


def truncate(stage: Stage) -> None:
    """Carol was away; of what was said the server leaves out the end."""
    stage.carol.leave_the_machine()
    for text in ("one", "two", "three"):
        stage.alice.say("plans", text)
    carol = stage.carol
    carol.told.clear()
    carol.client = carol._make(follow=True)
    room_id = next(room.room_id for room in stage.alice.client.engine.rooms.ours() if room.made_as[0] == "plans")
    seen: list[messages.Event] = []

    def last_two(event: messages.Event) -> bool:
        seen.append(event)
        return is_message(event) and len(seen) > 1

    cut = Renumber(room_id, last_two)

    def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        if isinstance(message, messages.Welcome):
            rooms = [
                msgspec.structs.replace(each, head=each.head - 2) if each.room == room_id else each
                for each in message.rooms
            ]
            return (msgspec.structs.replace(message, rooms=tuple(rooms)),)
        return cut(message)

    Tap(carol, edit)
    stage.lied()
    carol.client.start()
    stage.world.settle(8)
    stage.bob.do(stage.bob.room("plans").rotate())


def roll_back(stage: Stage) -> None:
    """The server goes back to a copy from before the last things were said."""
    old = OldCopy(stage.world)
    stage.alice.say("plans", "lost")
    stage.lied()
    old.restore()
    stage.world.settle(8)


def _none(*_: object) -> list[object]:
    return []


LIES: Final = (
    Lie(
        "drop a message",
        drop,
        "carol1",
        MessagesMissing,
        2,
        "with alice1's next message",
        "Messages of alice1 are missing (1): the server lost or withheld them",
        blind=lambda stage: stage.patch(MessageReader, "_skipped", _none),
    ),
    Lie(
        "acknowledge a message, and pass it on to nobody",
        swallow,
        "bob1",
        MessagesMissing,
        10,
        "with the next change by somebody else",
        "Messages of yours that alice1 did not get",
        blind=lambda stage: stage.patch(ClosingHeads, "_swallowed", _none),
    ),
    Lie(
        "truncate a room for who was away",
        truncate,
        "carol1",
        MessagesMissing,
        10,
        "with the room's next change",
        "Messages of alice1 are missing (2)",
        blind=lambda stage: stage.patch(ClosingHeads, "compare", _none),
    ),
    Lie(
        "reorder two messages of one sender",
        lambda stage: swap(stage, stage.alice, stage.alice),
        "carol1",
        MessagesMissing,
        2,
        "at once",
        "Messages of alice1 are missing (1)",
        blind=lambda stage: stage.patch(MessageReader, "_skipped", _none),
    ),
    Lie(
        "replay a message",
        replay,
        "carol1",
        MessageReceived,
        2,
        "at once",
        "cannot be read",
        blind=lambda stage: stage.patch(ChainTable, "save_reached", lambda *_: None),
    ),
    Lie(
        "roll back to an old copy",
        roll_back,
        "carol1",
        RoomRewound,
        10,
        "with the next connection",
        "The server lost messages of this room",
        blind=lambda stage: stage.patch(Places, "_compare", lambda *_: None),
    ),
    Lie(
        "delay messages",
        delay,
        why="everything comes, later; only what is swallowed for good is told, and a log that stands still for a day",
    ),
    Lie(
        "reorder messages of two senders",
        lambda stage: swap(stage, stage.alice, stage.bob),
        why="the order of different senders is the server's; both are shown",
    ),
)
