"""``chatserv-irc``: the program."""

import sys
from collections.abc import Callable
from typing import Any

from chatserv.client import Client, ClientEvent, Profile, Status, StatusChanged, open_client, translate
from clients.irc.arguments import IrcArguments, parse_arguments
from clients.irc.beside import attend
from clients.irc.settings import IrcSettings
from clients.shared.exit_codes import DONE, USAGE, exit_for, trying_again
from clients.shared.program import react_with
from clients.shared.run import Run
from clients.shared.startup import begin_program, tell

LISTENER = "irc"


class IrcRun(Run):
    """One run: the client, and IRC clients around it, until it is interrupted or the server will not have us.

    Args:
        reactor: The reactor.
        arguments: What was asked for.
        profile: Whose account it is.
        make_client: Makes the client.
    """

    def __init__(
        self, reactor: Any, arguments: IrcArguments, profile: Profile, make_client: Callable[..., Client] = open_client
    ) -> None:
        client = make_client(profile, reactor, self._on_event, name=LISTENER, plain=arguments.no_tls)
        super().__init__(reactor, client, reading=True)
        self._begun = False
        self._last_said = ""
        attend(self, reactor, arguments.port, arguments.profile, profile)

    def say(self, line: str) -> None:
        """On standard error."""
        tell(line)

    def _on_event(self, event: ClientEvent) -> None:
        if not isinstance(event, StatusChanged) or self.done.called:
            return
        match event.status:
            case Status.ONLINE:
                said = translate("Connected again.") if self._begun else translate("Connected as {name}.")
                self.say(said.format(name=self._client.user))
                self._begun, self._last_said = True, ""
            case Status.FAILED:
                self.finish(exit_for(event.error))
            case Status.OFFLINE:
                said = trying_again(event.error, was_online=self._begun)
                if said != self._last_said:
                    self.say(said)
                self._last_said = said


def make_run(reactor: Any, arguments: IrcArguments, profile: Profile) -> "IrcRun | PasswordRun":
    """What the command line asks for."""
    if arguments.show_password or arguments.new_password:
        return PasswordRun(arguments, profile)
    return IrcRun(reactor, arguments, profile)


class PasswordRun:
    """Prints the password, or makes another one.

    Args:
        arguments: What was asked for.
        profile: Whose account it is.
    """

    def __init__(self, arguments: IrcArguments, profile: Profile) -> None:
        self._arguments, self._profile = arguments, profile

    async def run(self) -> int:
        """Returns the exit code."""
        settings = IrcSettings(self._profile)
        print(settings.renew() if self._arguments.new_password else settings.password)
        return DONE


def main() -> None:
    """The console script."""
    closed = begin_program()
    arguments = parse_arguments(sys.argv[1:])
    if arguments.show_password and "stdout" in closed:
        tell(translate("Standard output is closed: nobody would see what is printed."))
        sys.exit(USAGE)
    react_with(arguments, make_run)


if __name__ == "__main__":
    main()
