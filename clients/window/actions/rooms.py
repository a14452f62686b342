"""What a person asks for about rooms."""

from chatserv.client import RoomHandle, parting_line, place, shown, translate
from clients.window.actions.doing import Doing
from clients.window.actions.people import PeopleActions
from clients.window.dialogs.dialog import Field, confirm


class RoomActions:
    """Going, coming, making, leaving.

    Args:
        doing: Does it.
        people: For who is refused and ignored.
    """

    def __init__(self, doing: Doing, people: PeopleActions) -> None:
        self._doing, self._context, self._people = doing, doing.context, people

    def go(self, room: str) -> None:
        """Goes to a room of ours, or asks whether we want to be in it."""
        handle = self._context.handle(room) if room else None
        if handle is not None:
            self.go_to(handle)

    def go_to(self, handle: RoomHandle) -> None:
        """The same, where the room is known already."""
        talk = self._context.talk
        if talk is None or self._context.reader is None:
            return
        if handle.offered:
            self.offer(handle)
            return
        if handle.name != self._context.conversations.current:
            talk.go(handle)
        self._doing.presenter.follow()
        self._context.layout.to_entry()

    def offer(self, handle: RoomHandle) -> None:
        """A room waits for our consent."""
        user = handle.name.removeprefix("@")
        confirm(
            self._context.root,
            translate("Invitation to {room}").format(room=place(handle.name)),
            explain_offer(handle.name),
            translate("Accept"),
            lambda: self.accept(handle),
            (translate("Refuse"), lambda: self.refuse(handle)),
            *([(translate("Refuse, and ignore"), lambda: self._people.ignore(user))] if handle.direct else []),
        )

    def refuse(self, handle: RoomHandle) -> None:
        """We do not agree to a room; direct messages are not offered again."""

        async def work() -> None:
            await handle.refuse()
            self._doing.presenter.lists.rooms.ask()

        if self._context.reader is not None:
            self._doing.run(work())

    def accept(self, handle: RoomHandle) -> None:
        """We agree to a room."""
        talk = self._context.talk
        if talk is None or self._context.client is None:
            return
        handle.accept()
        if handle.name in self._context.client.rooms:
            talk.go(handle)
            self._doing.presenter.follow()
            self._context.layout.to_entry()

    def leave(self, handle: RoomHandle) -> None:
        """We leave a room."""
        if self._context.client is not None:
            self._doing.run(handle.leave())

    def ask_to_leave(self, handle: RoomHandle | None) -> None:
        """Asks first."""
        if handle is None:
            return
        text = translate("Leave {room}? You will not receive what is said there afterwards.").format(
            room=place(handle.name)
        )
        if self._context.client is not None:
            text = parting_line(handle, self._context.client.user) or text
        confirm(
            self._context.root, translate("Leave the room"), text,
            translate("Leave"), lambda: self.leave(handle),
        )  # fmt: skip

    def create_room(self) -> None:
        """Asks for a name, and whether anybody may come in."""
        private, public = translate("private: by invitation"), translate("public: anybody can join")

        def words(values: list[str]) -> tuple[str, ...]:
            name, topic, kind = values
            return ("create-public" if kind == public else "create", name, topic) if name else ()

        fields = [
            Field(translate("Name")),
            Field(translate("Topic")),
            Field(translate("Kind"), private, (private, public), only_choices=True),
        ]
        text = translate("The server knows name and topic of public rooms only.")
        self._doing.form(translate("New room"), text, fields, translate("Create"), words)

    def invite(self) -> None:
        """Asks whom to bring into the room on the screen."""
        self._doing.one_word_here(translate("Invite"), translate("User name"), translate("Invite"), "invite")

    def join_room(self) -> None:
        """Asks which of the public rooms."""
        client = self._context.client
        if client is None:
            return
        free = self._doing.watch()

        async def work() -> None:
            names = [room.name for room in await client.public_rooms() if room.name not in client.rooms]
            field = Field(translate("Room"), names[0] if names else "", names)
            text = translate("Public rooms of this server: {count}").format(count=len(names))
            self._doing.form(
                translate("Join a room"), text, [field], translate("Join"),
                lambda v: ("join", v[0]) if v[0] else (), take=free(),
            )  # fmt: skip

        self._doing.run(work())


def explain_offer(room: str) -> str:
    """What a room that waits for our consent is."""
    if room.startswith("@"):
        said = translate(
            "{user} wants to chat with you. Nothing is shown until you accept. If you refuse, they are "
            "not told and cannot ask again."
        )
        return said.format(user=shown(room[1:]))
    said = translate("You are invited to {room}. Nothing is shown until you accept.")
    return said.format(room=place(room))
