"""What a person asks for about messages."""

from dataclasses import replace
from typing import Final

from chatserv.client import (
    ChatError,
    MessageReceived,
    RoomHandle,
    WaitingMessage,
    is_blank,
    message_text,
    quotation,
    shown_lines,
    translate,
)
from clients.shared.links import link
from clients.window.actions.doing import Doing
from clients.window.actions.opening import ask_to_open
from clients.window.dialogs.dialog import Field, Form, confirm, tell
from clients.window.dialogs.search import MOST, Searching
from clients.window.timeline.drafts import Begun, Draft

EMOJI: Final = ("👍", "❤", "😂", "🎉", "😮", "😢", "👀", "✅")
MAX_SIGN_BYTES: Final = 32


class MessageActions:
    """Answering, changing, taking back, signs, sending again, searching.

    All of them are about the room on the screen. They keep its handle as long as they last, as its name may become another
    one, or another room's. What is being written when another room is shown is there again when one comes back.

    Args:
        doing: Does it.
    """

    def __init__(self, doing: Doing) -> None:
        self._doing, self._context = doing, doing.context
        self._mode: Begun | None = None
        self._lost = False  # an answer or a change that was being written has lost its room
        self._nowhere = True  # whether no room was on the screen before this one
        self._room: RoomHandle | None = None  # the one on the screen, when it was last looked at

    @property
    def chosen(self) -> MessageReceived | None:
        """The message that is marked, as it is now."""
        entry = self._context.layout.chat.chosen
        if not isinstance(entry, MessageReceived):
            return None
        return self._context.conversations.here.find(entry.message_id, entry.sender) or entry

    @property
    def chosen_waiting(self) -> WaitingMessage | None:
        """The text on its way that is marked."""
        entry = self._context.layout.chat.chosen
        return entry if isinstance(entry, WaitingMessage) else None

    def may_delete(self, message: MessageReceived) -> bool:
        """Whether we may take a message back."""
        handle = self._context.here()
        moderates = handle is not None and not handle.direct and handle.role in {"moderator", "owner"}
        return not message.deleted and (message.own or moderates)

    def act(self, what: str) -> None:
        """A key that stands for an action on the marked message."""
        message = self.chosen
        if what == "newest":
            self._doing.presenter.newest()
        elif message is not None and what == "copy":
            self._doing.copy(message_text(message) if message.text is None else "\n".join(shown_lines(message.text)))
        elif message is not None and what == "unfold":
            self._context.conversations.here.show_whole(message.message_id, message.sender)
            self._doing.presenter.chat.ask()
        elif message is None or self._context.client is None:
            return
        elif what == "reply" and message.text is not None:
            self._begin_mode(message, edit=False)
        elif what == "edit" and message.own and message.text is not None:
            self._begin_mode(message, edit=True)
        elif what == "delete" and self.may_delete(message):
            self._ask_to_delete(message)
        elif what == "react" and message.text is not None:
            self._ask_for_sign(message)

    def _begin_mode(self, message: MessageReceived, *, edit: bool) -> None:
        here = self._context.here()
        if here is None:
            return
        self._mode, self._lost = Begun(edit, message, here), False
        if edit:
            self._context.layout.entry.put(message.text or "")
        self._explain()
        self._context.layout.entry.focus_in()

    def _explain(self) -> None:
        """Says above the field what it is for."""
        mode, said = self._mode, ""
        if mode is not None:
            said = translate("Editing {message}  (Return: save, Escape: cancel)")
            if not mode.edit:
                said = translate("Replying to {message}  (Escape: cancel)")
            said = said.format(message=quotation(mode.message))
        self._context.layout.entry.explain(said)

    # -- the field belongs to the room ---------------------------------------------------------------------------------

    def put_away(self) -> None:
        """Another room will be shown: what stands in the field stays with this one."""
        entry, here = self._context.layout.entry, self._context.conversations.here
        self._nowhere = not self._context.conversations.current
        here.draft = Draft(entry.text, self._mode, self._room, entry.history)
        self._mode, self._lost = None, False

    def take_up(self) -> None:
        """Another room is shown: what was being written there stands in the field, if it is the same room still."""
        entry, here = self._context.layout.entry, self._context.conversations.here
        self._room = self._context.handle()
        draft, here.draft = here.draft, Draft()
        if draft.room is not None and draft.room != self._room:
            draft = Draft()  # another room has the name by now
        entry.history = draft.history
        if not self._nowhere or not entry.text:  # what was typed while there was no room is not lost
            entry.put(draft.text)
        if draft.begun is not None and self._room is not None:
            self._mode = replace(draft.begun, room=self._room)
        self._explain()

    def give_up(self) -> None:
        """The field is for an ordinary message again."""
        mode, self._mode, self._lost = self._mode, None, False
        entry = self._context.layout.entry
        entry.explain("")
        if mode is not None and mode.edit:
            entry.put("")

    def look(self) -> None:
        """Gives up what was begun in a room that is not the current one any more.

        What is in the field stays there: whoever presses Return in this moment means the room before, and is told.
        """
        self._room = self._context.handle() or self._room
        here, mode = self._context.here(), self._mode
        if mode is not None and here is not None and here == mode.room:
            self._mode = replace(mode, room=here)  # perhaps by another connection
        elif mode is not None:
            text = self._context.layout.entry.text
            self._mode, self._lost = None, not is_blank(text) and not _is_command(text)
            self._context.layout.entry.explain("")

    def send_as_wanted(self, line: str) -> bool | None:
        """Sends a line as an answer, or as the new text of a message.

        A command is none of it, and leaves what was begun as it is; ``//text`` is the text ``/text``, as everywhere.

        Returns:
            None where it is neither; False where it was for a room that is not the current one any more, or is refused.
        """
        self.look()
        lost, self._lost = self._lost and not _is_command(line), False
        if lost:
            self._doing.presenter.say(translate("You have switched rooms meanwhile: nothing was sent."))
            return False
        mode = self._mode
        if mode is None or _is_command(line):
            return None
        text, message_id = line.removeprefix("/"), mode.message.message_id
        if mode.edit:
            taken = self._doing.sent(lambda: mode.room.edit(message_id, text))
        else:
            taken = self._doing.sent(lambda: mode.room.send(text, reply_to=message_id))
        if taken:
            self._mode = None
            self._context.layout.entry.explain("")
        return taken

    def open_link(self, text: str) -> None:
        """Asks whether a link is to be opened."""
        found = link(text)
        if found is not None:
            ask_to_open(self._context.root, found, self._doing.copy)

    def _ask_to_delete(self, message: MessageReceived) -> None:
        handle = self._context.here()
        if handle is not None:
            confirm(
                self._context.root,
                translate("Delete"),
                translate("Delete this message? Others may have read it. {message}").format(message=quotation(message)),
                translate("Delete"),
                lambda: self._doing.sent(lambda: handle.delete(message.message_id)),
            )

    def react(self, message: MessageReceived, emoji: str, room: RoomHandle | None = None) -> None:
        """Puts a sign to a message, or takes ours away. ``room``: where it was said; by default the current one."""
        handle = room or self._context.here()
        if handle is not None and emoji:
            ours = self._context.session.us in handle.reactions(message.message_id).get(emoji, [])
            self._doing.sent(lambda: handle.react(message.message_id, emoji, on=not ours))

    def _ask_for_sign(self, message: MessageReceived) -> None:
        here = self._context.here()

        def go(values: list[str]) -> str | None:
            sign = values[0].strip()
            if not sign or len(sign.encode(errors="replace")) > MAX_SIGN_BYTES:
                return translate("One emoji, please.")
            self.react(message, sign, here)
            return None

        Form(
            self._context.root, translate("React"), quotation(message),
            [Field(translate("Emoji"), EMOJI[0], EMOJI)], translate("React"), go,
        ).ask()  # fmt: skip

    def resend(self, message: WaitingMessage, room: RoomHandle | None = None) -> None:
        """Sends a text that failed once more. ``room``: where; by default the current one."""
        handle = room or self._context.here()
        if handle is not None:
            self._doing.sent(lambda: handle.resend(message.message_id))
            self._waiting_changed()

    def discard(self, message: WaitingMessage, room: RoomHandle | None = None) -> None:
        """Gives a text up. ``room``: where it waits; by default the current one."""
        handle = room or self._context.here()
        if handle is None:
            return
        try:
            handle.discard(message.message_id)
        except ChatError as error:
            self._doing.refuse(error)
        self._waiting_changed()

    def _waiting_changed(self) -> None:
        self._doing.presenter.waiting_changed = True
        self._doing.presenter.chat.ask()

    def search(self) -> None:
        """Opens the search."""
        client = self._context.reader
        if client is None:
            tell(self._context.root, translate("Search"), translate("There is nothing on this device yet."))
            return
        Searching(self._context.root, lambda words: client.search(words, limit=MOST), self._go_to_message).ask()

    def _go_to_message(self, message: MessageReceived) -> None:
        handle, talk = self._context.handle(message.room), self._context.talk
        if handle is None or talk is None:
            return
        if handle.name != talk.slash.room:
            talk.go(handle)
        if not talk.waits:  # else the room comes later
            self._doing.presenter.show_message(message)
            self._context.layout.chat.text.focus_set()


def _is_command(line: str) -> bool:
    return line.startswith("/") and not line.startswith("//")
