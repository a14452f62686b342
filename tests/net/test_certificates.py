"""The certificate of TLS: what is taken, what is refused and with which words, and how a new one is shown."""

import datetime
import os
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test import iosim
from twisted.trial.unittest import SynchronousTestCase

from chatserv.config import Config, Server, Tls
from chatserv.local_errors import SettingsError
from chatserv.net.certificates import (
    EXPIRY_DAYS,
    Certified,
    ServedCertificate,
    check_new,
    gap_in_chain,
    load_certified,
    read_certified,
)
from chatserv.net.keys import load_tls
from chatserv.net.tls import TLSFactory
from chatserv.state_directory import StateDirectory
from tests.support.authority import NOW, Authority, certificate, ec_key, pem, rsa_2048


class CertificateCase(SynchronousTestCase):
    """An authority with a directory of its own."""

    def setUp(self) -> None:
        """Issues a good certificate."""
        self.authority = Authority(Path(self.mktemp()).absolute())
        self.issued = self.authority.issue()
        self.tls = Tls(str(self.authority.chain), str(self.authority.private))

    def read(self) -> Certified:
        """What the server reads."""
        return read_certified(self.tls, Path())

    def refused(self, path: Path) -> SettingsError:
        """The error, which names this file."""
        error: SettingsError = self.assertRaises(SettingsError, self.read)
        self.assertEqual(str(path), error.file)
        self.assertEqual("tls.key" if path == self.authority.private else "tls.certificate", error.key)
        self.assertEqual(1, len(str(error).splitlines()))
        return error


class TakenTests(CertificateCase):
    """What is taken."""

    def test_full_chain(self) -> None:
        """A certificate with the authority's behind it, of an elliptic curve or RSA; relative paths are below the state."""
        for key in (ec_key(), ec.generate_private_key(ec.SECP384R1()), rsa_2048()):
            issued = self.authority.issue(key)
            certified = self.read()
            self.assertEqual((issued, (self.authority.middle,)), (certified.certificate, certified.chain))
            self.assertIsNone(gap_in_chain(certified))
        relative = read_certified(Tls("fullchain.pem", "privkey.pem"), self.authority.directory)
        self.assertTrue(relative.is_same(certified))

    def test_alone(self) -> None:
        """One that is self-signed, without a chain."""
        key = ec_key()
        self.authority.write(key, certificate("chat.example", key, "chat.example", key))
        self.assertEqual((), self.read().chain)

    def test_link(self) -> None:
        """Links are followed, as certbot makes them."""
        link = self.authority.directory / "live.pem"
        link.symlink_to(self.authority.chain)
        self.assertEqual(self.issued, read_certified(Tls(str(link), self.tls.key), Path()).certificate)

    def test_group(self) -> None:
        """A group may read the key where it belongs to somebody else; where it is our own file, nobody may."""
        self.authority.private.chmod(0o640)
        self.assertIn("open to others (0640)", self.refused(self.authority.private).message)
        self.patch(os, "geteuid", lambda: 12345)
        self.read()
        for mode in (0o644, 0o660, 0o641):
            self.authority.private.chmod(mode)
            self.assertEqual(f"chmod 640 {self.authority.private}", self.refused(self.authority.private).hint)

    def test_expired(self) -> None:
        """One that has ended is read, since the server has to start, but not taken as a new one."""
        for begins, ends, words in ((-9, -1, "ended on"), (1, 9, "not valid before")):
            self.authority.issue(begins=begins, ends=ends)
            certified = self.read()
            self.assertIn(words, certified.trouble(NOW) or "")
            error: SettingsError = self.assertRaises(SettingsError, check_new, certified, NOW)
            self.assertIn(words, error.message)
        self.authority.issue()
        check_new(self.read(), NOW)

    def test_ends_soon(self) -> None:
        """From 14 days before its end on there is a warning, with the day."""
        self.authority.issue(ends=EXPIRY_DAYS + 0.5)
        certified = self.read()
        self.assertIsNone(certified.trouble(NOW))
        later = NOW + datetime.timedelta(days=1)
        self.assertIn(f"ends on {certified.ends}, in {EXPIRY_DAYS - 1} days", certified.trouble(later) or "")


class RefusedTests(CertificateCase):
    """What is refused."""

    def test_unreadable(self) -> None:
        """Files that are not there, that may not be read, directories, pipes and whole disks."""
        for path in (self.authority.chain, self.authority.private):
            path.unlink()
            self.assertIn("cannot be read (No such file", self.refused(path).message)
            path.mkdir()
            self.refused(path)
            path.rmdir()
            os.mkfifo(path)
            self.assertEqual("not a file", self.refused(path).message)
            path.unlink()
            path.write_bytes(b" " * (2**20 + 1))
            path.chmod(0o600)
            self.assertEqual("larger than 1 MiB", self.refused(path).message)
            self.authority.issue()

    def test_no_permission(self) -> None:
        """That the server's user may not read it, with who would have to."""

        def refuse(*_: Any) -> int:
            raise PermissionError(13, "Permission denied")

        self.patch(os, "open", refuse)
        error = self.refused(self.authority.chain)
        self.assertEqual("cannot be read (Permission denied)", error.message)
        self.assertIn("the server's user", error.hint)

    def test_no_pem(self) -> None:
        """Files that hold something else, nothing, or each other's content."""
        for data in (b"", b"hello", self.authority.private.read_bytes(), self.authority.chain.read_bytes()[:300]):
            self.authority.chain.write_bytes(data)
            self.assertIn("no certificate", self.refused(self.authority.chain).message)
        self.authority.issue()
        for data in (b"", b"hello", self.authority.chain.read_bytes()):
            self.authority.private.write_bytes(data)
            self.assertIn("no private key", self.refused(self.authority.private).message)

    def test_not_together(self) -> None:
        """A key of another certificate; and a chain in the wrong order, which is told apart."""
        key = ec_key()
        self.authority.private.write_bytes(pem(key))
        self.assertEqual("not the key of fullchain.pem", self.refused(self.authority.private).message)
        issued = certificate("chat.example", key, "middle", self.authority.key)
        self.authority.write(key, self.authority.middle, issued)
        self.assertIn("not the first one", self.refused(self.authority.chain).message)

    def test_keys(self) -> None:
        """A key under a passphrase, one of another kind, and one that is too short."""
        encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        locked = ec_key().private_bytes(encoding, kind, serialization.BestAvailableEncryption(b"secret"))
        other = pem(ed25519.Ed25519PrivateKey.generate())
        short = pem(rsa.generate_private_key(65537, 1024))  # noqa: S505 - to be refused
        for data, words in ((locked, "has a passphrase"), (other, "neither RSA nor"), (short, "RSA of 1024 bits")):
            self.authority.private.write_bytes(data)
            self.assertIn(words, self.refused(self.authority.private).message)

    def test_many(self) -> None:
        """Ten certificates are a chain; one more is some other file, such as all authorities of a system."""
        key = ec_key()
        line = [certificate("chat.example", key, "middle", self.authority.key), *[self.authority.middle] * 9]
        self.authority.write(key, *line)
        self.assertEqual(9, len(self.read().chain))
        self.authority.write(key, *line, self.authority.middle)
        self.assertIn("holds 11 certificates", self.refused(self.authority.chain).message)

    def test_gap(self) -> None:
        """A chain whose links do not follow from each other is known by the one that does not."""
        key = ec_key()
        self.authority.write(key, certificate("chat.example", key, "middle", self.authority.key), self.authority.root)
        self.assertEqual("CN=root", gap_in_chain(self.read()))

    def test_one_of_two(self) -> None:
        """One path without the other is no setting."""
        for given in ({"certificate": "x"}, {"key": "x"}):
            self.assertRaises(ValueError, Tls, **given)


class OwnTests(SynchronousTestCase):
    """What the server makes itself."""

    def setUp(self) -> None:
        """A state directory."""
        self.state = StateDirectory(Path(self.mktemp()))
        self.addCleanup(self.state.release)

    def test_own(self) -> None:
        """Without a path the server makes one, for the names that the settings have; other names, another certificate."""
        first = load_certified(Config(server=Server(advertise="chat.example")), self.state)
        again = load_certified(Config(server=Server(advertise="chat.example")), self.state)
        other = load_certified(Config(server=Server(advertise="other.example")), self.state)
        self.assertEqual((True, True, False), (first.is_ours, first.is_same(again), first.is_same(other)))

    def test_ends(self) -> None:
        """One of ours that ends within a month is made anew by itself, for the same key."""
        key, made = load_tls(self.state, [])
        name = made.subject.rfc4514_string().removeprefix("CN=")
        for ends, renewed in ((31.0, False), (29.0, True)):
            old = certificate(name, key, name, key, ends=ends)
            builder = old.public_bytes(serialization.Encoding.PEM)
            self.state.tls_certificate.write_bytes(builder)
            config = Config(server=Server(advertise="chat.example"))
            self.assertEqual(renewed, load_certified(config, self.state).certificate != old)


class Talker(Protocol):
    """Notes what it gets."""

    def __init__(self) -> None:
        self.got = b""

    def dataReceived(self, data: bytes) -> None:
        """Notes."""
        self.got += data


class ServedTests(CertificateCase):
    """A certificate in service."""

    def setUp(self) -> None:
        """A factory behind it."""
        super().setUp()
        self.clock = Clock()
        self.served = ServedCertificate(self.read())
        self.factory = TLSFactory(Factory.forProtocol(Talker), self.served)  # type: ignore[arg-type]

    def connect(self) -> tuple[Any, Any, Any]:
        """A connection: the server's end, the client's, and what moves bytes between them."""
        options = CertificateOptions()
        theirs: Any = TLSMemoryBIOFactory(options, True, Factory.forProtocol(Talker), self.clock)
        server, client = self.factory.buildProtocol(None), theirs.buildProtocol(None)
        pump = iosim.connect(
            server, iosim.FakeTransport(server, True), client, iosim.FakeTransport(client, False), greet=False
        )
        pump.flush()
        return server, client, pump

    def shown(self, client: Any) -> list[x509.Certificate]:
        """The chain that a client was shown."""
        return [each.to_cryptography() for each in client.getHandle().get_peer_cert_chain()]

    def test_replace(self) -> None:
        """New connections are shown the new chain, of RSA too, and one that is open goes on as if nothing had happened."""
        server, client, pump = self.connect()
        self.assertEqual([self.issued, self.authority.middle], self.shown(client))
        issued = self.authority.issue(rsa_2048())
        self.assertTrue(self.served.replace(self.read()))
        self.assertEqual([issued, self.authority.middle], self.shown(self.connect()[1]))
        server.write(b"still")
        client.write(b"here")
        self.clock.advance(0)
        pump.flush()
        self.assertEqual((b"still", b"here"), (client.wrappedProtocol.got, server.wrappedProtocol.got))

    def test_same(self) -> None:
        """The same one again changes nothing; the context stays."""
        context = self.served.getContext()
        self.assertFalse(self.served.replace(self.read()))
        self.assertIs(context, self.served.getContext())

    def test_refused_by_openssl(self) -> None:
        """What OpenSSL does not take is told in our words, and the one before stays."""
        self.authority.issue()
        other = self.read()

        def refuse(*_: Any) -> None:
            raise SSL.Error([("SSL routines", "", "ee key too small")])

        self.patch(CertificateOptions, "getContext", refuse)
        error: SettingsError = self.assertRaises(SettingsError, self.served.replace, other)
        self.assertIn("ee key too small", error.message)
        self.assertEqual(self.issued, self.served.certified.certificate)
