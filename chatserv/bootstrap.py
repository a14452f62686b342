"""What has to be there before the server forks: settings, lock, keys, database, and the first administrator's invite.

Everything here blocks and runs before the reactor does; nothing here leaves a thread, a connection or a child behind.
"""

import re
import secrets
import shlex
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlalchemy import Connection

from chatserv import VERSION
from chatserv.config import Config, Server
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.log_leaves import Leaf, LeafType
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.domain.roles import Role
from chatserv.errors import Reject, StateDirectoryError
from chatserv.i18n import _
from chatserv.net.keys import load_identity, load_tls, reachable_address
from chatserv.private_files import read_private, write_private
from chatserv.qr import terminal_qr
from chatserv.state import StateDirectory
from chatserv.store import statements
from chatserv.store.database import DatabaseRefused, writing_engine
from chatserv.store.database import prepare as prepare_database
from chatserv.store.limits import StoreLimits
from chatserv.stored import Ban, Invite, Room
from chatserv.wire.handshake import TOKEN_BYTES
from chatserv.wire.link import ServerLink, fingerprint_text, format_link

HOUR_MS = 3_600_000
QUIET_MODULES = 4  # around a QR code (ISO/IEC 18004)
ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True)
class Prepared:
    """Everything that the service is composed of. ``invite`` is None where there is an administrator.

    ``rooms``, ``log`` (the leaves) and ``bans``: what the store holds and the server keeps in memory.
    """

    config: Config
    state: StateDirectory
    identity: rsa.RSAPrivateKey = field(repr=False)
    tls_key: ec.EllipticCurvePrivateKey = field(repr=False)
    tls_certificate: x509.Certificate
    rooms: tuple[Room, ...] = field(repr=False)
    log: tuple[bytes, ...] = field(repr=False)
    bans: tuple[Ban, ...] = field(repr=False)
    invite: bytes | None = field(repr=False)

    @property
    def server_id(self) -> bytes:
        """What clients pin, 32 bytes."""
        return sha256(rsa_spki(self.identity.public_key()))


def prepare(
    config: Config, directory: Path, now_ms: int, random: Callable[[int], bytes] = secrets.token_bytes
) -> Prepared:
    """Takes the state directory and makes in it what is missing.

    Args:
        config: The settings.
        directory: The state directory; made where it is missing.
        now_ms: The clock, in milliseconds since 1970.
        random: Gives so many random bytes.

    Raises:
        StateDirectoryError: Another instance holds it, or it or a key in it cannot be used.
        DatabaseRefused: The database cannot be used.
    """
    state = StateDirectory(directory)
    if state.database.exists() and not state.identity_key.exists():
        raise StateDirectoryError(
            f"{state.identity_key}: missing, though there is a database: restore it from a backup"
        )
    identity = load_identity(state)
    tls_key, tls_certificate = load_tls(state, [config.server.advertise] if config.server.advertise else [])
    prepare_database(state.database)
    engine = writing_engine(state.database)
    try:
        with engine.begin() as connection:
            leaves = tuple(statements.log(connection))
            _check_rotations(connection, state, sha256(rsa_spki(identity.public_key())), leaves)
            return Prepared(
                config,
                state,
                identity,
                tls_key,
                tls_certificate,
                rooms=tuple(statements.rooms(connection)),
                log=leaves,
                bans=tuple(statements.bans(connection)),
                invite=_first_invite(connection, config, state, now_ms, random),
            )
    finally:
        engine.dispose()


def _check_rotations(
    connection: Connection, state: StateDirectory, server_id: bytes, leaves: tuple[bytes, ...]
) -> None:
    """Refuses a log in which an identity has changed that its owner has not signed: no head is signed over it."""
    if not any(leaf[0] == LeafType.ROTATE for leaf in leaves):
        return
    facts = LogFacts(server_id, map(Leaf.decode, leaves))
    for rotation in facts.undecided(facts.size):
        new, old = (statements.statement(connection, each.index) or b"" for each in (rotation.new, rotation.old))
        try:
            rotation.verify(new, old)
        except Reject as error:
            message = f"leaf {rotation.new.index} of the log is a new identity that its owner has not signed"
            hint = "somebody has changed the database; restore a backup"
            raise DatabaseRefused(str(state.database), message, hint) from error


def _first_invite(
    connection: Connection, config: Config, state: StateDirectory, now_ms: int, random: Callable[[int], bytes]
) -> bytes | None:
    """The administrator's invite while there is none: the one of an earlier start if it still works, else a new one."""
    if statements.administrator_exists(connection):
        state.first_invite.unlink(missing_ok=True)
        return None
    token = read_private(state.first_invite)
    if token is None or not statements.invite_works(connection, sha256(token), now_ms):
        token = random(TOKEN_BYTES)
        write_private(state.first_invite, token)
        expires_ms = now_ms + int(config.limits.invite_hours * HOUR_MS)
        invite = Invite(sha256(token), Role.ADMIN, expires_ms)
        statements.add_invite(connection, invite, now_ms, StoreLimits(open_invites=config.limits.open_invites + 1))
    return token


def advertised_link(prepared: Prepared, invite: bytes = b"") -> ServerLink:
    """The link that leads here: the advertised host, else the one listened on, else the address that others reach."""
    server = prepared.config.server
    host, port = _listened(server)
    return ServerLink(
        server.advertise or (reachable_address() if host in ANY_ADDRESS else host), port, prepared.server_id, invite
    )


def _listened(server: Server) -> tuple[str, int]:
    """Interface and port of the first TCP endpoint of ``listen``; else the settings' host and port."""
    for description in server.listen:
        kind, *arguments = (part.replace("\\", "") for part in re.split(r"(?<!\\):", description))
        named = dict(part.split("=", 1) for part in arguments if "=" in part)
        port = named.get("port", arguments[0] if arguments else "")
        if kind in {"tcp", "tcp6"} and port.isdecimal() and int(port):
            return named.get("interface", "0.0.0.0"), int(port)  # noqa: S104 - Twisted's default
    return server.host, server.port


def client_program() -> str:
    """What to type for the client: its name where the shell finds it, else its path beside this interpreter, quoted."""
    name = "chatserv-client"
    beside = Path(sys.executable).with_name(name)
    return shlex.quote(str(beside)) if shutil.which(name) is None and beside.exists() else name


def announce(prepared: Prepared, out: TextIO) -> None:
    """Prints fingerprint, and link and QR code of the first invite, to the terminal; never to a log."""
    lines = [
        f"chatserv {VERSION}, {_('state in')} {prepared.state.path}",
        f"{_('server fingerprint')}  {fingerprint_text(prepared.server_id)}",
    ]
    if prepared.invite is not None:
        link = format_link(advertised_link(prepared, prepared.invite))
        lines += [
            _("no administrator yet; the first one scans this, once and within a day:"),
            terminal_qr(link, border=QUIET_MODULES, colour=out.isatty()),
            _("or starts {program} and pastes this link:").format(program=client_program()),
            link,
        ]
    print("\n".join(lines), file=out, flush=True)


def port_problem(host: str, port: int) -> str | None:
    """Why nothing can listen there, or None. Tried before the fork, so that the start ends with one plain line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return f"{host}:{port}: {error.strerror}"
    return None
