"""Certificates as a public authority would give them: a root, one below it, and servers' below that."""

import datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.UTC)


def pem(key: Any) -> bytes:
    """A private key, without a passphrase."""
    kind = serialization.PrivateFormat.PKCS8
    return bytes(key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()))


def ec_key() -> ec.EllipticCurvePrivateKey:
    """A fresh key of P-256."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_2048() -> rsa.RSAPrivateKey:
    """The same RSA key each time."""
    return rsa.generate_private_key(65537, 2048)


def certificate(
    subject: str, key: Any, issuer: str, signer: Any, *, begins: float = -1.0, ends: float = 90.0, ca: bool = False
) -> x509.Certificate:
    """One certificate; its times are days from now on."""
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    return (
        x509.CertificateBuilder(names[1], names[0], key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW + datetime.timedelta(days=begins))
        .not_valid_after(NOW + datetime.timedelta(days=ends))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("chat.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )


class Authority:
    """An authority that writes what it gives into a directory: ``fullchain.pem`` and ``privkey.pem``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.root_key, self.key = ec_key(), ec_key()
        self.root = certificate("root", self.root_key, "root", self.root_key, ca=True)
        self.middle = certificate("middle", self.key, "root", self.root_key, ca=True)
        self.chain, self.private = directory / "fullchain.pem", directory / "privkey.pem"

    def issue(self, key: Any = None, *, begins: float = -1.0, ends: float = 90.0) -> x509.Certificate:
        """A new certificate for a server, in the place of the one before."""
        key = key or ec_key()
        made = certificate("chat.example", key, "middle", self.key, begins=begins, ends=ends)
        self.write(key, made, self.middle)
        return made

    def write(self, key: Any, *certificates: x509.Certificate) -> None:
        """Both files."""
        self.chain.write_bytes(b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates))
        self.private.write_bytes(pem(key))
        self.private.chmod(0o600)
