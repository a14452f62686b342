"""What a person asks for about rooms."""

from collections.abc import Callable

from chatserv.client import format_link, place, translate
from clients.window.dialogs import Field, Form, confirm
from clients.window.doing import Doing


class RoomActions:
    """Going, coming, making, leaving.

    Args:
        doing: Does it.
        give_up: What was begun in the field does not go to another room.
    """

    def __init__(self, doing: Doing, give_up: Callable[[], None]) -> None:
        self._doing, self._give_up = doing, give_up

    def go(self, room: str) -> None:
        """Goes to a room of ours, or asks whether we want to be in it."""
        handle, talk = self._doing.screen.handle(room), self._doing.talk
        if handle is None or talk is None:
            return
        if handle.offered:
            self.offer(room)
            return
        if handle.name != self._doing.conversations.current:
            self._give_up()
            talk.go(handle)
        self._doing.screen.follow()
        self._doing.layout.entry.focus_in()

    def offer(self, room: str) -> None:
        """A room waits for our consent."""
        confirm(
            self._doing.layout.root,
            translate("Invitation to {room}").format(room=place(room)),
            self._doing.screen.explain_offer(room),
            translate("Accept"),
            lambda: self.accept(room),
            *([] if room.startswith("@") else [(translate("Refuse"), lambda: self.leave(room))]),
        )

    def accept(self, room: str) -> None:
        """We agree to a room."""
        handle, talk = self._doing.screen.handle(room), self._doing.talk
        if handle is not None and talk is not None:
            handle.accept()
            talk.go(handle)
            self._doing.screen.follow()

    def leave(self, room: str) -> None:
        """We leave a room, or refuse it."""
        handle = self._doing.screen.handle(room)
        if handle is not None:
            self._doing.run(handle.leave())

    def ask_to_leave(self, room: str = "") -> None:
        """Asks first."""
        name = room or self._doing.conversations.current
        text = translate("Leave {room}? What is said there afterwards does not reach you.").format(room=place(name))
        confirm(
            self._doing.layout.root, translate("Leave the room"), text, translate("Leave"), lambda: self.leave(name)
        )

    def create_room(self) -> None:
        """Asks for a name, and whether anybody may come in."""
        private, public = translate("private: by invitation"), translate("public: anybody may join")

        def line(values: list[str]) -> str:
            name, topic, kind = values
            command = "create-public" if kind == public else "create"
            return f"/{command} {name} {topic}".rstrip() if name else ""

        fields = [
            Field(translate("Name")),
            Field(translate("Topic")),
            Field(translate("Kind"), private, (private, public), only_choices=True),
        ]
        text = translate("The server knows name and topic of public rooms only.")
        self._doing.form(translate("New room"), text, fields, translate("Make it"), line)

    def join_room(self) -> None:
        """Asks which of the public rooms."""
        client = self._doing.client
        if client is None:
            return

        async def work() -> None:
            names = [room.name for room in await client.public_rooms() if room.name not in client.rooms]
            field = Field(translate("Room"), names[0] if names else "", names)
            text = translate("Public rooms of this server: {count}").format(count=len(names))
            self._doing.form(
                translate("Join a room"), text, [field], translate("Join"), lambda v: f"/join {v[0]}" if v[0] else ""
            )

        self._doing.run(work())

    def invite_to_server(self) -> None:
        """Makes a link that lets one person register, and shows it."""
        client = self._doing.client
        if client is None:
            return

        async def work() -> None:
            link = format_link(await client.admin.make_invite())
            text = translate("Give this link to one person, by a way that you trust. It works once.")
            form = Form(
                self._doing.layout.root, translate("Invitation to the server"), text, [Field(translate("Link"), link)],
                translate("Copy"), lambda _: self._doing.copy(link),
            )  # fmt: skip
            form.ask()

        self._doing.run(work())
