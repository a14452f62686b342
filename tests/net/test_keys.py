"""The server's keys: made once, read back, refused when they are not what they should be."""

import datetime
import ipaddress
import socket
import stat
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.suite import pss_sign, pss_verify, to_sign
from chatserv.local_errors import StateDirectoryError
from chatserv.net import keys
from chatserv.net.keys import _pem, load_identity, load_tls, local_addresses, reachable_address
from chatserv.private_files import PrivateFileError, write_private
from chatserv.state_directory import StateDirectory
from tests.support.sessions import rsa_key


class KeyCase(SynchronousTestCase):
    """A state directory for keys."""

    def setUp(self) -> None:
        """An empty state directory."""
        self.state = StateDirectory(Path(self.mktemp()))
        self.addCleanup(self.state.release)


class IdentityTests(KeyCase):
    """What `load_identity` promises."""

    def test_made_once(self) -> None:
        """The first call makes the key, in a file that only we may read; later ones read it."""
        self.patch(keys, "generate_rsa", lambda: rsa_key("server"))
        made = load_identity(self.state)
        self.patch(keys, "generate_rsa", None)
        read = load_identity(self.state)
        self.assertEqual(read.private_numbers(), made.private_numbers())
        self.assertEqual(stat.S_IMODE(self.state.identity_key.stat().st_mode), 0o600)
        pss_verify(read.public_key(), pss_sign(read, to_sign("sth", b"x")), "sth", b"x")

    def test_open_to_others(self) -> None:
        """A key that others may read is refused, with what to do."""
        write_private(self.state.identity_key, _pem(rsa_key("server")))
        for mode in (0o640, 0o604, 0o620):
            self.state.identity_key.chmod(mode)
            error = self.assertRaises(PrivateFileError, load_identity, self.state)
            self.assertIn("chmod 600", str(error))

    def test_unusable(self) -> None:
        """A file that holds no RSA-3072 key with the usual exponent is refused with its name, and stays as it is."""
        small = rsa.generate_private_key(65537, 2048)
        candidates = [
            b"", b"no key", _pem(rsa_key("server"))[:700], _pem(ec.generate_private_key(ec.SECP256R1())), _pem(small)
        ]  # fmt: skip
        for data in candidates:
            write_private(self.state.identity_key, data)
            error = self.assertRaises(StateDirectoryError, load_identity, self.state)
            self.assertIn(str(self.state.identity_key), str(error))
            self.assertEqual(self.state.identity_key.read_bytes(), data)

    def test_encrypted(self) -> None:
        """A key under a password is refused."""
        data = rsa_key("server").private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
        write_private(self.state.identity_key, data)
        self.assertRaises(StateDirectoryError, load_identity, self.state)

    def test_does_not_sign(self) -> None:
        """A key with damaged numbers is refused at the start, not at the first login."""
        good = rsa_key("server").private_numbers()
        numbers = rsa.RSAPrivateNumbers(
            good.p, good.q, good.d ^ 4, good.dmp1 ^ 4, good.dmq1, good.iqmp, good.public_numbers
        )
        write_private(self.state.identity_key, _pem(numbers.private_key(unsafe_skip_rsa_key_validation=True)))
        error = self.assertRaises(StateDirectoryError, load_identity, self.state)
        self.assertIn(str(self.state.identity_key), str(error))


class TlsKeyTests(KeyCase):
    """What `load_tls` promises."""

    def test_made_once(self) -> None:
        """The first call makes key and certificate, private to us; later ones read them."""
        key, certificate = load_tls(self.state, ["chat.example", "192.0.2.7"])
        again, same = load_tls(self.state, ["chat.example", "192.0.2.7"])
        self.assertEqual((again.private_numbers(), same), (key.private_numbers(), certificate))
        self.assertEqual(stat.S_IMODE(self.state.tls_key.stat().st_mode), 0o600)

    def test_certificate(self) -> None:
        """The certificate is for the names and addresses that are given, for servers only, for years, and of our key."""
        key, certificate = load_tls(self.state, ["chat.example", "192.0.2.7", "", "b\xfccher.example", "chat.example"])
        self.assertEqual((["chat.example"], ["192.0.2.7"]), self.names(certificate))
        self.assertFalse(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
        self.assertEqual(certificate.public_key(), key.public_key())
        lasts = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
        self.assertGreater(lasts.days, 3000)

    def names(self, certificate: x509.Certificate) -> tuple[list[str], list[str]]:
        """The DNS names and the addresses in it."""
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return found.get_values_for_type(x509.DNSName), list(map(str, found.get_values_for_type(x509.IPAddress)))

    def test_nothing_of_the_machine(self) -> None:
        """Where nothing is known, no address and no host name of this machine is told to whoever connects."""
        _, certificate = load_tls(self.state, [])
        self.assertEqual((["chatserv"], []), self.names(certificate))

    def test_other_names(self) -> None:
        """A certificate of ours with other names is made anew, for the same key; one by somebody else stays."""
        key, _ = load_tls(self.state, ["host-of-before", "10.0.0.7"])
        again, renewed = load_tls(self.state, ["chat.example"])
        self.assertEqual(key.private_numbers(), again.private_numbers())
        self.assertEqual((["chat.example"], []), self.names(renewed))
        self.assertEqual(stat.S_IMODE(self.state.tls_certificate.stat().st_mode), 0o600)
        given = self.by_somebody_else(key)
        write_private(self.state.tls_certificate, given.public_bytes(serialization.Encoding.PEM))
        self.assertEqual((again.private_numbers(), given), self.loaded())

    def by_somebody_else(self, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        """A certificate without any names, from elsewhere."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "chat.example")])
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        return builder.sign(key, hashes.SHA256())

    def loaded(self) -> tuple[ec.EllipticCurvePrivateNumbers, x509.Certificate]:
        """What there is, for other names."""
        key, certificate = load_tls(self.state, ["other.example"])
        return key.private_numbers(), certificate

    def test_unusable(self) -> None:
        """Files that do not parse or do not fit each other are refused with what to do."""
        load_tls(self.state, [])
        good = self.state.tls_key.read_bytes()
        for data in (b"no key", _pem(ec.generate_private_key(ec.SECP256R1())), _pem(rsa_key("server"))):
            write_private(self.state.tls_key, data)
            error = self.assertRaises(StateDirectoryError, load_tls, self.state, [])
            self.assertIn("remove", str(error))
        write_private(self.state.tls_key, good)
        load_tls(self.state, [])

    def test_one_of_two(self) -> None:
        """Where one of both is missing, both are made anew."""
        _, first = load_tls(self.state, [])
        self.state.tls_key.unlink()
        key, second = load_tls(self.state, [])
        self.assertNotEqual(first, second)
        self.assertEqual(second.public_key(), key.public_key())


class AddressTests(SynchronousTestCase):
    """Which addresses a machine has."""

    def test_local(self) -> None:
        """All addresses are real ones, none is link-local, and loopback comes last."""
        found = [ipaddress.ip_address(text) for text in local_addresses()]
        self.assertFalse(any(address.is_link_local for address in found))
        loopback = [address.is_loopback for address in found]
        self.assertEqual(loopback, sorted(loopback))

    def fake_socket(self, answer: str | OSError) -> None:
        """Puts a routing table in place of the kernel's."""

        class Probe:
            """A socket that only asks for a route."""

            def __init__(self, *_: Any) -> None:
                pass

            def __enter__(self) -> "Probe":
                return self

            def __exit__(self, *_: object) -> None:
                pass

            def connect(self, _: object) -> None:
                """The route, or none."""
                if isinstance(answer, OSError):
                    raise answer

            def getsockname(self) -> tuple[object, int]:
                """Our end."""
                return answer, 9

        self.patch(socket, "socket", Probe)

    def test_route(self) -> None:
        """The address of the default route is the one that others reach."""
        self.fake_socket("192.0.2.44")
        self.assertEqual(reachable_address(), "192.0.2.44")

    def test_no_route(self) -> None:
        """Without a route it is the first of our own, or loopback where there is none at all."""
        self.fake_socket(OSError())
        for own, expected in ((["192.0.2.9", "127.0.0.1"], "192.0.2.9"), ([], "127.0.0.1")):
            self.patch(keys, "local_addresses", lambda own=own: own)
            self.assertEqual(reachable_address(), expected)
