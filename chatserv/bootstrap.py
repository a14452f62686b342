"""What has to be there before the server forks: settings, lock, keys, database, and the first administrator's invite.

Everything here blocks and runs before the reactor does; nothing here leaves a thread, a connection or a child behind.
"""

import secrets
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Connection

from chatserv.backup.highest_head import HeadFile, Known, check_kept_head, check_newest, known_newest
from chatserv.backup.last_place import LastPlace
from chatserv.config import Config
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.log_leaves import Leaf, LeafType
from chatserv.crypto.suite import sha256
from chatserv.discreet import Discreet
from chatserv.domain.roles import Role
from chatserv.errors import Reject
from chatserv.failpoints import failpoint
from chatserv.local_errors import StateDirectoryError
from chatserv.mending_models import MendingState
from chatserv.models import Ban, ConsentAt, Invite, Room
from chatserv.net.certificates import Certified, load_certified
from chatserv.net.keys import load_identity
from chatserv.own_identity import login_secret, public_identity, settled_identity
from chatserv.private_files import read_private, write_private
from chatserv.state_directory import READY, StateDirectory
from chatserv.store import meta_statements, statements
from chatserv.store.control_statements import control_number
from chatserv.store.database import DatabaseRefused
from chatserv.store.databases import Database, database_of
from chatserv.store.limits import StoreLimits
from chatserv.store.node_statements import begin_one_moment
from chatserv.wire.handshake import TOKEN_BYTES
from chatserv.wire.link import fingerprint_text
from chatserv.wire.parameters import ServerIdentity

HOUR_MS = 3_600_000


class Stored(Discreet, frozen=True):
    """What the store holds and the server has in memory, all of one moment.

    ``rooms``, ``consents``: none where there are other nodes: they come when somebody needs them. ``log``: its leaves.
    ``control``: how far it has come with what other nodes have to hear of.
    """

    shown = ("addresses", "retention_clock_ms")

    rooms: tuple[Room, ...]
    consents: tuple[ConsentAt, ...]
    log: tuple[bytes, ...]
    bans: tuple[Ban, ...]
    addresses: tuple[str, ...]
    mending: MendingState
    retention_clock_ms: int
    control: int


class Prepared(Discreet, frozen=True, dict=True):
    """Everything that the service is composed of. ``invite`` is None where there is an administrator, or may soon be one.

    ``head_file``: where each head of the log is kept before it is told; ``last_place`` likewise that of each message.
    ``use``: by which the store knows that it is not over (`chatserv.store.databases.Database.store`). ``incarnation``: its.
    """

    shown = ("config", "state", "tls")

    config: Config
    state: StateDirectory
    database: Database
    identity: rsa.RSAPrivateKey
    rotations: tuple[bytes, ...]
    login_secret: bytes
    tls: Certified
    stored: Stored
    head_file: HeadFile
    last_place: LastPlace
    use: int
    incarnation: bytes
    invite: bytes | None

    @cached_property
    def public(self) -> ServerIdentity:
        """What clients get to know of the identity, and pin."""
        return public_identity(self.identity, self.rotations)


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
        DatabaseRefused: The database cannot be used, or is older than one that was here.
    """
    state = StateDirectory(directory)
    try:
        return _prepare(config, state, now_ms, random)
    except BaseException:
        state.release()  # whoever reads of it mends it, and tries again
        raise


def _prepare(config: Config, state: StateDirectory, now_ms: int, random: Callable[[int], bytes]) -> Prepared:
    if any(state.path.glob(READY)):
        from chatserv.backup.restoring import finish_restore  # noqa: PLC0415 - no other start has a use for tarfile

        finish_restore(state)
    database = database_of(config.store, state.database, config.cluster)
    exists = database.exists()
    if exists and not state.identity_key.exists():
        hint = "copy it from another node" if database.cluster else "restore it from a backup"
        raise StateDirectoryError(f"{state.identity_key}: missing, though there is a database: {hint}")
    if not exists:
        load_identity(state)  # first of all, so that there is no database without it
    tls = load_certified(config, state)
    failpoint("start.keys_made")
    known = known_newest(state, database)
    database.prepare()
    engine = database.engine()
    try:
        with database.refusals(), engine.begin() as connection:
            database.lock(connection)
            decided = _decided(connection, config, state, database, known, now_ms, random)
            if not database.cluster:
                return _whole(connection, decided, tls, alone=True)
        with database.refusals(), engine.begin() as connection:
            begin_one_moment(connection)  # other nodes write on
            return _whole(connection, decided, tls, alone=False)
    finally:
        engine.dispose()


def _decided(
    connection: Connection,
    config: Config,
    state: StateDirectory,
    database: Database,
    known: Known,
    now_ms: int,
    random: Callable[[int], bytes],
) -> Callable[..., Prepared]:
    """Looks whether this is the database of this server, and the newest; then changes in it what a start does."""
    leaves, incarnation = tuple(statements.log(connection)), statements.incarnation(connection) or b""
    check_newest(connection, known, leaves)
    failpoint("start.checked")
    identity, rotations = settled_identity(state, connection, leaves, database.name)
    public = public_identity(identity, rotations)
    if database.shared:
        _check_owner(connection, database.name, public.server_id)
        check_kept_head(connection, leaves, public.spki, database.name)
    if database.cluster and statements.mending(connection):
        hint = "start one server on it without cluster.bus until that is done, or end it by chatserv restore --finish"
        raise DatabaseRefused(database.name, "restored, and not mended yet", hint)
    number = statements.count_start(connection, alone=not database.cluster)
    return partial(
        Prepared,
        config=config,
        state=state,
        database=database,
        identity=identity,
        rotations=rotations,
        login_secret=login_secret(connection, identity),
        head_file=HeadFile(state.log_head, incarnation, number),
        last_place=LastPlace(state.last_place, incarnation),
        use=meta_statements.last_alone(connection) if database.cluster else number,
        incarnation=incarnation,
        invite=_first_invite(connection, config, state, now_ms, random),
    )


def _whole(connection: Connection, decided: Callable[..., Prepared], tls: Certified, *, alone: bool) -> Prepared:
    prepared = decided(tls=tls, stored=_stored(connection, alone=alone))
    _check_rotations(connection, prepared.database.name, prepared.public.server_id, prepared.stored.log)
    return prepared


def _stored(connection: Connection, *, alone: bool) -> Stored:
    return Stored(
        rooms=tuple(statements.rooms(connection)) if alone else (),
        consents=tuple(statements.consents(connection)) if alone else (),
        log=tuple(statements.log(connection)),
        bans=tuple(statements.bans(connection)),
        addresses=meta_statements.addresses(connection),
        mending=statements.mending_state(connection),
        retention_clock_ms=statements.retention_clock(connection),
        control=control_number(connection),
    )


def _check_owner(connection: Connection, name: str, server_id: bytes) -> None:
    """Refuses a database of another server: it is not in the state directory, and a URL is soon mistaken."""
    owner = meta_statements.meta_value(connection, meta_statements.SERVER)
    if owner is None:
        meta_statements.put_meta(connection, meta_statements.SERVER, server_id)
    elif owner != server_id:
        message = f"the database of another server, whose fingerprint is {fingerprint_text(owner)}"
        raise DatabaseRefused(name, message, "name this server's database in store.url, or put its identity.pem here")


def _check_rotations(connection: Connection, name: str, server_id: bytes, leaves: tuple[bytes, ...]) -> None:
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
            raise DatabaseRefused(name, message, hint) from error


def _first_invite(
    connection: Connection, config: Config, state: StateDirectory, now_ms: int, random: Callable[[int], bytes]
) -> bytes | None:
    """The administrator's invite while there is none: the one of an earlier start if it still works, else a new one.

    None as well where another node has made one that still works.
    """
    if statements.administrator_exists(connection):
        state.first_invite.unlink(missing_ok=True)
        return None
    token = read_private(state.first_invite)
    if token is None or not statements.invite_works(connection, sha256(token), now_ms):
        if config.cluster.is_set and statements.administrator_invited(connection, now_ms):
            return None
        token = random(TOKEN_BYTES)
        write_private(state.first_invite, token)
        expires_ms = now_ms + int(config.limits.invite_hours * HOUR_MS)
        invite = Invite(sha256(token), Role.ADMIN, expires_ms)
        statements.add_invite(connection, invite, now_ms, StoreLimits(open_invites=config.limits.open_invites + 1))
    return token
