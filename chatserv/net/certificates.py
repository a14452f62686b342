"""The certificate that TLS shows: the operator's, by path, or one of our own. What is wrong is found before it is served.

Clients pin the server's identity and not this, so one that has ended is told of, loudly, and still served: a server that
would not start again for it would help nobody. A new one, though, has to be good.
"""

import datetime
import os
import stat
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.ssl import CertificateOptions
from zope.interface import implementer

from chatserv.config import Config, Server, Tls
from chatserv.discreet import Discreet
from chatserv.listening import ANY_ADDRESS
from chatserv.local_errors import SettingsError
from chatserv.net.keys import handed_over, is_self_made, load_tls
from chatserv.net.tls import server_context
from chatserv.owners import reason
from chatserv.private_files import open_to_others
from chatserv.state_directory import StatePaths

EXPIRY_DAYS: Final = 14  # from then on the log warns, each day
FILE_BYTES: Final = 2**20
CHAIN_CERTIFICATES: Final = 10
LEAST_RSA_BITS: Final = 2048
CERTIFICATE_KEY, KEY_KEY = "tls.certificate", "tls.key"

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Certified(Discreet, frozen=True):
    """A certificate with its key. ``chain``: what leads from it to an authority; ``path``: where it is kept."""

    shown = ("certificate", "chain", "path", "is_ours")

    key: Key
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    path: Path
    is_ours: bool

    def days_left(self, now: datetime.datetime) -> int:
        """How many whole days it holds from now on; below 0: it has ended."""
        return (self.certificate.not_valid_after_utc - now).days

    @property
    def ends(self) -> str:
        """The day on which it ends, ``2026-11-29``."""
        return self.certificate.not_valid_after_utc.date().isoformat()

    def is_same(self, other: "Certified") -> bool:
        """Whether clients would notice no difference."""
        return (self.certificate, self.chain) == (other.certificate, other.chain)

    def trouble(self, now: datetime.datetime) -> str | None:
        """What an operator should know of it, in one line; None: nothing."""
        if self.certificate.not_valid_before_utc > now:
            return f"{self.path}: the certificate is not valid before {self.certificate.not_valid_before_utc.date()}"
        days = self.days_left(now)
        if days < 0:
            return f"{self.path}: the certificate ended on {self.ends}; renew it"
        if days < EXPIRY_DAYS:
            return f"{self.path}: the certificate ends on {self.ends}, in {days} days; renew it"
        return None


def load_certified(config: Config, state: StatePaths) -> Certified:
    """What the settings name; where they name none, one of our own, made anew where that is due.

    Raises:
        SettingsError: What they name cannot be used.
        StateDirectoryError: Ours does not parse.
        PrivateFileError: Ours is open to others, or cannot be read or written.
    """
    if config.tls.certificate:
        return read_certified(config.tls, state.path)
    key, certificate = load_tls(state, known_by(config.server))
    return Certified(key, certificate, (), state.tls_certificate, is_self_made(certificate))


def known_by(server: Server) -> list[str]:
    """The hosts that people are told of, or that the server listens on: what its certificate may name."""
    advertised = dict.fromkeys(host for host, _ in server.addresses)
    given = [handed_over(each.index)[0] if each.kind == "systemd" else each.host for each in server.listeners]
    return [*advertised, *(host.partition("%")[0] for host in given if host not in ANY_ADDRESS)]


def read_certified(tls: Tls, directory: Path) -> Certified:
    """Reads the two files that the settings name; relative paths are below ``directory``. Raises `SettingsError`."""
    path, key_path = directory / tls.certificate, directory / tls.key
    certificates = _certificates(path)
    key = _key(key_path)
    if key.public_key() != certificates[0].public_key():
        if any(key.public_key() == each.public_key() for each in certificates):
            _fail(
                path, CERTIFICATE_KEY, "the server's certificate is not the first one", "put the authority's behind it"
            )
        _fail(key_path, KEY_KEY, f"not the key of {path.name}", "name the two that belong together")
    return Certified(key, certificates[0], tuple(certificates[1:]), path, is_ours=False)


def check_new(certified: Certified, now: datetime.datetime) -> None:
    """Refuses one that does not hold today. Raises `SettingsError`."""
    begins = certified.certificate.not_valid_before_utc
    if begins > now:
        _fail(certified.path, CERTIFICATE_KEY, f"not valid before {begins.date()}", "check the date of this machine")
    if certified.days_left(now) < 0:
        _fail(certified.path, CERTIFICATE_KEY, f"ended on {certified.ends}", "renew it")


def gap_in_chain(certified: Certified) -> str | None:
    """Which certificate of the file has not issued the one before it, so that strict programs refuse the chain; or None."""
    line = (certified.certificate, *certified.chain)
    for lower, upper in pairwise(line):
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return upper.subject.rfc4514_string()
    return None


def _certificates(path: Path) -> list[x509.Certificate]:
    data, _ = _read(path, CERTIFICATE_KEY)
    try:
        found = x509.load_pem_x509_certificates(data)
    except ValueError:
        _fail(path, CERTIFICATE_KEY, "holds no certificate in PEM", "name the full chain, such as fullchain.pem")
    if len(found) > CHAIN_CERTIFICATES:
        _fail(path, CERTIFICATE_KEY, f"holds {len(found)} certificates", f"keep at most {CHAIN_CERTIFICATES}")
    return found


def _key(path: Path) -> Key:
    data, facts = _read(path, KEY_KEY)
    mode = stat.S_IMODE(facts.st_mode)
    # Where it belongs to somebody else, such as root, a group may be how we get at it.
    if mode & (0o077 if facts.st_uid == os.geteuid() else 0o027):
        hint = open_to_others(path, mode, 0o600 if facts.st_uid == os.geteuid() else 0o640).rpartition(": ")[2]
        _fail(path, KEY_KEY, f"open to others ({mode:04o})", hint)
    try:
        key: Any = serialization.load_pem_private_key(data, password=None)
    except TypeError:
        _fail(path, KEY_KEY, "has a passphrase", "write it without one: openssl pkey -in OLD -out NEW")
    except (ValueError, UnsupportedAlgorithm):
        _fail(path, KEY_KEY, "holds no private key in PEM", "name the key, such as privkey.pem")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_RSA_BITS:
        _fail(path, KEY_KEY, f"RSA of {key.key_size} bits", f"make one of at least {LEAST_RSA_BITS} bits, or P-256")
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        _fail(path, KEY_KEY, "neither RSA nor an elliptic curve's", "make a key of P-256, or RSA of 2048 bits or more")
    return key


def _read(path: Path, key: str) -> tuple[bytes, os.stat_result]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                _fail(path, key, "not a file", "check the path")
            data = file.read(FILE_BYTES + 1)
    except OSError as error:
        _fail(
            path,
            key,
            f"cannot be read ({reason(path, error)})",
            "check the path, and that the server's user may read it",
        )
    if len(data) > FILE_BYTES:
        _fail(path, key, "larger than 1 MiB", "name a file in PEM")
    return data, facts


def _fail(path: Path, key: str, message: str, hint: str) -> NoReturn:
    raise SettingsError(str(path), key, message, hint) from None


@implementer(IOpenSSLContextFactory)
class ServedCertificate:
    """What new connections are shown; those that are open keep what they were shown.

    Args:
        certified: The first one.
    """

    def __init__(self, certified: Certified) -> None:
        self.certified = certified
        self._options = _options(certified)

    def getContext(self) -> SSL.Context:  # noqa: N802 - Twisted's name
        """What Twisted asks for at each new connection."""
        return self._options.getContext()

    def replace(self, certified: Certified) -> bool:
        """Shows another one from now on; says whether it is another one."""
        if certified.is_same(self.certified):
            return False
        self._options = _options(certified)
        self.certified = certified
        return True


def _options(certified: Certified) -> CertificateOptions:
    try:
        return server_context(certified.key, certified.certificate, certified.chain)
    except SSL.Error as error:
        reason = " ".join(str(part) for part in error.args[0][0] if part) if error.args and error.args[0] else "unknown"
        _fail(certified.path, CERTIFICATE_KEY, f"OpenSSL does not take it ({reason})", "make another one")
