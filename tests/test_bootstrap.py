"""What a start makes before the fork, and what it tells the terminal."""

import io
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from chatserv.announcing import announce, client_program
from chatserv.bootstrap import Prepared, prepare
from chatserv.config import Config, Security, Server
from chatserv.crypto.log_leaves import LeafType, user_leaf
from chatserv.crypto.statements import make_rotation
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.domain.roles import Role
from chatserv.limits import Limits
from chatserv.local_errors import StateDirectoryError
from chatserv.models import LeafDraft, Registration
from chatserv.net import advertising, certificates, keys
from chatserv.net.advertising import advertised_link
from chatserv.qr import terminal_qr
from chatserv.store import statements
from chatserv.store.database import DatabaseRefused, writing_engine
from chatserv.store.limits import StoreLimits
from chatserv.store.log_statements import append_leaves
from chatserv.wire.link import ServerLink, format_link, parse_link
from tests.support.sessions import rsa_key, seeded, spki

NOW_MS = 1_795_000_000_000
HOUR_MS = 3_600_000


class BootstrapCase(SynchronousTestCase):
    """Starts of one server."""

    def setUp(self) -> None:
        """A directory, and a key that is not made each time."""
        self.directory = Path(self.mktemp())
        self.random = seeded("bootstrap")
        self.patch(keys, "generate_rsa", lambda: rsa_key("server"))

    def start(self, config: Config | None = None, now_ms: int = NOW_MS) -> Prepared:
        """One start and, as far as the directory goes, its end."""
        prepared = prepare(config or Config(), self.directory, now_ms, self.random)
        prepared.state.release()
        return prepared

    def register(self, token: bytes) -> None:
        """Uses an invite."""
        engine = writing_engine(self.directory / "chatserv.db")
        registration = Registration(sha256(token), "alice", "alice", b"i", b"d" * 16, b"c", b"v")
        with engine.begin() as connection:
            statements.register(connection, registration, NOW_MS, StoreLimits())
        engine.dispose()


class RotationTests(BootstrapCase):
    """A log in whose table somebody has written that an account has another identity."""

    def log(self, statement: bytes) -> None:
        """A first start, an account, and the two rows."""
        prepared = self.start()
        old, new = (spki(f"identity of {who}") for who in ("bob", "mallory"))
        first = user_leaf(LeafType.UIK, prepared.public.server_id, "bob", sha256(old), old, NOW_MS)
        second = user_leaf(LeafType.ROTATE, prepared.public.server_id, "bob", sha256(new), statement, NOW_MS)
        engine = writing_engine(self.directory / "chatserv.db")
        with engine.begin() as connection:
            append_leaves(connection, [LeafDraft(first.encode(), old), LeafDraft(second.encode(), statement)])
        engine.dispose()

    def test_unsigned(self) -> None:
        """The server does not start, so it signs no head over it: without a statement, or with one by the new key alone."""
        for statement in (b"", make_rotation(rsa_key("identity of mallory"), rsa_key("identity of bob"), NOW_MS)):
            self.setUp()
            self.log(statement)
            error = self.assertRaises(DatabaseRefused, self.start)
            self.assertIn("leaf 1 of the log", str(error))

    def test_signed(self) -> None:
        """One that both identities have signed is one."""
        self.log(make_rotation(rsa_key("identity of bob"), rsa_key("identity of mallory"), NOW_MS))
        self.assertEqual(2, len(self.start().stored.log))


class PrepareTests(BootstrapCase):
    """What `prepare` promises."""

    def test_first_start(self) -> None:
        """The first start makes keys, an empty database, and an invite; nobody else may read any of it."""
        prepared = self.start()
        self.assertEqual((prepared.stored.rooms, prepared.stored.log, prepared.stored.bans), ((), (), ()))
        self.assertEqual(len(prepared.invite or b""), 32)
        self.assertEqual(prepared.public.server_id, sha256(rsa_spki(prepared.identity.public_key())))
        for path in self.directory.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, path)

    def test_second_start(self) -> None:
        """The second start finds everything as it was, the invite too."""
        first, second = self.start(), self.start()
        self.assertEqual(
            (second.public.server_id, second.tls.certificate, second.stored.rooms, second.invite),
            (first.public.server_id, first.tls.certificate, first.stored.rooms, first.invite),
        )

    def test_invite_has_ended(self) -> None:
        """A first invite that nobody used in time is replaced by a new one."""
        first = self.start()
        second = self.start(now_ms=NOW_MS + 24 * HOUR_MS)
        self.assertNotEqual(first.invite, second.invite)
        third = self.start(now_ms=NOW_MS + 25 * HOUR_MS)
        self.assertEqual(second.invite, third.invite)

    def test_administrator_exists(self) -> None:
        """Once the invite was used there is none any more, and its file is gone."""
        first = self.start()
        assert first.invite is not None
        self.register(first.invite)
        second = self.start()
        self.assertIsNone(second.invite)
        self.assertFalse(second.state.first_invite.exists())

    def test_first_invite_is_for_an_administrator(self) -> None:
        """The first invite makes an administrator."""
        first = self.start()
        assert first.invite is not None
        self.register(first.invite)
        engine = writing_engine(self.directory / "chatserv.db")
        with engine.begin() as connection:
            device = statements.find_device(connection, "alice", b"d" * 16)
        engine.dispose()
        assert device is not None
        self.assertIs(device.account.role, Role.ADMIN)

    def test_lost_file(self) -> None:
        """A first invite whose file was lost is replaced, also where no more invites are allowed."""
        config = Config(limits=Limits(open_invites=1))
        first = self.start(config)
        first.state.first_invite.unlink()
        self.assertNotIn(self.start(config).invite, {None, first.invite})

    def test_in_use(self) -> None:
        """A directory that another instance holds is refused and stays as it is."""
        held = prepare(Config(), self.directory, NOW_MS, self.random)
        self.addCleanup(held.state.release)
        self.assertRaises(StateDirectoryError, self.start)

    def test_lost_key(self) -> None:
        """A server whose identity key is gone, but not its database, is not started under a new identity."""
        first = self.start()
        first.state.identity_key.unlink()
        error = self.assertRaises(StateDirectoryError, self.start)
        self.assertIn("identity.pem", str(error))
        self.assertFalse(first.state.identity_key.exists())

    def test_secrets_out_of_repr(self) -> None:
        """What is prepared shows neither keys nor the invite."""
        prepared = self.start()
        self.assertNotIn(repr(prepared.invite), repr(prepared))
        self.assertNotIn("PrivateKey", repr(prepared))


def link_of(prepared: Prepared, invite: bytes | None = None) -> ServerLink | None:
    """Where a link leads."""
    return advertised_link(prepared.config, prepared.public, invite or b"")


class LinkTests(BootstrapCase):
    """Where a link leads."""

    def test_host(self) -> None:
        """A link names the advertised host, else the one listened on, else what others reach."""
        self.patch(advertising, "reachable_address", lambda: "192.0.2.9")
        for server, host in (
            (Server(advertise="chat.example"), "chat.example"),
            (Server(host="127.0.0.1"), "127.0.0.1"),
            (Server(host="0.0.0.0"), "192.0.2.9"),  # noqa: S104 - compared with, not bound to
            (Server(host="::"), "192.0.2.9"),
        ):
            link = link_of(self.start(Config(server=server)))
            assert link is not None
            self.assertEqual((link.host, link.port, link.invite), (host, 5000, b""))

    def test_several(self) -> None:
        """A link names all addresses that are advertised, and the certificate all of their hosts; a code can hold it."""
        longest = ".".join(["a" * 63] * 3 + ["b" * 57, "com"])
        many = ",".join(f"{number}{longest[1:]}" for number in range(8))
        for advertise, count in (("a.example, b.example:443, a.example:1", 3), (many, 8)):
            prepared = self.start(Config(server=Server(advertise=advertise)))
            link = link_of(prepared, bytes(32))
            assert link is not None
            self.assertEqual((count, prepared.config.server.addresses), (len(link.addresses), link.addresses))
            self.assertIn("\u2580", terminal_qr(format_link(link)))
        self.assertEqual(
            ["a.example", "b.example"], certificates.known_by(Server(advertise="a.example,b.example,a.example:1"))[:2]
        )

    def test_endpoints(self) -> None:
        """Where endpoints are listened on, a link leads to the first one of TCP whose port is known."""
        self.patch(advertising, "reachable_address", lambda: "192.0.2.9")
        handed = [("0.0.0.0", 5601), ("127.0.0.1", 5602), ("", 0)]  # noqa: S104 - compared with, not bound to
        for module in (advertising, certificates):
            self.patch(module, "handed_over", lambda index: handed[index])
        for listen, address in (
            (("tcp:5599",), ("192.0.2.9", 5599)),
            (("tcp:port=5599:interface=127.0.0.1",), ("127.0.0.1", 5599)),
            ((r"tcp6:5599:interface=\:\:1",), ("::1", 5599)),
            ((r"tcp6:5599:interface=fe80\:\:1%eth0",), ("192.0.2.9", 5599)),
            (("unix:/run/chat", "tcp:5599:backlog=5"), ("192.0.2.9", 5599)),
            (("systemd:domain=INET:index=0",), ("192.0.2.9", 5601)),
            (("systemd:domain=INET:index=1",), ("127.0.0.1", 5602)),
        ):
            link = link_of(self.start(Config(server=Server(listen=listen))))
            assert link is not None
            self.assertEqual((link.host, link.port), address)

    def test_nowhere(self) -> None:
        """Where no TCP port is known, no link is shown that leads to none; the terminal says what to set for one."""
        for listen in ("unix:/run/chat", "tcp:0", "haproxy:tcp:5000", "systemd:domain=UNIX:index=2"):
            prepared = self.start(Config(server=Server(listen=(listen,))))
            self.assertIsNone(link_of(prepared))
            out = io.StringIO()
            self.assertTrue(announce(prepared, out))
            self.assertNotIn("chatserv://", out.getvalue())
            self.assertIn("set server.advertise", out.getvalue())

    def test_closed(self) -> None:
        """Where registration is closed no link is shown, since it would let nobody in; the terminal says what to set."""
        out = io.StringIO()
        announce(self.start(Config(security=Security(registration="closed"))), out)
        self.assertNotIn("chatserv://", out.getvalue())
        self.assertIn("registration is closed: set security.registration", out.getvalue())

    def test_advertised_without_a_port_of_its_own(self) -> None:
        """A server behind something that listens for it has links to the advertised host, at the port of the settings."""
        server = Server(listen=("unix:/run/chat",), advertise="chat.example", port=443)
        link = link_of(self.start(Config(server=server)))
        assert link is not None
        self.assertEqual((link.host, link.port), ("chat.example", 443))

    def test_certificate_of_the_advertised_host(self) -> None:
        """The certificate is for the advertised host too."""
        prepared = self.start(Config(server=Server(advertise="chat.example")))
        self.assertIn(b"chat.example", prepared.tls.certificate.tbs_certificate_bytes)

    def test_certificate_names_what_is_listened_on(self) -> None:
        """The certificate names the hosts that are advertised or listened on, and nothing else of the machine."""
        for server, expected in (
            (Server(), ["chatserv"]),
            (Server(host="::"), ["chatserv"]),
            (Server(host="127.0.0.1"), ["127.0.0.1"]),
            (Server(host="192.0.2.7", advertise="chat.example"), ["chat.example", "192.0.2.7"]),
            (Server(listen=("tcp:5000", "tcp6:5000:interface=fe80\\:\\:1%eth0", "unix:/run/chat")), ["fe80::1"]),
            (Server(listen_plain="127.0.0.1:5001"), ["chatserv"]),
        ):
            prepared = self.start(Config(server=server))
            found = prepared.tls.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            self.assertEqual(expected, [str(name.value) for name in found])

    def test_announced(self) -> None:
        """The terminal shows the directory, the fingerprint, and the invite as link and as code."""
        prepared = self.start(Config(server=Server(advertise="chat.example")))
        out = io.StringIO()
        announce(prepared, out)
        text = out.getvalue()
        assert prepared.invite is not None
        found = link_of(prepared, prepared.invite)
        assert found is not None
        link = format_link(found)
        self.assertIn(str(self.directory), text)
        self.assertIn(f"\n{link}\n", text)  # alone on its line, as no argument of a command
        self.assertEqual(parse_link(link).fingerprint, prepared.public.server_id)
        self.assertGreater(len(text.splitlines()), 20)

    def test_program(self) -> None:
        """The client's command can be pasted into a shell, wherever it is installed."""
        binaries = Path(self.mktemp()).absolute() / "it's [a] $HOME; dir"
        binaries.mkdir(parents=True)
        client = binaries / "chatserv-client"
        client.write_text("#!/bin/sh\necho started")
        client.chmod(0o755)
        self.patch(sys, "executable", str(binaries / "python"))
        self.patch(shutil, "which", lambda name: None)  # noqa: ARG005 - the shell does not find it
        done = subprocess.run(["/bin/sh", "-c", client_program()], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "started\n")

    def test_announced_in_few_letters(self) -> None:
        """An encoding without blocks gets the link alone, and one without letters of the path gets escapes."""
        self.directory = Path(self.mktemp()).absolute() / os.fsdecode(b"gr\xc3\xbcn\xff\n")
        prepared = self.start(Config(server=Server(advertise="chat.example")))
        for encoding, path in (
            ("iso-8859-1", "gr\xfcn\\udcff\\n"),
            ("ascii", "gr\\xfcn\\udcff\\n"),
            ("utf-8", "\\udcff\\n"),
        ):
            raw = io.BytesIO()
            out = io.TextIOWrapper(raw, encoding, "backslashreplace")
            self.assertTrue(announce(prepared, out))
            text = raw.getvalue().decode(encoding)
            self.assertIn(path, text.splitlines()[0])
            self.assertIn("\nchatserv://chat.example:5000/", text)
            self.assertEqual(encoding == "utf-8", "\u2588" in text)
            out.detach()

    def test_nobody_reads(self) -> None:
        """A terminal that takes nothing is told of, and ends nothing."""

        class Gone(io.StringIO):
            """A pipe whose reader is gone."""

            def write(self, text: str) -> int:
                """Fails."""
                raise BrokenPipeError(len(text))

        self.assertFalse(announce(self.start(), Gone()))

    def test_announced_to_the_journal(self) -> None:
        """The journal, which others read too, gets no link; it says which command prints one."""
        path = Path(self.mktemp())
        with path.open("w") as out:
            found = os.fstat(out.fileno())
            self.patch(os, "environ", {**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
            prepared = self.start()
            self.assertTrue(announce(prepared, out))
        said = path.read_text()
        self.assertNotIn("chatserv://", said)
        self.assertIn(f"chatserv invite --admin --state-dir {prepared.state.path}", said)
        self.assertIn("fingerprint", said)

    def test_announced_later(self) -> None:
        """With an administrator the terminal shows no invite."""
        first = self.start()
        assert first.invite is not None
        self.register(first.invite)
        out = io.StringIO()
        announce(self.start(), out)
        self.assertNotIn("chatserv://", out.getvalue())
        self.assertIn("fingerprint", out.getvalue())
