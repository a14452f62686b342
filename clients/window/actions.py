"""All that a person can ask for by menu, key or dialog."""

from dataclasses import dataclass

from clients.window.doing import Doing
from clients.window.message_actions import MessageActions
from clients.window.people_actions import PeopleActions
from clients.window.room_actions import RoomActions


@dataclass(frozen=True)
class PersonActions:
    """By what they are about; ``doing`` for slash commands."""

    doing: Doing
    messages: MessageActions
    rooms: RoomActions
    people: PeopleActions

    @classmethod
    def of(cls, doing: Doing) -> "PersonActions":
        """All of them."""
        people = PeopleActions(doing)
        return cls(doing, MessageActions(doing), RoomActions(doing, people), people)
