"""Operations on the store while no server runs: by the command, and by options of ``twistd chatserv``."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - threads of a real store
from twisted.trial.unittest import TestCase

from chatserv.bootstrap import Prepared, prepare
from chatserv.config import Config, Security, Server
from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.errors import BadMessage, ChatError
from chatserv.local_errors import NotDone, StateDirectoryError
from chatserv.models import AccountStatus, Ban, BanKind, LeafDraft, Registration
from chatserv.net import keys
from chatserv.operations.direct import on_store
from chatserv.operations.performing import perform
from chatserv.operations.registry import Way
from chatserv.operations.rescue import Rescue
from chatserv.operations.table import OPERATIONS
from chatserv.operations.world import World
from chatserv.state_directory import StateDirectory, StatePaths
from chatserv.store import statements
from chatserv.store.database import writing_engine
from chatserv.store.limits import StoreLimits
from chatserv.wire.link import parse_link
from tests.support.sessions import rsa_key, seeded

NOW_MS = 1_795_000_000_000
EVERYBODY = Ban(BanKind.ADDRESS, "0.0.0.0/1", "alice", NOW_MS)


class StoreCase(TestCase):
    """A server with alice, its administrator, and bob, who is suspended and banned; half the world is banned too."""

    def setUp(self) -> None:
        """Makes its directory, and lets it go."""
        self.directory = Path(self.mktemp())
        self.patch(keys, "generate_rsa", lambda: rsa_key("server"))
        prepared = self.start()
        engine = writing_engine(prepared.state.database)
        with engine.begin() as connection:
            for name, token in (("alice", sha256(prepared.invite or b"")), ("bob", None)):
                registration = Registration(token, name, name, name.encode(), name.encode() * 4, name.encode(), b"v")
                statements.register(connection, registration, NOW_MS, StoreLimits())
            statements.set_account(connection, "bob", None, True, True)
            for ban in (EVERYBODY, Ban(BanKind.ACCOUNT, "bob", "alice", NOW_MS)):
                statements.set_ban(connection, ban, True, StoreLimits())
        engine.dispose()

    def start(self) -> Prepared:
        """A start, and its end."""
        prepared = prepare(Config(), self.directory, NOW_MS, seeded("rescue"))
        prepared.state.release()
        return prepared

    async def on_store(self, work: Any, directory: Path | None = None, **tables: Any) -> Any:
        """What some work on the store gives."""
        config = Config(**{"server": Server(advertise="chat.example"), **tables})
        world = World(Way.STORE, "uid 7", StatePaths(directory or self.directory))
        return await on_store(reactor, config, world, work)

    async def do(self, operation: str, **arguments: Any) -> Any:
        """The data of one operation."""
        return (await self.on_store(lambda world: perform(world, operation, arguments))).data

    async def refused(self, work: Any, error: type[ChatError] = NotDone) -> str:
        """The words of a refusal."""
        with self.assertRaises(error) as caught:
            await work
        return str(caught.exception)

    def account(self, name: str = "bob") -> AccountStatus:
        """An account as it is stored."""
        engine = writing_engine(self.directory / "chatserv.db")
        with engine.begin() as connection:
            found = statements.find_account(connection, name)
        engine.dispose()
        assert found is not None
        return found

    @property
    def log(self) -> str:
        """What the audit log says."""
        return (self.directory / "logs" / "audit.log").read_text()


class RescueTests(StoreCase):
    """By options of ``twistd chatserv``."""

    async def rescue(self, **orders: Any) -> Any:
        """What is told of orders."""
        return await self.on_store(Rescue(**orders).carry_out)

    async def test_lift_bans(self) -> None:
        """All bans are lifted and told; the server's log knows."""
        self.assertEqual(["lifted: 0.0.0.0/1", "lifted: bob"], await self.rescue(lift_bans=True))
        self.assertEqual((), self.start().stored.bans)
        self.assertEqual(["There was no such ban."], await self.rescue(lift_bans=True))
        line = (
            '"event":"ban lift","who":"uid 7","way":"store","result":"ok","fields":{"kind":"","subject":"","all":true}'
        )
        self.assertIn(line, self.log)

    async def test_grant(self) -> None:
        """An account is made an administrator who is let in; other bans stay."""
        self.assertIn("bob      administrator", (await self.rescue(grant=("Bob",)))[-1])
        bob = self.account()
        self.assertEqual((False, Role.ADMIN), (bob.suspended, bob.account.role))
        self.assertEqual((EVERYBODY,), self.start().stored.bans)

    async def test_all_or_nothing(self) -> None:
        """Where one name is wrong, or a link would lead nowhere, nothing is done."""
        for wrong in ("zoe", "two words", ""):
            for order in ("unsuspend", "reset"):
                orders = {"lift_bans": True, "unsuspend": ("bob",), order: ("bob", wrong)}
                self.assertIn(f"no account {wrong}", await self.refused(self.rescue(**orders)))
        nowhere = Server(listen=("unix:/run/chat",))
        both = Rescue(unsuspend=("bob",), reset=("alice",))
        self.assertIn("set server.advertise", await self.refused(self.on_store(both.carry_out, server=nowhere)))
        self.assertTrue(self.account().suspended)
        self.assertEqual(2, len(self.start().stored.bans))

    def test_nothing(self) -> None:
        """An order for nothing is none."""
        self.assertFalse(Rescue())
        for rescue in (Rescue(lift_bans=True), Rescue(unsuspend=("a",)), Rescue(grant=("a",)), Rescue(reset=("a",))):
            self.assertTrue(rescue)


class DirectTests(StoreCase):
    """By the command."""

    async def test_advertise(self) -> None:
        """Clients are told of what is added, several at once too, and of what the settings name, which is said of each."""
        self.assertEqual({"addresses": [], "from_settings": []}, await self.do("advertise"))
        await self.do("advertise", address="c.example:1,D.example:2")
        wrong = self.on_store(lambda world: perform(world, "advertise", {"address": "e.example:1,f.example"}))
        self.assertIn("advertise", await self.refused(wrong, BadMessage))
        found = await self.do("advertise")
        self.assertEqual(["chat.example:5000", "c.example:1", "d.example:2"], found["addresses"])
        self.assertEqual(["chat.example:5000"], found["from_settings"])
        two = Server(advertise="a.example, b.example:1")
        found = (await self.on_store(lambda world: perform(world, "advertise", {}), server=two)).data
        self.assertEqual(["a.example:5000", "b.example:1"], found["from_settings"])
        self.assertEqual([*found["from_settings"], "c.example:1", "d.example:2"], found["addresses"])
        told = OPERATIONS["advertise"].show(found)
        self.assertEqual(["  b.example:1  (in the settings)", "  c.example:1"], told[2:4])
        gone = (await self.on_store(lambda world: perform(world, "advertise", {"forget": True}), server=two)).data
        self.assertEqual(gone["from_settings"], gone["addresses"])

    async def test_unsuspend(self) -> None:
        """An account can log in again, whatever kept it out; what it may do stays, and so do other bans."""
        told = await self.do("user unsuspend", user="Bob")
        self.assertEqual(
            (False, False, True, "user"), tuple(told[key] for key in ("suspended", "banned", "muted", "role"))
        )
        bob = self.account()
        self.assertEqual((False, True, Role.USER), (bob.suspended, bob.muted, bob.account.role))
        self.assertEqual((EVERYBODY,), self.start().stored.bans)

    async def test_reset(self) -> None:
        """A link is made that gives an account a new identity; it is in no log, and works as an administrator's does."""
        link = (await self.do("user reset", user="Alice"))["link"]
        found = parse_link(link)
        self.assertEqual(
            ("chat.example", 5000, self.start().public.server_id), (found.host, found.port, found.fingerprint)
        )
        line = '"event":"user reset","who":"uid 7","way":"store","result":"ok","fields":{"user":"Alice"}'
        self.assertIn(line, self.log)
        self.assertNotIn(link, self.log)
        self.assertNotIn(found.invite.hex(), self.log)
        engine = writing_engine(self.directory / "chatserv.db")
        with engine.begin() as connection:
            again = Registration(
                sha256(found.invite), "alice", "alice", b"new", b"n" * 16, b"c", b"v", (LeafDraft(b"leaf"),), reset=True
            )
            self.assertIs(Role.ADMIN, statements.register(connection, again, NOW_MS, StoreLimits()).role)
        engine.dispose()

    async def test_last_administrator(self) -> None:
        """The last one who can log in stays; when there is another one, they may go."""
        for name, arguments in (
            ("user suspend", {}),
            ("user role", {"role": "user"}),
            ("user delete", {"yes": True}),
        ):
            self.assertIn("last administrator", await self.refused(self.do(name, user="alice", **arguments)))
        self.assertIn("is banned", await self.refused(self.do("user role", user="bob", role="admin")))
        await self.do("user unsuspend", user="bob")
        await self.do("user role", user="bob", role="admin")
        self.assertTrue((await self.do("user suspend", user="alice"))["suspended"])

    async def test_invite(self) -> None:
        """A link for one registration, for a name or for anybody; none where nobody can register."""
        made = await self.do("invite", name="Zoe", admin=True)
        token = sha256(parse_link(made["link"]).invite)
        engine = writing_engine(self.directory / "chatserv.db")
        with engine.begin() as connection:
            found = statements.find_invite(connection, token)
        engine.dispose()
        assert found is not None
        self.assertEqual(("zoe", Role.ADMIN), (found.name, found.role))
        self.assertEqual("", (await self.do("invite"))["name"])
        closed = self.on_store(lambda world: perform(world, "invite", {}), security=Security(registration="closed"))
        self.assertIn("registration is closed", await self.refused(closed))

    async def test_bans(self) -> None:
        """Bans are listed, added and lifted; none of the operator's own machine, of nearly everybody, or of nobody."""
        self.assertEqual(["0.0.0.0/1", "bob"], [each["subject"] for each in (await self.do("ban list"))["bans"]])
        (added,) = (await self.do("ban add", kind="address", subject="192.0.2.7/24"))["bans"]
        self.assertEqual(("192.0.2.0/24", "uid 7"), (added["subject"], added["by"]))
        for kind, subject in (("address", "127.0.0.1"), ("address", "::/0"), ("address", "x"), ("account", "alice")):
            await self.refused(self.do("ban add", kind=kind, subject=subject))
        self.assertEqual(1, len((await self.do("ban lift", kind="address", subject="192.0.2.0/24"))["bans"]))
        self.assertEqual([], (await self.do("ban lift", kind="address", subject="192.0.2.0/24"))["bans"])
        for wrong in ({}, {"all": True, "kind": "account", "subject": "bob"}, {"kind": "account"}):
            self.assertIn("--all", await self.refused(self.do("ban lift", **wrong)))
        self.assertEqual(2, len((await self.do("ban lift", all=True))["bans"]))

    async def test_not_there(self) -> None:
        """Where no server has run, none is made; where one runs, it is told who."""
        nowhere = self.directory / "nowhere"
        listing = self.on_store(lambda world: perform(world, "user list", {}), nowhere)
        self.assertIn("no server has run there", await self.refused(listing, StateDirectoryError))
        self.assertFalse(nowhere.exists())
        held = StateDirectory(self.directory)
        self.addCleanup(held.release)
        self.assertIn("in use by another chatserv", await self.refused(self.do("user list"), StateDirectoryError))
