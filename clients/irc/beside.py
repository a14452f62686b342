"""IRC clients beside another interface of the same client: what ``--irc`` of the terminal and the window begins."""

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from chatserv.client import Client, Profile, translate
from clients.irc.face import IrcFace
from clients.irc.settings import IrcSettings
from clients.irc.surroundings import Account
from clients.shared.arguments import Arguments
from clients.shared.run import Run

Asked = TypeVar("Asked", bound=Arguments)


class IrcBeside(Service):
    """Serves IRC clients of this machine with a client that somebody else makes, starts and stops.

    Args:
        reactor: The reactor.
        port: Where they connect; 0 takes any that is free.
        name: Of the profile; IRC clients may say it with the password.
        say: Tells the person a line.
    """

    def __init__(self, reactor: Any, port: int, name: str, say: Callable[[str], None]) -> None:
        self._port, self._name_of_profile, self._say = port, name, say
        self._accounts: dict[str, Account] = {}
        self._face = IrcFace(reactor, self._accounts)

    def serve(self, profile: Profile, client: Client | None) -> None:
        """Whom IRC clients talk as from now on; those that are there connect anew. Without a client no password fits.

        Raises:
            PrivateFileError: The settings of the profile cannot be used.
        """
        self._accounts.clear()
        self._face.dismiss(translate("The connection of this program is another one now"))
        if client is not None:
            self._accounts[self._name_of_profile] = Account(client, IrcSettings(profile))

    def privilegedStartService(self) -> None:
        """Listens, before anything is begun that would have to be ended again. Raises `Exit` where the port is taken."""
        self._port = self._face.listen(self._port)

    def startService(self) -> None:
        """Says where it listens, and with which password."""
        super().startService()
        said = translate("IRC clients connect to 127.0.0.1, port {port}, without TLS. The password is:")
        self._say(said.format(port=self._port))
        for account in self._accounts.values():
            self._say(f"  {account.settings.password}")

    def stopService(self) -> "Deferred[Any]":
        """IRC clients are told, and nobody else comes."""
        super().stopService()
        return self._face.stop()


def attend(run: Run, reactor: Any, port: int, name: str, profile: Profile) -> None:
    """Lets a run serve IRC clients while it lasts."""
    service = IrcBeside(reactor, port, name, run.say)
    service.serve(profile, run.client)
    run.attend(service)


def with_irc(make: Callable[[Any, Asked, Profile], Run]) -> Callable[[Any, Asked, Profile], Run]:
    """What makes a run, so that it serves IRC clients too, on the port that was asked for."""

    def made(reactor: Any, arguments: Asked, profile: Profile) -> Run:
        run = make(reactor, arguments, profile)
        if arguments.irc is not None:
            attend(run, reactor, arguments.irc, arguments.profile, profile)
        return run

    return made
