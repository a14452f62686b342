"""The first time: from a link to an account, asking where somebody can be asked."""

from pathlib import Path
from typing import Any

from chatserv.client import (
    Client,
    ClientEvent,
    Profile,
    ServerLink,
    clean_line,
    prepare_account,
    prepared_password,
    translate,
    user_name,
)
from chatserv.client.errors import ChatError, InviteInvalid, NameInvalid, NameTaken
from chatserv.client.events import Status, StatusChanged
from clients.shared.arguments import Arguments
from clients.shared.exit_codes import DONE, PROFILE, REFUSED, USAGE, Exit, exit_for, trying_again
from clients.shared.link_input import asked_link, first_line, given_link, link_of
from clients.shared.logging_in import enter_account, has_account
from clients.shared.questions import TRIES, ask_name, ask_password, somebody_there
from clients.shared.run import TimedRun
from clients.shared.startup import tell


async def open_account(
    reactor: Any, arguments: Arguments, profile: Profile, make_client: type[Client] = Client
) -> bool:
    """Makes sure that the profile has an account: makes one where it has none, or logs in to one that there is.

    Returns:
        Whether an account was made.

    Args:
        reactor: The reactor; it need not run yet.
        arguments: What was asked for.
        profile: Whose account it is.
        make_client: Makes the client that registers.

    Raises:
        Exit: There is no account and no link, or link, name or password cannot be used.
    """
    try:
        keyring = profile.keyring()
        given = given_link(arguments.link, arguments.link_file)
        if keyring is not None and keyring.registered:
            if given is not None:
                _move(profile, link_of(given))
            return False
        link = _link(given, begun=keyring is not None)
        begun = keyring is not None and keyring.enrolling
        if begun or has_account(arguments, somebody=somebody_there()):
            await enter_account(reactor, arguments, profile, link)
            return False
        await _register(reactor, arguments, profile, link, make_client)
    except ChatError as error:
        raise exit_for(error) from None
    return True


def _link(given: str | None, *, begun: bool) -> ServerLink:
    if given is not None:
        return link_of(given)
    said = translate("No account on this machine yet.")
    if begun:
        said = translate("Registration was started and not finished.")
    if not somebody_there():
        todo = translate("Use --link-file FILE with the chatserv:// link that you were sent, or - for standard input.")
        raise Exit(USAGE, f"{said} {todo}")
    tell(said)
    return asked_link()


def _move(profile: Profile, link: ServerLink) -> None:
    """There is an account: the link says where its server is now."""
    keyring = profile.keyring()
    if keyring is None or keyring.server_id != link.fingerprint:
        text = translate("This profile belongs to another server; use --profile NAME to keep the two apart.")
        raise Exit(PROFILE, f"{text} ({profile.directory})")
    profile.move(link.host, link.port, link.others)
    if link.invite:
        text = translate(
            "You already have the account {name} here; the invite was not used. --profile NAME creates another one."
        )
        tell(clean_line(text.format(name=keyring.user)))


async def _register(
    reactor: Any, arguments: Arguments, profile: Profile, link: ServerLink, make_client: type[Client]
) -> None:
    """Registers; asks for another name where that one is taken or is not the invite's, and for nothing else again."""
    user = user_name(arguments.user) if arguments.user else ask_name()
    password = _password(arguments.password_file)
    for left in reversed(range(TRIES)):
        tell(translate("Making your keys..."))
        await prepare_account(profile, link, user, password)
        registration = Registration(reactor, arguments, profile, make_client)
        code = await registration.run(link.invite)
        error = registration.refused
        if error is None:
            if code != DONE:
                raise Exit(code)  # it has said why
            return
        if arguments.user or not left or not isinstance(error, InviteInvalid | NameInvalid | NameTaken):
            raise error
        tell(exit_for(error).message)
        if isinstance(error, InviteInvalid):
            tell(
                translate(
                    "If it was made for a name, enter that name; if not, quit with Ctrl-D and ask for a new link."
                )
            )
        user = ask_name()


def _password(file: Path | None) -> str:
    if file is None:
        return ask_password()
    return prepared_password(first_line(file, translate("The password file {file} cannot be read: {error}")))


class Registration(TimedRun):
    """Connects until the server has taken the account, or will not.

    Args:
        reactor: The reactor.
        arguments: How to connect, and how long to wait.
        profile: Has the keys of the account.
        make_client: Makes the client.
    """

    def __init__(self, reactor: Any, arguments: Arguments, profile: Profile, make_client: type[Client]) -> None:
        client = make_client(profile, reactor, self._told, follow=False, plain=arguments.no_tls)
        super().__init__(reactor, client, reading=False, timeout_seconds=arguments.timeout_seconds)
        self._said = False
        self.refused: ChatError | None = None

    def _told(self, event: ClientEvent) -> None:
        if self.done.called or not isinstance(event, StatusChanged):
            return
        match event.status:
            case Status.SYNCING | Status.ONLINE:
                self.finish(Exit(DONE))
            case Status.FAILED:
                self.refused = event.error if isinstance(event.error, ChatError) else ChatError()
                self.finish(Exit(REFUSED))
            case Status.OFFLINE:
                self._trouble = event.error or self._trouble
                if not self._said:
                    self._said = True
                    tell(trying_again(event.error, was_online=False))
