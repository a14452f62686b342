"""What to do next, where there is nothing to read yet: at the first start, without a room, in a room where nobody spoke."""

from chatserv.client import ChatError, place, translate
from clients.window.actions.connecting import Connecting
from clients.window.actions.registry import PersonActions
from clients.window.context import WindowContext
from clients.window.widgets.hint_view import Hint


class Hints:
    """Says what to do next.

    Args:
        context: What all parts share.
        actions: What buttons do.
        connecting: Brings people in.
    """

    def __init__(self, context: WindowContext, actions: PersonActions, connecting: Connecting) -> None:
        self._context, self._actions, self._connecting = context, actions, connecting

    def look(self) -> None:
        """Looks whether there is anything to read."""
        layout = self._context.layout
        layout.hint.show(self._wanted(), layout.theme.factor)

    def _wanted(self) -> Hint | None:
        if not self._registered():
            return self._welcome()
        handle = self._context.handle()
        if not self._context.session.running:
            return None
        if handle is None:
            client = self._context.client
            return self._no_room() if client is not None and not client.rooms else None
        if handle.offered or not self._context.conversations.here.empty or handle.waiting():
            return None
        if handle.direct:
            text = translate("Write the first message below. Only the two of you can read what you write here.")
            return Hint(place(handle.name), text)
        text = translate(
            "Nothing has been said here since you joined. Write the first message below, or invite somebody."
        )
        return Hint(place(handle.name), text, [(translate("Invite somebody…"), self._actions.rooms.invite)])

    def _registered(self) -> bool:
        if self._context.session.client is not None:
            return True
        try:
            keyring = self._context.session.profile.keyring()
        except ChatError:
            return True  # something else is wrong, and was told
        return keyring is not None and keyring.registered

    def _welcome(self) -> Hint:
        text = translate(
            "To join you need a link; it starts with chatserv://, and whoever runs your server gives you "
            "one. It also proves that the server is the right one."
        )
        return Hint(translate("Welcome to chatserv"), text, [(translate("Use a link…"), self._connecting.welcome)])

    def _no_room(self) -> Hint:
        rooms = self._actions.rooms
        return Hint(
            translate("You are not in any room yet."),
            translate("Join a public room, or create your own and invite others."),
            [(translate("Join a room…"), rooms.join_room), (translate("New room…"), rooms.create_room)],
        )
