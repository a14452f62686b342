"""The server's own identity: which key it has, how it came to it, and how it gets another one (docs/operations.rst).

A rotation has three steps: the next key is written beside the present one; the log gets its leaf; the next key takes the
present one's place. The leaf decides: where the second step was not taken, the next key is thrown away; where it was, the
next start takes the third one.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct
from sqlalchemy import Connection

from chatserv.backup.highest_head import Known, check_newest, known_newest
from chatserv.crypto.log_leaves import Leaf, LeafType, server_key_leaf
from chatserv.crypto.password import own_secret
from chatserv.crypto.server_keys import MAX_ROTATIONS, ServerKeys, first_key_id, make_server_rotation
from chatserv.crypto.suite import generate_rsa, rsa_key_id, rsa_spki
from chatserv.errors import Reject
from chatserv.local_errors import StateDirectoryError
from chatserv.models import LeafDraft
from chatserv.net.keys import load_identity, read_identity, write_identity
from chatserv.private_files import overwrite, sync_directory
from chatserv.state_directory import StateDirectory, StatePaths
from chatserv.store import meta_statements, statements
from chatserv.store.database import DatabaseRefused
from chatserv.store.databases import Database, SqliteDatabase
from chatserv.store.log_statements import append_leaves
from chatserv.wire.handshake import ALL_METHODS
from chatserv.wire.parameters import ServerIdentity


class Rotated(Struct, frozen=True):
    """What a rotation has come to: what the server is called by, and the hashes of the two keys, 32 bytes each."""

    server_id: bytes
    old_id: bytes
    new_id: bytes


def public_identity(key: rsa.RSAPrivateKey, rotations: tuple[bytes, ...] = ()) -> ServerIdentity:
    """What everybody may know of it."""
    return ServerIdentity(rsa_spki(key.public_key()), ALL_METHODS, rotations)


def settled_identity(
    state: StateDirectory, connection: Connection, leaves: tuple[bytes, ...], database: str
) -> tuple[rsa.RSAPrivateKey, tuple[bytes, ...]]:
    """The key that the log names, and the signed rotations that led to it; brings a rotation to its end that was cut.

    Raises:
        StateDirectoryError: The key that is there is another one.
        DatabaseRefused: Not all rotations are signed.
    """
    logged = [Leaf.decode(leaf).subject for leaf in leaves if leaf[0] == LeafType.SERVER_KEY]
    rotations = statements.rotations(connection)
    _finish(state, logged[-1] if logged else b"")
    key = load_identity(state)
    if not rotations:
        return key, ()
    try:
        keys = ServerKeys(first_key_id(rotations))
        signed = keys.follow(rotations) == rotations
    except Reject:
        signed = False
    if not signed:
        hint = "somebody has changed the database; restore a backup"
        raise DatabaseRefused(database, "the log names a key of this server that is not signed", hint)
    if rsa_key_id(key) != keys.key_id:
        raise StateDirectoryError(
            f"{state.identity_key}: not the newest key of this server, which the log names: restore it from a backup, "
            "or copy it from another node"
        )
    return key, rotations


def _finish(state: StateDirectory, newest_id: bytes) -> None:
    """The third step of a rotation whose leaf is there; without one the next key is nobody's."""
    waiting = read_identity(state.next_identity_key)
    if waiting is None:
        return
    overwrite(state.identity_key if rsa_key_id(waiting) == newest_id else state.next_identity_key)
    if rsa_key_id(waiting) == newest_id:
        state.next_identity_key.replace(state.identity_key)
    else:
        state.next_identity_key.unlink()
    sync_directory(state.path)


def login_secret(connection: Connection, key: rsa.RSAPrivateKey) -> bytes:
    """What the server makes secrets of logins by password from, 32 bytes: it stays the same when the key changes."""
    return meta_statements.login_secret(connection) or own_secret(key)


def rotate_identity(directory: Path, now_ms: int, database: Database | None = None) -> Rotated:
    """Gives the server another identity key, signed by the one before, which is destroyed; while no server runs there.

    Args:
        directory: The state directory.
        now_ms: The clock, in milliseconds since 1970.
        database: Where the store is; None: in the state directory.

    Raises:
        StateDirectoryError: A server runs there, or none ever did, or its key cannot be used or has changed too often.
        DatabaseRefused: The database cannot be used, or no server would start on it, as on an old copy.
    """
    database = database or SqliteDatabase(StatePaths(directory).database)
    if not database.exists():
        raise StateDirectoryError(f"{directory}: no server has run there")
    state = StateDirectory(directory)
    try:
        if not state.identity_key.exists():
            raise StateDirectoryError(f"{state.identity_key}: missing: restore it from a backup")
        # Opening a file for writing would take a log away that was cut off.
        known = known_newest(state, database)
        database.prepare()
        engine = database.engine()
        try:
            with database.refusals():
                return _rotate(state, database, engine.connect(), known, now_ms)
        finally:
            engine.dispose()
    finally:
        state.release()


def _rotate(state: StateDirectory, database: Database, connection: Connection, known: Known, now_ms: int) -> Rotated:
    with connection, connection.begin():
        database.lock(connection)
        leaves = tuple(statements.log(connection))
        check_newest(connection, known, leaves)
        old, rotations = settled_identity(state, connection, leaves, database.name)
        if statements.mending(connection):
            hint = "chatserv restore --finish ends it, while the server runs"
            raise StateDirectoryError(f"{state.path}: the server mends what a restore has lost: {hint}")
        if len(rotations) >= MAX_ROTATIONS:
            raise StateDirectoryError(f"{state.identity_key}: has changed {MAX_ROTATIONS} times, and may not any more")
        server_id, new = public_identity(old, rotations).server_id, generate_rsa()
        statement, new_id = make_server_rotation(server_id, old, new, now_ms), rsa_key_id(new)
        write_identity(state.next_identity_key, new, (*rotations, statement))
        leaf = server_key_leaf(new_id, statement, now_ms).encode()
        append_leaves(connection, [LeafDraft(leaf, statement)])
        meta_statements.keep_login_secret(connection, login_secret(connection, old))
        statements.count_start(connection)  # a server that has only lost its connection must not go on after this
    _finish(state, new_id)
    return Rotated(server_id, rsa_key_id(old), new_id)
