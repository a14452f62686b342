"""IRC clients beside another interface of the same client: what ``--irc`` of the terminal and the window begins."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from chatserv.client import Client, Profile, translate
from clients.irc.face import IrcFace
from clients.irc.settings import IrcSettings, passwords
from clients.irc.surroundings import Account
from clients.shared.arguments import Arguments
from clients.shared.exit_codes import naming
from clients.shared.run import Run

Asked = TypeVar("Asked", bound=Arguments)


class IrcBeside(Service):
    """Serves IRC clients of this machine with clients that somebody else makes, starts and stops.

    Args:
        reactor: The reactor.
        port: Where they connect; 0 takes any that is free.
        say: Tells the person a line.
    """

    def __init__(self, reactor: Any, port: int, say: Callable[[str], None]) -> None:
        self._port, self._say = port, say
        self._accounts: dict[str, Account] = {}
        self._face = IrcFace(reactor, self._accounts)

    def serve(self, clients: Mapping[str, tuple[Profile, Client]]) -> None:
        """Whom IRC clients talk as from now on; those that are there connect anew. Without a client no password fits.

        Args:
            clients: By the name of the profile, which IRC clients may say with the password.

        Raises:
            Exit: The settings of one of several profiles cannot be used.
            PrivateFileError: Those of the only one.
        """
        self._accounts.clear()
        self._face.dismiss(translate("The connection of this program is another one now"))
        for name, (profile, client) in clients.items():
            with naming(name, several=len(clients) > 1):
                self._accounts[name] = Account(client, IrcSettings(profile))

    def privilegedStartService(self) -> None:
        """Listens, before anything is begun that would have to be ended again. Raises `Exit` where the port is taken."""
        self._port = self._face.listen(self._port)

    def startService(self) -> None:
        """Says where it listens, and with which password; with which of each profile, where there are several."""
        super().startService()
        if len(self._accounts) > 1:
            said = translate("IRC clients connect to 127.0.0.1, port {port}, without TLS. The passwords are:")
        else:
            said = translate("IRC clients connect to 127.0.0.1, port {port}, without TLS. The password is:")
        self._say(said.format(port=self._port))
        for line in passwords({name: account.settings for name, account in self._accounts.items()}):
            self._say(f"  {line}")

    def stopService(self) -> "Deferred[Any]":
        """IRC clients are told, and nobody else comes."""
        super().stopService()
        return self._face.stop()


def attend(run: Run, reactor: Any, port: int, clients: Mapping[str, tuple[Profile, Client]]) -> None:
    """Lets a run serve IRC clients while it lasts. Raises as `IrcBeside.serve`."""
    service = IrcBeside(reactor, port, run.say)
    service.serve(clients)
    run.attend(service)


def with_irc(make: Callable[[Any, Asked, Profile], Run]) -> Callable[[Any, Asked, Profile], Run]:
    """What makes a run, so that it serves IRC clients too, on the port that was asked for."""

    def made(reactor: Any, arguments: Asked, profile: Profile) -> Run:
        run = make(reactor, arguments, profile)
        if arguments.irc is not None:
            attend(run, reactor, arguments.irc, {arguments.profile: (profile, run.client)})
        return run

    return made
