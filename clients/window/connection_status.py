"""How it stands with the connection: in the status line, in the bar above, and for typed lines."""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred

from chatserv.client import TypingSeen, place, shown, translate
from clients.shared.event_text import news
from clients.shared.exit_codes import trying_again
from clients.shared.patience import Patience
from clients.shared.server_address import with_address
from clients.shared.talk import Talk
from clients.window.actions.connecting import Connecting
from clients.window.actions.messages import MessageActions
from clients.window.context import WindowContext
from clients.window.dialogs.secret import ask_secret
from clients.window.presenter import Presenter
from clients.window.session import State
from clients.window.timeline.entries import RESULT

PASSING_SECONDS: Final = 5.0


class ConnectionStatus:
    """Shows it, and makes the talk that goes with it.

    Args:
        context: What all parts share; its talk is made here.
        presenter: Shows the room.
        messages: Look after what was being written.
        connecting: Learns when the server has let us in.
        greeted: Told when we are in for the first time.
    """

    def __init__(
        self,
        context: WindowContext,
        presenter: Presenter,
        messages: MessageActions,
        connecting: Connecting,
        greeted: Callable[[], None],
    ) -> None:
        self._context, self._session = context, context.session
        self._presenter, self._messages, self._connecting = presenter, messages, connecting
        self._passing = Patience(context.reactor, PASSING_SECONDS, self._say_state)
        self._greeted, self._on_greeted = False, greeted

    def stop(self) -> None:
        """Nothing is shown any more."""
        self._passing.end()

    def show_state(self) -> None:
        """The session has another state."""
        state, layout = self._session.state, self._context.layout
        if state in {State.CONNECTING, State.OFF}:
            self._greeted = False
            self._context.talk = self._make_talk()
            self._messages.look()
        self._presenter.follow()
        layout.bar.enable(connect=state is State.OFF, disconnect=state not in {State.OFF, State.STOPPING})
        layout.show_connection(on=state in {State.OFF, State.CONNECTING, State.STOPPING})
        layout.status.work(on=state in {State.CONNECTING, State.SYNCING})
        self._say_state()
        self._presenter.lists.rooms.ask()
        self._presenter.lists.members.ask()

    def _make_talk(self) -> Talk | None:
        """In the room that is on the screen, where there is one."""
        client, context = self._session.client, self._context
        if client is None:
            return None
        room = context.conversations.current or context.arguments.room
        talk = Talk(
            client, room,
            write=self._write, say=self._presenter.say, sent=_let_be, quit=context.quit,
            give_back=context.layout.entry.give_back,
        )  # fmt: skip
        talk.slash.ask_secret = lambda question: ask_secret(context.root, question)
        return talk

    def _write(self, line: str) -> None:
        self._presenter.follow()
        self._presenter.say(line, style=RESULT)

    def _say_state(self) -> None:
        texts = {
            State.OFF: translate("Not connected."),
            State.CONNECTING: translate("Connecting..."),
            State.SYNCING: translate("Loading messages..."),
            State.ONLINE: translate("Connected as {name}.").format(name=shown(self._session.us)),
            State.WAITING: translate("Connection lost. Trying again..."),
            State.STOPPING: translate("Disconnecting..."),
        }
        said = texts[self._session.state]
        self._context.layout.status.say(self._with_address(said) if self._session.state is State.ONLINE else said)

    def _with_address(self, said: str) -> str:
        client = self._session.client
        return said if client is None else with_address(said, client)

    def show_change(self, error: Exception | None) -> None:
        """The client has told of its connection. ``error``: why there is none."""
        state = self._session.state
        if state is State.WAITING:
            self._context.layout.status.say(trying_again(error, was_online=self._session.reached))
        elif state is State.ONLINE:
            self._connecting.reached()
            self._presenter.follow()
            self._presenter.caught_up()
            self._greet()
        elif state is State.SYNCING:
            self._presenter.follow()

    def _greet(self) -> None:
        if self._greeted:
            self._presenter.say(self._with_address(translate("Connected again.")))
            return
        self._greeted = True
        room = place(self._context.conversations.current)
        said = translate("Connected to {room} as {name}.").format(room=room, name=shown(self._session.us))
        self._presenter.say(self._with_address(said))
        self._context.layout.leave_bar()
        self._on_greeted()

    def show_typing(self, event: TypingSeen) -> None:
        """Somebody types in the room on the screen, which matters for a moment."""
        for line in news(event, lambda *_: None):
            self._context.layout.status.say(line)
        self._passing.end()
        self._passing.begin()


def _let_be(stored: "Deferred[int]") -> None:
    """Events tell what becomes of a message."""
    stored.addErrback(lambda _: None)
