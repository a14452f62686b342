"""The server's own keys: the RSA identity that clients pin, and the certificate of the TLS around it.

Both are made on the first start. Loading the RSA key without validation is safe (our own file, 0600) and 10 times faster.
"""

import base64
import binascii
import datetime
import ipaddress
import os
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chatserv.crypto.suite import PUBLIC_EXPONENT, RSA_BITS, generate_rsa, pss_sign, pss_verify, to_sign
from chatserv.errors import Reject
from chatserv.local_errors import StateDirectoryError
from chatserv.private_files import read_private, write_private
from chatserv.state_directory import StatePaths
from chatserv.systemd import LISTEN_FDS_START

CERTIFICATE_YEARS = 10
RENEWAL = datetime.timedelta(days=30)  # before its end, one of ours is made anew
UNKNOWN_NAME = "chatserv"
_CHANGE = b"CHATSERV KEY CHANGE"  # the PEM label of a signed change of the identity key
_CHANGES = re.compile(rb"-----BEGIN %b-----\n([A-Za-z0-9+/=\n]*)-----END %b-----" % (_CHANGE, _CHANGE))
_SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, UNKNOWN_NAME)])


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_identity(state: StatePaths) -> rsa.RSAPrivateKey:
    """The identity key, made where there is none (0.1 to 1.2 s).

    Raises:
        PrivateFileError: The file is open to others or cannot be read.
        StateDirectoryError: It does not parse, or is no RSA-3072 key that signs.
    """
    found = read_identity(state.identity_key)
    if found is None:
        found = generate_rsa()
        write_identity(state.identity_key, found)
    return found


def write_identity(path: Path, key: rsa.RSAPrivateKey, changes: Sequence[bytes] = ()) -> None:
    """Keeps an identity key, and behind it the signed changes that led to it: so a copy of before can be put back with it.

    Raises:
        PrivateFileError: The disk does not take it.
    """
    blocks = (
        b"-----BEGIN %b-----\n%b-----END %b-----\n" % (_CHANGE, base64.encodebytes(each), _CHANGE) for each in changes
    )
    write_private(path, _pem(key) + b"".join(blocks))


def changes_in(file: Path, data: bytes) -> tuple[bytes, ...]:
    """The signed changes behind a key in PEM; nobody has looked at them. Raises `StateDirectoryError`: not base64."""
    try:
        return tuple(binascii.a2b_base64(each) for each in _CHANGES.findall(data))
    except binascii.Error:
        raise StateDirectoryError(f"{file}: the changes of the key do not parse; restore it from a backup") from None


def read_identity(path: Path) -> rsa.RSAPrivateKey | None:
    """The identity key in a file, or None where there is none. Raises as `load_identity`."""
    data = read_private(path)
    if data is None:
        return None
    return parse_identity(path, data)


def parse_identity(file: Path, data: bytes) -> rsa.RSAPrivateKey:
    """An identity key from its PEM; ``file`` is what errors name. Raises `StateDirectoryError`: none, or none that signs."""
    try:
        loaded = serialization.load_pem_private_key(data, password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError):
        raise StateDirectoryError(f"{file}: not a private key; restore it from a backup") from None
    if not isinstance(loaded, rsa.RSAPrivateKey) or loaded.key_size != RSA_BITS:
        raise StateDirectoryError(f"{file}: not an RSA-3072 key; restore it from a backup")
    if loaded.public_key().public_numbers().e != PUBLIC_EXPONENT:
        raise StateDirectoryError(f"{file}: unusual exponent; restore it from a backup")
    try:
        pss_verify(loaded.public_key(), pss_sign(loaded, to_sign("sth", b"self-test")), "sth", b"self-test")
    except Reject:
        raise StateDirectoryError(f"{file}: does not sign; restore it from a backup") from None
    return loaded


def local_addresses() -> list[str]:
    """The machine's own addresses, loopback last; link-local ones left out."""
    import psutil  # noqa: PLC0415 - asked for where there is no route, and in tests

    found: list[str] = []
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family in {socket.AF_INET, socket.AF_INET6} and "%" not in address.address:
                parsed = ipaddress.ip_address(address.address)
                if not parsed.is_link_local:
                    found.append(str(parsed))
    return sorted(set(found), key=lambda text: (ipaddress.ip_address(text).is_loopback, ":" in text, text))


def reachable_address() -> str:
    """The address that other machines reach: that of the default route if there is one, else any that is not loopback.

    Asks the kernel for a route; nothing is sent.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737
            return str(probe.getsockname()[0])
        except OSError:
            return (local_addresses() or ["127.0.0.1"])[0]


@cache
def handed_over(index: int) -> tuple[str, int]:
    """Address and port of a TCP socket that systemd hands over (sd_listen_fds(3)); port 0 where that is none of them.

    To be asked first before it is listened at: from then on the descriptor is somebody else's, and this remembers.
    """
    with suppress(OSError, ValueError), socket.socket(fileno=os.dup(LISTEN_FDS_START + index)) as given:
        if given.family in {socket.AF_INET, socket.AF_INET6}:
            host, port, *_ = given.getsockname()
            return str(host), int(port)
    return "", 0


def load_tls(state: StatePaths, names: list[str]) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Key and certificate of the TLS listener, made where there are none.

    P-256, because its handshake costs a quarter of RSA-3072's; self-signed, because clients pin the identity key. It goes to
    everybody who connects, so it names nothing of this machine but what ``names`` has; one of ours with other names, as
    after a change of the settings, or that ends within a month, is made anew for the same key.

    Args:
        state: Where they are kept.
        names: The DNS names and addresses that the server is reached by, as far as they are known.
    """
    key_data = read_private(state.tls_key)
    certificate_data = read_private(state.tls_certificate)
    if key_data is not None and certificate_data is not None:
        try:
            key = serialization.load_pem_private_key(key_data, password=None)
            certificate = x509.load_pem_x509_certificate(certificate_data)
        except (ValueError, TypeError):
            raise StateDirectoryError(f"{state.tls_key}: does not parse; remove tls.key and tls.crt") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise StateDirectoryError(f"{state.tls_key}: not the key of tls.crt; remove both")
        if not is_self_made(certificate) or (_names_of(certificate) == _alternatives(names) and _lasts(certificate)):
            return key, certificate
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(state.tls_key, _pem(key))
    certificate = _self_signed(key, names)
    write_private(state.tls_certificate, certificate.public_bytes(serialization.Encoding.PEM))
    return key, certificate


def is_self_made(certificate: x509.Certificate) -> bool:
    """Whether it was made here, and not by the operator or for them."""
    return certificate.subject == certificate.issuer == _SUBJECT


def _lasts(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC) > RENEWAL


def _names_of(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _alternatives(names: list[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for host in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            if host.isascii() and host:
                found.append(x509.DNSName(host))
    return found or [x509.DNSName(UNKNOWN_NAME)]


def _self_signed(key: ec.EllipticCurvePrivateKey, names: list[str]) -> x509.Certificate:
    subject, alternative = _SUBJECT, _alternatives(names)
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * CERTIFICATE_YEARS))
        .add_extension(x509.SubjectAlternativeName(alternative), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=False)
        .sign(key, hashes.SHA256())
    )
