"""Connect, Disconnect, links, the first registration: what stands between a person and the server."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from chatserv.client import ChatError, LinkInvalid, ServerLink, clean_line, explained, parse_link, shown, translate
from clients.shared.exit_codes import exit_for
from clients.window.actions.arriving import Arriving
from clients.window.actions.linking import ask_for_link
from clients.window.context import WindowContext
from clients.window.dialogs.dialog import tell
from clients.window.dialogs.registration import Registration
from clients.window.session import State
from clients.window.widgets.connection_bar import PortInvalid, parse_port

MAX_REASON_CHARACTERS: Final = 300


def reason(error: Exception | None) -> str:
    """Why there is no connection, for a person; clean."""
    text = exit_for(error).message
    if error is None or isinstance(error, ChatError):
        return text
    detail = clean_line(str(error))[:MAX_REASON_CHARACTERS]
    return f"{text}\n({detail})" if detail else text


class Connecting:
    """Begins and ends the session, and says why it cannot be begun.

    Args:
        context: What all parts share.
        connected: A client was started.

    Attributes:
        arriving: Who has no account on this machine.
        registered: Told when there is a new account, and the server has let it in.
    """

    def __init__(self, context: WindowContext, connected: Callable[[], None]) -> None:
        self._context, self._session, self._connected = context, context.session, connected
        self._link: ServerLink | None = None
        self.registration: Registration | None = None
        self.registered: Callable[[], object] = lambda: None
        self.arriving = Arriving(context, self._register, self._arrived)

    # -- at the start --------------------------------------------------------------------------------------------------

    def begin(self, link: str | None, *, offline: bool = False) -> None:
        """Connects where there is an account, or registers where there is a link.

        Args:
            link: What was given on the command line.
            offline: Whether to show only what this device keeps.
        """
        self.fill_in()
        if link is not None:
            self.use_link(link)
        try:
            keyring = self._session.profile.keyring()
            if offline:
                self._session.rest()
            elif self._link is not None or (keyring is not None and keyring.registered):
                self.connect()
        except ChatError as error:
            self._refuse(translate("Profile"), error)
        if self._session.state is not State.OFF:
            self._context.layout.entry.focus_in()
        elif not self._is_registering():
            self._context.layout.bar.connect_button.focus_force()

    def welcome(self) -> None:
        """Somebody without an account wants to come in."""
        self.connect()

    # -- where --------------------------------------------------------------------------------------------------------

    def fill_in(self) -> None:
        """The address of the account that there is."""
        try:
            keyring = self._session.profile.keyring()
        except ChatError as error:
            self._refuse(translate("Profile"), error)
            return
        if keyring is not None:
            self._context.layout.bar.show(keyring.host, keyring.port)

    def use_link(self, text: str) -> None:
        """A link was given: on the command line, or pasted into a field; empty: it is to be asked for."""
        if self._session.state is not State.OFF or self._is_registering():
            return
        if not text:
            ask_for_link(self._context.root, self._take_and_go_on).ask()
            return
        self.fill_in()
        try:
            link = parse_link(text)
        except ChatError as error:
            self._refuse(translate("Bad link"), error)
            return
        wrong = self._take(link)
        if wrong is not None:
            tell(self._context.root, translate("Bad link"), wrong)

    def _take(self, link: ServerLink) -> str | None:
        keyring = self._session.profile.keyring()
        if keyring is not None and keyring.registered and keyring.server_id != link.fingerprint:
            return translate("This profile belongs to another server; use --profile NAME to keep the two apart.")
        self._link = link
        self._context.layout.bar.show(link.host, link.port)
        if keyring is not None and keyring.registered and link.invite:
            said = translate("You already have the account {name} here; the invite was not used.")
            self._context.layout.status.say(said.format(name=shown(keyring.user)))
        return None

    # -- begin --------------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Connect was pressed."""
        if self._session.state is not State.OFF or self._is_registering():
            return
        bar = self._context.layout.bar
        try:
            port = parse_port(bar.port.get())
        except PortInvalid as error:
            self._refuse(translate("Bad port"), error)
            return
        try:
            self._begin(bar.host.get().strip(), port)
        except LinkInvalid:
            tell(self._context.root, translate("Bad server"), translate("That is not the name or address of a server."))
        except ChatError as error:
            self._refuse(translate("Profile"), error)

    def _begin(self, host: str, port: int) -> None:
        keyring = self._session.profile.keyring()
        if keyring is not None and keyring.registered:
            others = () if self._link is None else self._link.others
            self._start(ServerLink(host, port, keyring.server_id, others=others))
        elif self._link is None:
            ask_for_link(self._context.root, self._take_and_go_on, needed=True).ask()
        else:
            link = replace(self._link, host=host, port=port)
            if keyring is None:
                self.arriving.choose(link)
            elif keyring.enrolling:
                self.arriving.log_in(link, keyring.user)
            else:
                self._register(link)

    def _take_and_go_on(self, link: ServerLink) -> str | None:
        wrong = self._take(link)
        if wrong is None:
            self._context.root.after_idle(self.connect)
        return wrong

    def _register(self, link: ServerLink) -> None:
        root = self._context.root
        self.registration = Registration(root, self._session.profile, link, lambda: self._arrived(link), self._given_up)
        self.registration.ask()

    def _arrived(self, link: ServerLink) -> None:
        """The profile has what it takes."""
        self._context.layout.bar.show(link.host, link.port)
        try:
            self._start(link)
        except ChatError as error:
            self.failed(error)

    def _given_up(self) -> None:
        self.registration = None
        if self._session.state is not State.OFF:
            self._session.disconnect()

    def _is_registering(self) -> bool:
        """Whether the dialog is open already; then it is where the keyboard goes."""
        for dialog in (self.registration, self.arriving.open_dialog):
            if dialog is not None and dialog.is_open:
                dialog.top.lift()
                dialog.top.focus_force()
                return True
        return False

    def _start(self, link: ServerLink) -> None:
        self._session.connect(link.host, link.port, link.invite, link.others)
        self._connected()

    # -- what comes of it ---------------------------------------------------------------------------------------------

    def reached(self) -> None:
        """The server has let us in."""
        registration, self.registration = self.registration, None
        self._link = None
        self.fill_in()  # with where the server was found
        if registration is not None:
            registration.succeed()
            self.registered()

    def failed(self, error: Exception | None) -> None:
        """There is no connection, and nobody tries."""
        registration = self.registration
        if registration is not None and registration.is_open:
            registration.refuse(reason(error))
        else:
            tell(self._context.root, translate("Connection failed"), reason(error))

    def disconnect(self) -> None:
        """Disconnect was pressed."""
        self._session.disconnect().addCallback(lambda _: self._interrupted())

    def _interrupted(self) -> None:
        """Whoever was about to register can try once more."""
        if self.registration is not None and self.registration.is_open and self.registration.busy:
            self.registration.refuse(translate("Interrupted. You can try again."))

    def _refuse(self, title: str, error: ChatError) -> None:
        tell(self._context.root, title, explained_with_detail(error))


def explained_with_detail(error: ChatError) -> str:
    """What is wrong, and where, for errors of this machine."""
    text = explained(error)
    return f"{text}\n{clean_line(error.detail)}" if error.detail else text
