"""Several profiles in one ``chatserv-irc``: each has its password, settings and rooms, and sees nothing of the others."""

import base64
import io
import sys
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatserv.client import AuthFailed, Profile, ProfileError, Status, StatusChanged, leave_unsealed, seal_profile
from chatserv.testing.memory_server import CHEAP, keyring
from clients.irc.arguments import IrcArguments
from clients.irc.main import IrcRun, PasswordRun
from clients.irc.profiles import open_profiles
from clients.irc.settings import FILE_NAME, Bounds, IrcSettings
from clients.irc.surroundings import Account, Surroundings
from clients.irc.table import TABLE
from clients.shared.exit_codes import INTERRUPTED, PROFILE, REFUSED, USAGE, Exit
from tests.clients.irc.irc_world import IrcPeer, IrcTestCase
from tests.clients.program_fakes import StartedClient
from tests.clients.shared.test_arguments import Terminal

PASSPHRASES = {"alice": "maple river candle", "bob": "window garden stone"}


class TogetherTests(IrcTestCase):
    """Alice's profile and bob's behind one port."""

    bounds = Bounds(wrong_passwords=100)

    def setUp(self) -> None:
        """Both are there, and each has a room that the other one is not in."""
        super().setUp()
        people = (self.alice, self.bob)
        accounts = {each.name: Account(each.client, IrcSettings(each.profile)) for each in people}
        self.together = Surroundings(accounts, self.bounds, self.world.reactor, self.world.server.now_ms, TABLE)
        self._around = dict.fromkeys(accounts, self.together)
        for person in people:
            person.do(person.client.create_room(f"plans-of-{person.name}"))
        self.world.settle()

    def word(self, name: str) -> str:
        """The password of a profile."""
        return self.together.accounts[name].settings.password

    def come(self, *lines: str) -> tuple[IrcPeer, list[str]]:
        """A client that says this to come in, and what it was told."""
        peer = self.stranger(self.alice)
        return peer, peer.say(*lines, "NICK x", "USER x 0 * :x")

    def sasl(self, user: str, word: str) -> tuple[IrcPeer, list[str]]:
        """The same with SASL PLAIN."""
        plain = base64.b64encode(f"\0{user}\0{word}".encode()).decode()
        peer, lines = self.come("CAP REQ :sasl", "AUTHENTICATE PLAIN", f"AUTHENTICATE {plain}")
        return peer, [*lines, *peer.say("CAP END")]

    def test_chosen(self) -> None:
        """The profile that is named is it, with its password; the password alone says whose it is, too."""
        for name, other in (("alice", "bob"), ("bob", "alice")):
            for peer, lines in (
                self.come(f"PASS {name}:{self.word(name)}"),
                self.come(f"PASS {name}@phone:{self.word(name)}"),
                self.come(f"PASS {self.word(name)}"),
                self.sasl(name, self.word(name)),
                self.sasl(f"{name}@phone", self.word(name)),
            ):
                self.assert_numeric(lines, "001", name)
                self.assert_line(lines, f":{name}!{name}@chat JOIN #plans-of-{name}")
                self.assertNotIn(f"plans-of-{other}", "".join(lines))
                self.assertNotIn(f"plans-of-{other}", "".join(peer.say("NAMES", "LIST", "PRIVMSG *chatserv :rooms")))
                peer.connection.connectionLost()

    def test_refused(self) -> None:
        """Who names one profile and gives the other's password is refused, is closed, and sees nothing of either."""
        for name, other in (("alice", "bob"), ("bob", "alice")):
            for code, (peer, lines) in (
                ("464", self.come(f"PASS {name}:{self.word(other)}")),
                ("464", self.come(f"PASS {name}@phone:{self.word(other)}")),
                ("904", self.sasl(name, self.word(other))),
                ("904", self.sasl(f"{name}@phone", self.word(other))),
            ):
                self.assert_numeric(lines, code)
                self.assertEqual((peer.closed, peer.connection.session), (True, None))
                self.alice.say("lobby", "who sees this?")
                said = "".join([*lines, *peer.say("JOIN #lobby", "CHATHISTORY LATEST #lobby * 5")])
                for seen in ("plans-of", " JOIN ", "who sees this?", self.word(name), self.word(other)):
                    self.assertNotIn(seen, said)
                peer.connection.connectionLost()

    def test_apart(self) -> None:
        """Clients of both talk at a time, each as itself; what one says to its service is done for it alone."""
        alice, bob = (self.peer(each, "standard-replies") for each in (self.alice, self.bob))
        self.assert_numeric(alice.say("LUSERS"), "255", "IRC clients here: 1")
        alice.say("PRIVMSG #lobby :hello from alice", "PRIVMSG #plans-of-alice :only for me")
        self.assertEqual(
            [line for line in bob.take() if "PRIVMSG" in line], [":alice!alice@chat PRIVMSG #lobby :hello from alice"]
        )
        self.assert_numeric(bob.say("PRIVMSG #plans-of-alice :let me in"), "403")
        self.assertEqual(alice.take(), [])
        alice.say("PRIVMSG *chatserv :set create_on_join public", "PRIVMSG *chatserv :set line_bytes 500")
        kept = self.together.accounts
        self.assertEqual([kept[name].settings.line_bytes for name in ("alice", "bob")], [500, 4096])
        alice.say("PART #lobby")
        lobby = self.bob.room("lobby").room_id
        self.assertEqual([kept[name].settings.hidden("irc", lobby) for name in ("alice", "bob")], [True, False])
        self.assert_line(bob.say("PRIVMSG #lobby :still here", "PING x"), ":chatserv PONG chatserv :x")
        self.assertIn(("bob", "still here"), self.alice.texts("lobby"))

    def test_unreadable(self) -> None:
        """A profile whose settings cannot be read lets nobody in; the other one's clients come in as before."""
        word = self.word("alice")
        self.alice.profile.path(FILE_NAME).chmod(0o644)
        self.assert_numeric(self.come(f"PASS alice:{word}")[1], "464")
        self.assert_numeric(self.come(f"PASS {self.word('bob')}")[1], "001", "bob")


class OpeningTests(TestCase):
    """Each profile is opened as if it were alone."""

    def setUp(self) -> None:
        """Two accounts on this machine, sealed with a passphrase each; nobody is there to be asked."""
        self.base = Path(self.mktemp()).absolute()
        self.patch(Profile, "named", classmethod(lambda cls, name: named(cls, name, self.base)))
        for name, passphrase in PASSPHRASES.items():
            profile = Profile.named(name)
            profile.save_keyring(msgspec.structs.replace(keyring(name), registered=True))
            seal_profile(profile, passphrase, find=lambda: None, cost=CHEAP)
            (self.base / f"{name}.pass").touch(0o600)
            (self.base / f"{name}.pass").write_text(f"{passphrase}\n")
        self.errors = io.StringIO()
        self.patch(sys, "stderr", self.errors)
        self.patch(sys, "stdin", Terminal(terminal=False))

    async def open(self, *files: str) -> dict[str, Profile]:
        """Both, with these files of passphrases."""
        paths = tuple(self.base / f"{file}.pass" for file in files)
        return await open_profiles(None, IrcArguments(profiles=("alice", "bob"), passphrase_files=paths))

    async def refused(self, *files: str) -> Exit:
        """Why they are not opened."""
        try:
            await self.open(*files)
        except Exit as end:
            return end
        raise AssertionError("opened")

    async def test_each(self) -> None:
        """By its own passphrase."""
        found = await self.open("alice", "bob")
        self.assertEqual(
            {name: each.require_keyring().user for name, each in found.items()}, {"alice": "alice", "bob": "bob"}
        )
        self.assertEqual(list(found), ["alice", "bob"])
        self.assertIn("Opening the profile bob...", self.errors.getvalue())

    async def test_wrong(self) -> None:
        """One that cannot be opened is named, and why; nothing of the other is told."""
        for files, name in ((("alice", "alice"), "bob"), (("bob", "bob"), "alice"), ((), "alice")):
            end = await self.refused(*files)
            self.assertEqual((end.code, end.message.split(":")[0]), (PROFILE, name), end.message)
        self.assertIn("use --passphrase-file", end.message)

    async def test_missing(self) -> None:
        """So is one without an account, where nobody can be asked."""
        with self.assertRaises(Exit) as caught:
            await open_profiles(None, IrcArguments(profiles=("carol", "bob")))
        self.assertEqual(
            (caught.exception.code, caught.exception.message[:31]), (USAGE, "carol: No account on this machi")
        )


named = Profile.named.__func__  # type: ignore[attr-defined]


class RunTests(SynchronousTestCase):
    """One run with two profiles."""

    def setUp(self) -> None:
        """Clients that are none, a reactor in memory."""
        base = Path(self.mktemp())
        base.mkdir(mode=0o700)
        self.profiles = {name: Profile.named(name, base) for name in ("alice", "bob")}
        for each in self.profiles.values():
            leave_unsealed(each)
        self.reactor = MemoryReactorClock()
        self.errors = io.StringIO()
        self.patch(sys, "stderr", self.errors)
        self.clients: list[Any] = []

    def make(self, *given: Any, **options: Any) -> Any:
        """A client."""
        self.clients.append(StartedClient(*given, **options))
        return self.clients[-1]

    def begin(self) -> list[Any]:
        """Starts it; gives where its exit code will be."""
        arguments = IrcArguments(profiles=tuple(self.profiles))
        self.run_ = IrcRun(self.reactor, arguments, self.profiles, cast(Any, self.make))
        codes: list[Any] = []
        Deferred.fromCoroutine(self.run_.run()).addBoth(codes.append)
        return codes

    def test_said(self) -> None:
        """What a client says with PASS is shown of each; whose connection it is stands in front of what is said of it."""
        self.begin()
        for name, profile in self.profiles.items():
            self.assertIn(f"\n  {name}:{IrcSettings(profile).password}\n", self.errors.getvalue())
        for client in self.clients:
            client.tell(StatusChanged(Status.ONLINE))
        self.clients[1].tell(StatusChanged(Status.OFFLINE))
        self.clients[1].tell(StatusChanged(Status.OFFLINE))
        said = self.errors.getvalue()
        self.assertIn("alice: Connected as", said)
        self.assertIn("bob: Connected as", said)
        self.assertEqual((said.count("alice: Conn"), said.count("bob: Connection lost.")), (1, 1))

    def test_ends(self) -> None:
        """A signal ends both, and so does a server that will not have one of them; it is said which one."""
        codes = self.begin()
        self.assertEqual([each.running for each in self.clients], [True, True])
        self.run_._interrupted()
        self.assertEqual((codes, [each.running for each in self.clients]), ([INTERRUPTED], [False, False]))
        self.clients.clear()
        codes = self.begin()
        self.clients[1].tell(StatusChanged(Status.FAILED, AuthFailed()))
        self.assertEqual((codes, [each.running for each in self.clients]), ([REFUSED], [False, False]))
        self.assertIn("\nbob: ", self.errors.getvalue())

    def test_not_started(self) -> None:
        """Where one cannot begin, it is named, and none runs."""
        self.patch(StartedClient, "start", partial(start_unless, self.clients))
        (failure,) = self.begin()
        self.assertEqual((failure.value.code, failure.value.message[:5]), (PROFILE, "bob: "))
        self.assertEqual([each.running for each in self.clients], [False, False])

    def test_settings(self) -> None:
        """So is one whose settings cannot be read."""
        IrcSettings(self.profiles["bob"])
        self.profiles["bob"].path(FILE_NAME).chmod(0o644)
        end = self.assertRaises(Exit, self.begin)
        self.assertEqual((end.code, end.message[:5]), (PROFILE, "bob: "))

    def test_passwords(self) -> None:
        """``--password`` prints what to say for each; ``--new-password`` makes another one for each."""
        before = [f"{name}:{IrcSettings(profile).password}" for name, profile in self.profiles.items()]
        for arguments, same in ((IrcArguments(show_password=True), True), (IrcArguments(new_password=True), False)):
            printed = io.StringIO()
            self.patch(sys, "stdout", printed)
            self.successResultOf(Deferred.fromCoroutine(PasswordRun(arguments, self.profiles).run()))
            lines = printed.getvalue().splitlines()
            self.assertEqual([line in before for line in lines], [same, same])
            self.assertEqual(lines, [f"{name}:{IrcSettings(each).password}" for name, each in self.profiles.items()])

    def test_new_passwords_that_fail(self) -> None:
        """Where one cannot be read, no other is changed; where one cannot be written, those before it are printed."""
        before = {name: IrcSettings(profile).password for name, profile in self.profiles.items()}

        def printed() -> str:
            out = io.StringIO()
            self.patch(sys, "stdout", out)
            run = PasswordRun(IrcArguments(new_password=True), self.profiles)
            failure = self.failureResultOf(Deferred.fromCoroutine(run.run()), Exit)
            self.assertEqual((failure.value.code, failure.value.message[:5]), (PROFILE, "bob: "))
            return out.getvalue()

        self.profiles["bob"].path(FILE_NAME).chmod(0o644)
        self.assertEqual((printed(), IrcSettings(self.profiles["alice"]).password), ("", before["alice"]))
        self.profiles["bob"].path(FILE_NAME).chmod(0o600)
        real, full = Profile.write, self.profiles["bob"]

        def write(profile: Profile, name: str, data: bytes) -> None:
            if profile == full:
                raise ProfileError("no space")
            real(profile, name, data)

        self.patch(Profile, "write", write)
        said, now = printed(), IrcSettings(self.profiles["alice"]).password
        self.assertEqual((said, now == before["alice"]), (f"alice:{now}\n", False))
        self.assertEqual(IrcSettings(self.profiles["bob"]).password, before["bob"])


def start_unless(clients: list[Any], token: bytes | None = None) -> None:
    """The first one starts, and the second one cannot."""
    del token
    if len(clients) == 2 and clients[0].running:
        raise ProfileError("in use")
    clients[0].running = True
