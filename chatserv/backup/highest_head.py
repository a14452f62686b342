"""The highest signed head of the log, in a file beside the database: by it an old copy of the database is known.

Every head is in that file, on the disk, before anybody is told of it; so what clients have seen the store has too, or it is
not the newest one. The log grows only with accounts, devices and rooms; so each start is counted as well, in the store
first, then in the file: whatever dies between the two leaves a store that is ahead, and only an older one is behind.
"""

from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection

from chatserv.backup.last_place import check_last_place, check_place
from chatserv.crypto.log_leaves import TREE_HEAD_BYTES, TreeHead, verify_tree_head
from chatserv.crypto.merkle import leaf_hash, tree_root
from chatserv.crypto.suite import RSA_BYTES
from chatserv.decoding import UNREADABLE
from chatserv.errors import Reject
from chatserv.local_errors import StateDirectoryError
from chatserv.private_files import read_private, write_private
from chatserv.state_directory import StatePaths
from chatserv.store import log_statements, statements
from chatserv.store.database import DatabaseRefused
from chatserv.store.databases import Database

VERSION: Final = 1


class KeptHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file says; bytes are in base64.

    Attributes:
        version: `VERSION`.
        incarnation: Of the store, 16 bytes.
        starts: How often a server has started on this store.
        head: The highest signed head, `TREE_HEAD_BYTES` bytes; its key may be one of before.
    """

    version: int
    incarnation: bytes
    starts: int
    head: bytes

    @property
    def tree(self) -> TreeHead:
        """What the head says."""
        return TreeHead.decode(self.head[:-RSA_BYTES])


def read_head(path: Path) -> KeptHead | None:
    """What the file says, or None where there is none.

    Raises:
        PrivateFileError: Others may read it, or we may not.
        StateDirectoryError: It says nothing that can be understood.
    """
    data = read_private(path)
    if data is None:
        return None
    try:
        kept = msgspec.json.decode(data, type=KeptHead)
    except UNREADABLE:
        kept = None
    if kept is None or kept.version != VERSION or len(kept.head) != TREE_HEAD_BYTES:
        hint = "chatserv restore puts a backup back; whoever is sure that the database is the newest one may remove the file"
        raise StateDirectoryError(f"{path}: not the highest head of a log, or of a newer version: {hint}")
    return kept


class Known(msgspec.Struct, frozen=True):
    """What is known of the newest store of a state directory.

    Attributes:
        name: The database, for errors.
        head: What the file with the highest head says; None: there is none.
        last_place: The file with the place of the last message, where the store has to be open to be compared with it.
    """

    name: str
    head: KeptHead | None
    last_place: Path | None


def known_newest(state: StatePaths, database: Database | None = None) -> Known:
    """What is known of the newest store there, for `check_newest`; to be asked before it is opened, or changes.

    Args:
        state: The directory.
        database: Where the store is; None: in the directory.

    Raises:
        DatabaseRefused: It lacks its newest messages.
        PrivateFileError, StateDirectoryError: As of `read_head`.
    """
    if database is not None and database.shared:
        return Known(database.name, read_head(state.log_head), state.last_place)
    check_last_place(state.database, state.last_place)
    return Known(str(state.database), read_head(state.log_head), None)


class HeadFile:
    """The file of one store, while a server has it.

    Args:
        path: The file.
        incarnation: The store's.
        starts: How often a server has started on it, this time included.
    """

    def __init__(self, path: Path, incarnation: bytes, starts: int) -> None:
        self._path, self._incarnation, self.starts = path, incarnation, starts
        self._highest = read_head(path)

    def keep(self, signed: bytes, *, lower: bool = False) -> None:
        """Writes a signed head, and waits for the disk. One that is lower is not put in the place of a higher one.

        Args:
            signed: The head, `TREE_HEAD_BYTES` bytes.
            lower: Put it there all the same: the leaves above are given up.

        Raises:
            PrivateFileError: The disk does not take it.
        """
        new = KeptHead(VERSION, self._incarnation, self.starts, signed)
        before = self._highest
        if before is not None and not lower and before.tree.size > new.tree.size:
            new = msgspec.structs.replace(new, head=before.head)
        write_private(self._path, msgspec.json.encode(new) + b"\n")
        self._highest = new


def check_newest(connection: Connection, known: Known, leaves: tuple[bytes, ...]) -> None:
    """Refuses a store that is older than one that this directory had, unless it was restored and is being mended.

    Args:
        connection: To the store.
        known: What is known of the newest one.
        leaves: The store's log.

    Raises:
        DatabaseRefused: It is older; the hint names the command.
    """
    if known.last_place is not None:
        check_place(connection, known.name, known.last_place)
    kept = known.head
    if kept is None:
        return
    same_life = statements.incarnation(connection) == kept.incarnation
    if (
        same_life
        and (statements.mending(connection) or _has(leaves, kept.tree))
        and statements.starts(connection) >= kept.starts
    ):
        return
    size = kept.tree.size
    if not same_life:
        what = "this is a store of before the last restore, or of another server"
    elif _has(leaves, kept.tree):
        what = "this is an old copy: a server has started on a newer one since"
    elif len(leaves) < size:
        what = f"this is an old copy: its log has {len(leaves)} entries, and clients have been told of {size}"
    else:
        what = f"its log is not the one that clients have been told of: the first {size} entries are others"
    hint = (
        "name the server that has the newest one in store.url (log-head in the state directory says what was the newest)"
        if known.last_place is not None
        else "put the newest one back; or, where that is lost, restore your newest backup: chatserv restore FILE --replace "
        "(log-head beside it says what was the newest)"
    )
    raise DatabaseRefused(known.name, what, hint)


def check_kept_head(connection: Connection, leaves: tuple[bytes, ...], server_key: bytes, name: str) -> None:
    """Refuses a database whose log is not the one that the nodes of a cluster have told clients of by what is kept there.

    A head that the server's key has not signed is forgotten: the one before it did, and nobody goes by that any more.

    Args:
        connection: To the store; nobody else writes.
        leaves: The store's log.
        server_key: The server's newest key, DER.
        name: The database's, for the error.

    Raises:
        DatabaseRefused: It is another.
    """
    signed = log_statements.kept_head(connection)
    try:
        head = verify_tree_head(signed, server_key)
    except Reject:
        log_statements.forget_head(connection)
        return
    if not _has(leaves, head):
        message = f"clients have been told of another log: its first {head.size} entries are others"
        raise DatabaseRefused(name, message, "somebody has changed the database; restore a backup")


def _has(leaves: tuple[bytes, ...], head: TreeHead) -> bool:
    return len(leaves) >= head.size and tree_root(map(leaf_hash, leaves[: head.size])) == head.root
