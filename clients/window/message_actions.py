"""What a person asks for about messages."""

from typing import Final

from chatserv.client import (
    ChatError,
    MessageReceived,
    WaitingMessage,
    message_text,
    quotation,
    translate,
)
from clients.window.dialogs import Field, Form, confirm, tell
from clients.window.doing import Doing
from clients.window.searching import MOST, Searching

EMOJI: Final = ("👍", "❤", "😂", "🎉", "😮", "😢", "👀", "✅")
MAX_SIGN_BYTES: Final = 32


class MessageActions:
    """Answering, changing, taking back, signs, sending again, searching.

    Args:
        doing: Does it.
    """

    def __init__(self, doing: Doing) -> None:
        self._doing = doing
        self._mode: tuple[str, MessageReceived] | None = None

    @property
    def chosen(self) -> MessageReceived | None:
        """The message that is marked, as it is now."""
        entry = self._doing.layout.chat.chosen
        if not isinstance(entry, MessageReceived):
            return None
        return self._doing.conversations.here.find(entry.message_id, entry.sender) or entry

    @property
    def chosen_waiting(self) -> WaitingMessage | None:
        """The text on its way that is marked."""
        entry = self._doing.layout.chat.chosen
        return entry if isinstance(entry, WaitingMessage) else None

    def may_delete(self, message: MessageReceived) -> bool:
        """Whether we may take a message back."""
        handle = self._doing.screen.handle(message.room)
        moderates = handle is not None and not handle.direct and handle.role in {"moderator", "owner"}
        return not message.deleted and (message.own or moderates)

    def act(self, what: str) -> None:
        """A key that stands for an action on the marked message."""
        message = self.chosen
        if what == "newest":
            self._doing.screen.newest()
        elif message is None or self._doing.client is None:
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
            self._doing.copy(message_text(message))

    def _begin_mode(self, what: str, message: MessageReceived) -> None:
        self._mode = (what, message)
        entry = self._doing.layout.entry
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
        entry = self._doing.layout.entry
        entry.explain("")
        if mode is not None and mode[0] == "edit":
            entry.put("")

    def send_as_wanted(self, line: str) -> bool:
        """Sends a line as an answer, or as the new text of a message; False where it is neither."""
        mode, self._mode = self._mode, None
        self._doing.layout.entry.explain("")
        if mode is None:
            return False
        what, message = mode
        handle = self._doing.screen.handle(message.room)
        if handle is None:
            return False
        if what == "edit":
            self._doing.sent(lambda: handle.edit(message.message_id, line))
        else:
            self._doing.sent(lambda: handle.send(line, reply_to=message.message_id))
        return True

    def _ask_to_delete(self, message: MessageReceived) -> None:
        handle = self._doing.screen.handle(message.room)
        if handle is not None:
            confirm(
                self._doing.layout.root,
                translate("Take back"),
                translate("Take this message back? Others may have read it. {message}").format(
                    message=quotation(message)
                ),
                translate("Take back"),
                lambda: self._doing.sent(lambda: handle.delete(message.message_id)),
            )

    def react(self, message: MessageReceived, emoji: str) -> None:
        """Puts a sign to a message, or takes ours away."""
        handle = self._doing.screen.handle(message.room)
        if handle is not None and emoji:
            ours = self._doing.screen.us in handle.reactions(message.message_id).get(emoji, [])
            self._doing.sent(lambda: handle.react(message.message_id, emoji, on=not ours))

    def _ask_for_sign(self, message: MessageReceived) -> None:
        def go(values: list[str]) -> str | None:
            sign = values[0].strip()
            if not sign or len(sign.encode(errors="replace")) > MAX_SIGN_BYTES:
                return translate("One sign, please.")
            self.react(message, sign)
            return None

        Form(
            self._doing.layout.root, translate("React"), quotation(message),
            [Field(translate("Sign"), EMOJI[0], EMOJI)], translate("React"), go,
        ).ask()  # fmt: skip

    def resend(self, message: WaitingMessage) -> None:
        """Sends a text that failed once more."""
        handle = self._doing.screen.handle()
        if handle is not None:
            self._doing.sent(lambda: handle.resend(message.message_id))
            self._waiting_changed()

    def discard(self, message: WaitingMessage) -> None:
        """Gives a text up."""
        handle = self._doing.screen.handle()
        if handle is None:
            return
        try:
            handle.discard(message.message_id)
        except ChatError as error:
            self._doing.refuse(error)
        self._waiting_changed()

    def _waiting_changed(self) -> None:
        self._doing.screen.waiting_changed = True
        self._doing.screen.chat.ask()

    def search(self) -> None:
        """Opens the search."""
        client = self._doing.client
        if client is None:
            tell(
                self._doing.layout.root, translate("Search"), translate("Connect first; the search is on this device.")
            )
            return
        Searching(self._doing.layout.root, lambda words: client.search(words, limit=MOST), self._go_to_message).ask()

    def _go_to_message(self, message: MessageReceived) -> None:
        handle, talk = self._doing.screen.handle(message.room), self._doing.talk
        if handle is not None and talk is not None:
            self.give_up()
            talk.slash.go(handle)
            self._doing.screen.show_message(message)
            self._doing.layout.chat.text.focus_set()
