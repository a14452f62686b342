"""All that a person can ask for by menu, key or dialog."""

from dataclasses import dataclass

from clients.window.actions.account import AccountActions
from clients.window.actions.administration import AdminActions
from clients.window.actions.devices import DeviceActions
from clients.window.actions.doing import Doing
from clients.window.actions.files import FileActions
from clients.window.actions.messages import MessageActions
from clients.window.actions.people import PeopleActions
from clients.window.actions.recovery import RecoveryActions
from clients.window.actions.rooms import RoomActions


@dataclass(frozen=True)
class PersonActions:
    """By what they are about; ``doing`` for slash commands."""

    doing: Doing
    messages: MessageActions
    files: FileActions
    rooms: RoomActions
    people: PeopleActions
    recovery: RecoveryActions
    devices: DeviceActions
    account: AccountActions
    admin: AdminActions

    @classmethod
    def of(cls, doing: Doing) -> "PersonActions":
        """All of them."""
        people, messages = PeopleActions(doing), MessageActions(doing)
        return cls(
            doing, messages, FileActions(doing, messages), RoomActions(doing, people), people,
            RecoveryActions(doing), DeviceActions(doing), AccountActions(doing), AdminActions(doing),
        )  # fmt: skip
