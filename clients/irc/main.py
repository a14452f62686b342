"""``chatserv-irc``: the program."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import gatherResults

from chatserv.client import Client, ClientEvent, Profile, Status, StatusChanged, open_client, translate
from clients.irc.arguments import IrcArguments, parse_arguments
from clients.irc.beside import attend
from clients.irc.profiles import open_profiles
from clients.irc.settings import IrcSettings, spoken_password
from clients.shared.exit_codes import DONE, USAGE, Exit, exit_for, naming, trying_again
from clients.shared.program import react_with
from clients.shared.run import Run
from clients.shared.startup import begin_program, tell

LISTENER = "irc"


class Standing:
    """How the connection of an account stands, told in words.

    Args:
        run: Is told, and ends where the server will not have the account.
        front: What stands before each line: which account it is, where there are several.

    Attributes:
        client: The account.
    """

    client: Client

    def __init__(self, run: "IrcRun", front: str) -> None:
        self._run, self._front = run, front
        self._begun = False
        self._last_said = ""

    def happened(self, event: ClientEvent) -> None:
        """An event of the client."""
        if not isinstance(event, StatusChanged) or self._run.done.called:
            return
        match event.status:
            case Status.ONLINE:
                said = translate("Connected again.") if self._begun else translate("Connected as {name}.")
                self._say(said.format(name=self.client.user))
                self._begun, self._last_said = True, ""
            case Status.FAILED:
                end = exit_for(event.error)
                self._run.finish(Exit(end.code, f"{self._front}{end.message}", clean=True))
            case Status.OFFLINE:
                said = trying_again(event.error, was_online=self._begun)
                if said != self._last_said:
                    self._say(said)
                self._last_said = said

    def _say(self, line: str) -> None:
        self._run.say(f"{self._front}{line}")


class IrcRun(Run):
    """One run: the clients, and IRC clients around them, until it is interrupted or a server will not have one of us.

    Args:
        reactor: The reactor.
        arguments: What was asked for.
        profiles: Whose accounts they are, by name.
        make_client: Makes a client.

    Raises:
        Exit: One of several profiles cannot be used.
        ChatError: The only one cannot.
    """

    def __init__(
        self,
        reactor: Any,
        arguments: IrcArguments,
        profiles: Mapping[str, Profile],
        make_client: Callable[..., Client] = open_client,
    ) -> None:
        clients: dict[str, tuple[Profile, Client]] = {}
        several = len(profiles) > 1
        for name, profile in profiles.items():
            standing = Standing(self, f"{name}: " if several else "")
            with naming(name, several=several):
                standing.client = make_client(
                    profile, reactor, standing.happened, name=LISTENER, plain=arguments.no_tls
                )
            clients[name] = profile, standing.client
        (self._first, (_, first)), *others = clients.items()
        self._others = {name: client for name, (_, client) in others}
        super().__init__(reactor, first, reading=False)
        attend(self, reactor, arguments.port, clients)

    def say(self, line: str) -> None:
        """On standard error."""
        tell(line)

    def start(self, token: bytes | None) -> None:
        """Connects all of them, or none. Raises as the constructor."""
        with naming(self._first, several=bool(self._others)):
            super().start(token)
        begun = [self._client]
        for name, client in self._others.items():
            try:
                with naming(name, several=True):
                    client.start()
            except Exit:
                for each in begun:
                    each.stop()
                raise
            begun.append(client)

    def finish(self, end: Exit) -> None:
        """Ends the run; the first call counts."""
        if not self.done.called:
            for each in self._others.values():
                each.unfollow()
        super().finish(end)

    async def end(self) -> None:
        """The others end; the first one does when they have."""
        await gatherResults([each.stop() for each in self._others.values()])


def make_run(reactor: Any, arguments: IrcArguments, profiles: Mapping[str, Profile]) -> "IrcRun | PasswordRun":
    """What the command line asks for."""
    if arguments.show_password or arguments.new_password:
        return PasswordRun(arguments, profiles)
    return IrcRun(reactor, arguments, profiles)


class PasswordRun:
    """Prints the passwords, or makes other ones.

    Args:
        arguments: What was asked for.
        profiles: Whose accounts they are, by name.
    """

    def __init__(self, arguments: IrcArguments, profiles: Mapping[str, Profile]) -> None:
        self._arguments, self._profiles = arguments, profiles

    async def run(self) -> int:
        """Returns the exit code. Raises as `IrcRun`: all are read before any is changed, and each is printed when it is."""
        found: dict[str, IrcSettings] = {}
        several = len(self._profiles) > 1
        for name, profile in self._profiles.items():
            with naming(name, several=several):
                found[name] = IrcSettings(profile)
        for name, settings in found.items():
            if self._arguments.new_password:
                with naming(name, several=several):
                    settings.renew()
            print(spoken_password(name, settings, several=several), flush=True)
        return DONE


def main() -> None:
    """The console script."""
    closed = begin_program()
    arguments = parse_arguments(sys.argv[1:])
    if (arguments.show_password or arguments.new_password) and "stdout" in closed:
        tell(translate("Standard output is closed: nobody would see what is printed."))
        sys.exit(USAGE)
    react_with(arguments, open_profiles, make_run)


if __name__ == "__main__":
    main()
