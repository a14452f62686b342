"""The program around it: where it listens, what it says, how it ends."""

import io
import sys
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import AuthFailed, Profile, Status, StatusChanged, leave_unsealed
from clients.irc.arguments import IrcArguments, parse_arguments
from clients.irc.face import IrcFace
from clients.irc.main import IrcRun, PasswordRun, make_run
from clients.irc.settings import Bounds, IrcSettings
from clients.irc.surroundings import Account
from clients.shared.exit_codes import INTERRUPTED, REFUSED, USAGE, Exit
from tests.clients.program_fakes import StartedClient


class ArgumentTests(SynchronousTestCase):
    """The command line."""

    def refused(self, *argv: str) -> str:
        """What is said of one that makes no sense."""
        said = io.StringIO()
        with patch.object(sys, "stderr", said):
            self.assertEqual(self.assertRaises(SystemExit, parse_arguments, list(argv)).code, USAGE)
        return said.getvalue()

    def test_defaults(self) -> None:
        """Nothing need be said."""
        found = parse_arguments([])
        self.assertEqual((found.port, found.show_password, found.new_password), (6667, False, False))

    def test_bounds(self) -> None:
        """A port has its bounds, and so has patience; one way to give a link, sealed or not."""
        self.assertEqual((parse_arguments(["--port", "0"]).port, parse_arguments(["--port", "65535"]).port), (0, 65535))
        for argv in (
            ("--port", "-1"),
            ("--port", "65536"),
            ("--timeout", "0"),
            ("x", "--link-file", "y"),
            ("--seal", "--no-seal"),
            ("--passphrase-file", "f", "--no-seal"),
        ):
            self.assertIn("chatserv-irc: error:", self.refused(*argv))

    def test_profiles(self) -> None:
        """Several, each once and so many at most; a passphrase's file for none or for each; none of them is made so."""
        self.assertEqual(list(parse_arguments([]).each()), ["default"])
        several = parse_arguments(["--profile", "b", "--passphrase-file", "1", "--profile", "a", "--passphrase-file=2"])
        asked = [(each.profile, each.passphrase_file) for each in several.each().values()]
        self.assertEqual((list(several.each()), asked), (["b", "a"], [("b", Path("1")), ("a", Path("2"))]))
        most = [f"--profile=p{number}" for number in range(Bounds.accounts)]
        self.assertEqual(len(parse_arguments(most).profiles), Bounds.accounts)
        self.assertIn("8 at most", self.refused(*most, "--profile", "more"))
        two = ("--profile", "a", "--profile", "b")
        self.assertIn("each once", self.refused(*two, "--profile", "a"))
        for files in (
            ("--passphrase-file", "1"),
            ("--passphrase-file=1", "--passphrase-file=2", "--passphrase-file=3"),
        ):
            self.assertIn("one for each profile", self.refused(*two, *files))
        self.assertIn("one for each profile", self.refused("--passphrase-file=1", "--passphrase-file=2"))
        for option in ("--link-file", "--user", "--password-file", "--recovery-file"):
            self.assertIn("one --profile at a time", self.refused(*two, option, "x"))


class RunTests(SynchronousTestCase):
    """One run."""

    def setUp(self) -> None:
        """A profile, a client that is none, a reactor in memory."""
        base = Path(self.mktemp())
        base.mkdir(mode=0o700)
        self.profile = Profile.named("alice", base)
        leave_unsealed(self.profile)
        self.reactor = MemoryReactorClock()
        self.errors = io.StringIO()
        self.patch(sys, "stderr", self.errors)
        self.run_ = IrcRun(self.reactor, IrcArguments(), {"alice": self.profile}, cast(Any, StartedClient))

    def client(self) -> Any:
        """The one that was made."""
        return self.run_._client

    def begin(self) -> "list[int]":
        """Starts it; gives where its exit code will be."""
        codes: list[int] = []
        Deferred.fromCoroutine(self.run_.run()).addCallback(codes.append)
        return codes

    def test_loopback(self) -> None:
        """It listens on the two loopback addresses and nowhere else, and says how to connect."""
        self.begin()
        listening = [(port, interface) for port, _factory, _backlog, interface in self.reactor.tcpServers]
        self.assertEqual([interface for _, interface in listening], ["127.0.0.1", "::1"])
        self.assertEqual(listening[0][0], 6667)
        self.assertIn(IrcSettings(self.profile).password, self.errors.getvalue())
        self.assertTrue(self.client().running)

    def test_status(self) -> None:
        """The connection is told on standard error, each trouble once; a final refusal ends it with its code."""
        codes = self.begin()
        self.client().tell(StatusChanged(Status.ONLINE))
        self.assertIn("Connected as", self.errors.getvalue())
        for _ in range(3):
            self.client().tell(StatusChanged(Status.OFFLINE))
        self.assertEqual(self.errors.getvalue().count("Trying again"), 1)
        self.client().tell(StatusChanged(Status.ONLINE))
        self.assertIn("Connected again.", self.errors.getvalue())
        self.client().tell(StatusChanged(Status.FAILED, AuthFailed()))
        self.assertEqual(codes, [REFUSED])
        self.assertFalse(self.client().running)

    def test_interrupted(self) -> None:
        """A signal ends it with 130, when everybody was told."""
        codes = self.begin()
        self.run_._interrupted()
        self.assertEqual(codes, [INTERRUPTED])

    def test_taken(self) -> None:
        """A port that somebody has is named; no IPv6 is no reason."""
        accounts = {"alice": Account(self.client(), IrcSettings(self.profile))}
        listen = self.reactor.listenTCP

        def refuse(port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
            if interface == self.refused:
                raise CannotListenError(interface, port, OSError(self.number, "no such thing"))
            return listen(port, factory, backlog, interface)

        self.patch(self.reactor, "listenTCP", refuse)
        for self.refused, self.number in (("127.0.0.1", 98), ("::1", 98)):
            face = IrcFace(self.reactor, accounts)
            error = self.assertRaises(Exit, face.listen, 6667)
            self.assertEqual((error.code, self.refused in error.message), (USAGE, True))
        self.number = 99
        self.assertEqual(IrcFace(self.reactor, accounts).listen(6667), 6667)

    def test_password(self) -> None:
        """``--password`` prints it and nothing else; ``--new-password`` makes another one."""
        password = IrcSettings(self.profile).password
        for arguments, same in ((IrcArguments(show_password=True), True), (IrcArguments(new_password=True), False)):
            printed = io.StringIO()
            self.patch(sys, "stdout", printed)
            run = make_run(self.reactor, arguments, {"alice": self.profile})
            assert isinstance(run, PasswordRun)
            self.assertEqual(self.successResultOf(Deferred.fromCoroutine(run.run())), 0)
            self.assertEqual(printed.getvalue().strip() == password, same)
            self.assertEqual(printed.getvalue().strip(), IrcSettings(self.profile).password)
