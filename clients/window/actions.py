"""What a person asks for about rooms, messages and members, by menu, key or dialog."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatserv.client import (
    ChatError,
    Client,
    MemberView,
    MessageReceived,
    WaitingMessage,
    explained,
    format_link,
    message_text,
    place,
    quotation,
    shown,
    translate,
)
from clients.talk import Talk
from clients.window.conversations import Conversations
from clients.window.dialogs import Field, Form, confirm, tell
from clients.window.entries import RESULT
from clients.window.layout import Layout
from clients.window.screen import Screen
from clients.window.searching import MOST, Searching
from clients.window.session import Session
from clients.window.verifying import Verifying

EMOJI: Final = ("👍", "❤", "😂", "🎉", "😮", "😢", "👀", "✅")


class PersonActions:
    """Carries out what menus and keys stand for.

    Args:
        session: Has the client.
        screen: Has the room.
        conversations: What was said.
        layout: Gives the parts of the window, once they are there.
        talk: Gives the talk that the connection has, if there is one.
    """

    def __init__(
        self,
        session: Session,
        screen: Screen,
        conversations: Conversations,
        layout: Callable[[], Layout],
        talk: Callable[[], Talk | None],
    ) -> None:
        self._session, self._screen, self._conversations = session, screen, conversations
        self._layout, self._talk = layout, talk
        self._mode: tuple[str, MessageReceived] | None = None

    @property
    def client(self) -> Client | None:
        """The client, while it can be asked."""
        return self._session.client if self._session.running else None

    # -- doing ----------------------------------------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Does something that the server takes part in; what it refuses is told."""
        Deferred.fromCoroutine(work).addErrback(self._refused)

    def _refused(self, failure: Failure) -> None:
        failure.trap(ChatError)
        if isinstance(failure.value, ChatError):
            self.refuse(failure.value)

    def refuse(self, error: ChatError) -> None:
        """Tells why something is not done."""
        tell(self._layout().root, translate("Not done"), explained(error))

    def command(self, line: str) -> None:
        """Carries a slash command out, as if it had been typed; its lines stand in the conversation."""
        talk = self._talk()
        if talk is None or self.client is None:
            tell(self._layout().root, translate("Not done"), translate("Not connected."))
            return
        slash = talk.slash

        async def work() -> None:
            lines = await slash.run(line)
            self._screen.follow()
            for each in lines:
                self._conversations.say(each, RESULT)
            self._screen.chat.ask()

        self.run(work())

    def sent(self, begin: Callable[[], "Deferred[int]"]) -> None:
        """Sends something; what becomes of it, events tell."""
        try:
            begin().addErrback(lambda _: None)
        except ChatError as error:
            self.refuse(error)

    # -- rooms ----------------------------------------------------------------------------------------------------------

    def go(self, room: str) -> None:
        """Goes to a room of ours, or asks whether we want to be in it."""
        handle, talk = self._screen.handle(room), self._talk()
        if handle is None or talk is None:
            return
        if handle.offered:
            self.offer(room)
            return
        if handle.name != self._conversations.current:
            self.give_up()
            talk.slash.go(handle)
        self._screen.follow()
        self._layout().entry.focus_in()

    def offer(self, room: str) -> None:
        """A room waits for our consent."""
        confirm(
            self._layout().root,
            translate("Invitation to {room}").format(room=place(room)),
            self._screen.explain_offer(room),
            translate("Accept"),
            lambda: self.accept(room),
            *([] if room.startswith("@") else [(translate("Refuse"), lambda: self.leave(room))]),
        )

    def accept(self, room: str) -> None:
        """We agree to a room."""
        handle, talk = self._screen.handle(room), self._talk()
        if handle is not None and talk is not None:
            handle.accept()
            talk.slash.go(handle)
            self._screen.follow()

    def leave(self, room: str) -> None:
        """We leave a room, or refuse it."""
        handle = self._screen.handle(room)
        if handle is not None:
            self.run(handle.leave())

    def ask_to_leave(self, room: str = "") -> None:
        """Asks first."""
        name = room or self._conversations.current
        text = translate("Leave {room}? What is said there afterwards does not reach you.").format(room=place(name))
        confirm(self._layout().root, translate("Leave the room"), text, translate("Leave"), lambda: self.leave(name))

    def form(self, title: str, text: str, fields: list[Field], label: str, line: Callable[[list[str]], str]) -> None:
        """Asks for the words of a slash command.

        Args:
            title: Of the dialog.
            text: What it is about.
            fields: What to fill in.
            label: Of the button.
            line: Makes the command of what was filled in; empty where something is missing.
        """

        def go(values: list[str]) -> str | None:
            command = line([value.strip() for value in values])
            if not command:
                return translate("Something is missing.")
            self.command(command)
            return None

        Form(self._layout().root, title, text, fields, label, go).ask()

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
        self.form(translate("New room"), text, fields, translate("Make it"), line)

    def join_room(self) -> None:
        """Asks which of the public rooms."""
        client = self.client
        if client is None:
            return

        async def work() -> None:
            names = [room.name for room in await client.public_rooms() if room.name not in client.rooms]
            field = Field(translate("Room"), names[0] if names else "", names)
            text = translate("Public rooms of this server: {count}").format(count=len(names))
            self.form(
                translate("Join a room"), text, [field], translate("Join"), lambda v: f"/join {v[0]}" if v[0] else ""
            )

        self.run(work())

    def invite_to_server(self) -> None:
        """Makes a link that lets one person register, and shows it."""
        client = self.client
        if client is None:
            return

        async def work() -> None:
            link = format_link(await client.admin.make_invite())
            text = translate("Give this link to one person, by a way that you trust. It works once.")
            form = Form(
                self._layout().root, translate("Invitation to the server"), text, [Field(translate("Link"), link)],
                translate("Copy"), lambda _: self.copy(link),
            )  # fmt: skip
            form.ask()

        self.run(work())

    def copy(self, text: str) -> None:
        """Puts a text on the clipboard."""
        self._layout().root.clipboard_clear()
        self._layout().root.clipboard_append(text)

    def one_word(self, title: str, label: str, button: str, command: str, value: str = "", text: str = "") -> None:
        """Asks for one thing that a command is about."""
        self.form(title, text, [Field(label, value)], button, lambda v: f"/{command} {v[0]}" if v[0] else "")

    # -- messages -------------------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> MessageReceived | None:
        """The message that is marked, as it is now."""
        entry = self._layout().chat.chosen
        if not isinstance(entry, MessageReceived):
            return None
        return self._conversations.here.find(entry.message_id) or entry

    @property
    def chosen_waiting(self) -> WaitingMessage | None:
        """The text on its way that is marked."""
        entry = self._layout().chat.chosen
        return entry if isinstance(entry, WaitingMessage) else None

    def may_delete(self, message: MessageReceived) -> bool:
        """Whether we may take a message back."""
        handle = self._screen.handle(message.room)
        moderates = handle is not None and not handle.direct and handle.role in {"moderator", "owner"}
        return not message.deleted and (message.own or moderates)

    def act(self, what: str) -> None:
        """A key that stands for an action on the marked message."""
        message = self.chosen
        if what == "newest":
            self._screen.newest()
        elif message is None or self.client is None:
            return
        elif what == "reply" and message.text is not None:
            self._begin_mode("reply", message)
        elif what == "edit" and message.own and message.text is not None:
            self._begin_mode("edit", message)
        elif what == "delete" and self.may_delete(message):
            self._ask_to_delete(message)
        elif what == "react" and message.text is not None:
            self._ask_for_sign(message)
        elif what == "copy":
            self.copy(message_text(message))

    def _begin_mode(self, what: str, message: MessageReceived) -> None:
        self._mode = (what, message)
        entry = self._layout().entry
        if what == "edit":
            entry.put(message.text or "")
            said = translate("Changing {message}  (Return: done, Escape: leave it)")
        else:
            said = translate("Answering {message}  (Escape: not an answer)")
        entry.explain(said.format(message=quotation(message)))
        entry.focus_in()

    def give_up(self) -> None:
        """The field is for an ordinary message again."""
        mode, self._mode = self._mode, None
        entry = self._layout().entry
        entry.explain("")
        if mode is not None and mode[0] == "edit":
            entry.put("")

    def send_as_wanted(self, line: str) -> bool:
        """Sends a line as an answer, or as the new text of a message; False where it is neither."""
        mode, self._mode = self._mode, None
        self._layout().entry.explain("")
        if mode is None:
            return False
        what, message = mode
        handle = self._screen.handle(message.room)
        if handle is None:
            return False
        if what == "edit":
            self.sent(lambda: handle.edit(message.message_id, line))
        else:
            self.sent(lambda: handle.send(line, reply_to=message.message_id))
        return True

    def _ask_to_delete(self, message: MessageReceived) -> None:
        handle = self._screen.handle(message.room)
        if handle is not None:
            confirm(
                self._layout().root,
                translate("Take back"),
                translate("Take this message back? Others may have read it. {message}").format(
                    message=quotation(message)
                ),
                translate("Take back"),
                lambda: self.sent(lambda: handle.delete(message.message_id)),
            )

    def react(self, message: MessageReceived, emoji: str) -> None:
        """Puts a sign to a message, or takes ours away."""
        handle = self._screen.handle(message.room)
        if handle is not None and emoji:
            ours = self._screen.us in handle.reactions(message.message_id).get(emoji, [])
            self.sent(lambda: handle.react(message.message_id, emoji, on=not ours))

    def _ask_for_sign(self, message: MessageReceived) -> None:
        def go(values: list[str]) -> str | None:
            sign = values[0].strip()
            if not sign or len(sign.encode(errors="replace")) > 32:
                return translate("One sign, please.")
            self.react(message, sign)
            return None

        Form(
            self._layout().root, translate("React"), quotation(message),
            [Field(translate("Sign"), EMOJI[0], EMOJI)], translate("React"), go,
        ).ask()  # fmt: skip

    def resend(self, message: WaitingMessage) -> None:
        """Sends a text that failed once more."""
        handle = self._screen.handle()
        if handle is not None:
            self.sent(lambda: handle.resend(message.message_id))
            self._waiting_changed()

    def discard(self, message: WaitingMessage) -> None:
        """Gives a text up."""
        handle = self._screen.handle()
        if handle is None:
            return
        try:
            handle.discard(message.message_id)
        except ChatError as error:
            self.refuse(error)
        self._waiting_changed()

    def _waiting_changed(self) -> None:
        self._screen.waiting_changed = True
        self._screen.chat.ask()

    def search(self) -> None:
        """Opens the search."""
        client = self.client
        if client is None:
            tell(self._layout().root, translate("Search"), translate("Connect first; the search is on this device."))
            return
        Searching(self._layout().root, lambda words: client.search(words, limit=MOST), self._go_to_message).ask()

    def _go_to_message(self, message: MessageReceived) -> None:
        handle, talk = self._screen.handle(message.room), self._talk()
        if handle is not None and talk is not None:
            self.give_up()
            talk.slash.go(handle)
            self._screen.show_message(message)
            self._layout().chat.text.focus_set()

    # -- people ---------------------------------------------------------------------------------------------------------

    def member(self, user: str) -> MemberView | None:
        """Somebody in the room on the screen, or banned from it."""
        handle = self._screen.handle()
        if handle is None:
            return None
        return next((one for one in (*handle.members(), *handle.members(banned=True)) if one.user == user), None)

    def verify(self, user: str) -> None:
        """Shows the safety number with somebody."""
        client = self.client
        if client is None or not user:
            return

        async def work() -> None:
            found = await client.people.verification(user)

            def compare(given: str) -> None:
                self.run(judge(given))

            async def judge(given: str) -> None:
                if await client.people.compare(user, given):
                    dialog.close()
                    said = translate("{user} is verified.").format(user=shown(user))
                    self._conversations.say(said)
                    self._screen.chat.ask()
                    self._screen.members.ask()
                else:
                    dialog.say(
                        translate(
                            "It is NOT the same. If nothing was mistyped, somebody may be in the middle: tell {user} by "
                            "another way, and say nothing secret here."
                        ).format(user=shown(user))
                    )

            dialog = Verifying(self._layout().root, found, lambda: compare(found.number), compare)
            dialog.open(dialog.given)

        self.run(work())

    def ask_to(self, title: str, text: str, label: str, command: str) -> None:
        """Asks before a command is carried out."""
        confirm(self._layout().root, title, text, label, lambda: self.command(command))
