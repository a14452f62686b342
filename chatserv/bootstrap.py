"""What has to be there before the server forks: settings, lock, keys, database, and the first administrator's invite.

Everything here blocks and runs before the reactor does; nothing here leaves a thread, a connection or a child behind.
"""

import secrets
import shutil
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
from chatserv.errors import Reject
from chatserv.i18n import _
from chatserv.listening import ANY_ADDRESS
from chatserv.local_errors import StateDirectoryError
from chatserv.logs import escape
from chatserv.models import Ban, ConsentAt, Invite, Room
from chatserv.net.keys import handed_over, load_identity, load_tls, reachable_address
from chatserv.private_files import read_private, shell_word, write_private
from chatserv.qr import terminal_qr
from chatserv.state_directory import StateDirectory
from chatserv.store import statements
from chatserv.store.database import DatabaseRefused, refusals, writing_engine
from chatserv.store.database import prepare as prepare_database
from chatserv.store.limits import StoreLimits
from chatserv.streams import say, takes
from chatserv.wire.handshake import TOKEN_BYTES
from chatserv.wire.link import ServerLink, fingerprint_text, format_link

HOUR_MS = 3_600_000
QUIET_MODULES = 4  # around a QR code (ISO/IEC 18004)


@dataclass(frozen=True)
class Prepared:
    """Everything that the service is composed of. ``invite`` is None where there is an administrator.

    ``rooms``, ``consents``, ``log`` (the leaves) and ``bans``: what the store holds and the server keeps in memory.
    """

    config: Config
    state: StateDirectory
    identity: rsa.RSAPrivateKey = field(repr=False)
    tls_key: ec.EllipticCurvePrivateKey = field(repr=False)
    tls_certificate: x509.Certificate
    rooms: tuple[Room, ...] = field(repr=False)
    consents: tuple[ConsentAt, ...] = field(repr=False)
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
    tls_key, tls_certificate = load_tls(state, _known_by(config.server))
    prepare_database(state.database)
    engine = writing_engine(state.database)
    try:
        with refusals(state.database), engine.begin() as connection:
            leaves = tuple(statements.log(connection))
            _check_rotations(connection, state, sha256(rsa_spki(identity.public_key())), leaves)
            return Prepared(
                config,
                state,
                identity,
                tls_key,
                tls_certificate,
                rooms=tuple(statements.rooms(connection)),
                consents=tuple(statements.consents(connection)),
                log=leaves,
                bans=tuple(statements.bans(connection)),
                invite=_first_invite(connection, config, state, now_ms, random),
            )
    finally:
        engine.dispose()


def _known_by(server: Server) -> list[str]:
    """The hosts that people are told of, or that the server listens on: what its certificate may name."""
    advertised = [] if server.advertised is None else [server.advertised[0]]
    given = [handed_over(each.index)[0] if each.kind == "systemd" else each.host for each in server.listeners]
    return [*advertised, *(host.partition("%")[0] for host in given if host not in ANY_ADDRESS)]


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


def advertised_link(prepared: Prepared, invite: bytes = b"") -> ServerLink | None:
    """The link that leads here: to the advertised host, else to the first TCP listener; None: nobody knows where that is."""
    place = prepared.config.server.advertised or _found(prepared.config.server)
    return None if place is None else ServerLink(*place, prepared.server_id, invite)


def _found(server: Server) -> tuple[str, int] | None:
    for listener in server.listeners:
        host, port = listener.host, listener.port
        if listener.kind == "systemd":
            host, port = handed_over(listener.index)
        if port and not listener.fronted:
            elsewhere = host in ANY_ADDRESS or "%" in host  # a scope id means nothing to others
            return (reachable_address() if elsewhere else host), port
    return None


def client_program() -> str:
    """What to type for the client: its name where the shell finds it, else its path beside this interpreter, quoted."""
    name = "chatserv-client"
    beside = Path(sys.executable).with_name(name)
    return shell_word(beside) if shutil.which(name) is None and beside.exists() else name


def announce(prepared: Prepared, out: TextIO) -> bool:
    """Prints fingerprint, and link and QR code of the first invite, to the terminal; never to a log. Tells if it could."""
    lines = [
        f"chatserv {VERSION}, {_('state in')} {escape(str(prepared.state.path))}",
        f"{_('server fingerprint')}  {fingerprint_text(prepared.server_id)}",
    ]
    if prepared.invite is not None and prepared.config.security.registration == "closed":
        lines.append(
            _("no administrator yet, and registration is closed: set security.registration to invite for the first one")
        )
    elif prepared.invite is not None:
        lines += _way_in(advertised_link(prepared, prepared.invite), out)
    return say(out, "\n".join(lines) + "\n")


def _way_in(link: ServerLink | None, out: TextIO) -> list[str]:
    if link is None:
        return [
            _(
                "no administrator yet, and no TCP port of this server's own that a link could lead to: set server.advertise"
            ),
            _("and server.port to where people reach it, and start it again for the first administrator's link"),
        ]
    text = format_link(link)
    code = terminal_qr(text, border=QUIET_MODULES, colour=out.isatty())
    program = client_program()
    if not takes(out, code):  # an encoding without the blocks that a code is drawn with
        said = _("no administrator yet; the first one starts {program} and pastes this link, once and within a day:")
        return [said.format(program=program), text]
    return [
        _("no administrator yet; the first one scans this, once and within a day:"),
        code,
        _("or starts {program} and pastes this link:").format(program=program),
        text,
    ]
