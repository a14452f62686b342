"""All that a person can ask for by menu, key or dialog."""

from dataclasses import dataclass

from clients.window.actions.doing import Doing
from clients.window.actions.messages import MessageActions
from clients.window.actions.people import PeopleActions
from clients.window.actions.rooms import RoomActions


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
