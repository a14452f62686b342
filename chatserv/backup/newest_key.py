"""With which identity key a copy of a server is put back: its own, or the newer one that lies where it goes.

A key that was given up is refused by every client that has followed to a newer one. So the newer one stays, with the signed
changes that lead to it. Whatever else lies there and does not fit the keys of the copy, be it a key, what a store tells of
its keys, or a head: nothing is put in its place unasked. It may be newer than the copy, or the true one beside one that was
led astray with a stolen key, and nobody here can tell which.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from chatserv.backup.archive import IDENTITY, Manifest
from chatserv.backup.highest_head import read_head
from chatserv.backup.refusals import BackupError
from chatserv.backup.store_checks import StoreFacts
from chatserv.crypto.server_keys import ServerKeys, first_key_id
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.discreet import Discreet
from chatserv.errors import ChatError, Reject
from chatserv.i18n import _
from chatserv.local_errors import StateDirectoryError
from chatserv.net.keys import changes_in, parse_identity
from chatserv.private_files import read_private
from chatserv.state_directory import StateDirectory
from chatserv.store import statements
from chatserv.store.database import reading_engine, refusals


class _Key(Discreet, frozen=True):
    """A key that lies there: the file, what is in it, its public half (DER), the changes behind it as they stand."""

    shown = ("file", "spki", "changes")

    file: Path
    data: bytes
    spki: bytes
    changes: tuple[bytes, ...]


def newest_key(
    path: Path, state: StateDirectory, manifest: Manifest, facts: StoreFacts, small: Mapping[str, bytes], *, older: bool
) -> tuple[ServerKeys, bytes | None]:
    """The server's keys up to the newest, and the identity file to be put there; None: the one in the backup.

    Args:
        path: The backup.
        state: Where it goes.
        manifest: What it says.
        facts: What its database holds.
        small: Its small files, by name.
        older: Whether the key will do whatever lies there that does not fit it.

    Raises:
        BackupError: There is no key; or what lies there may be of a newer one, or of another server.
        PrivateFileError: A key that lies there cannot be read, or others could.
    """
    told, newest, data = _told(state), facts.server(manifest.server_key, path), None
    lying: list[_Key] = []
    with suppress(*([ChatError] if older else [])):
        lying += _lying(state)
    for key in lying:
        for changes in (key.changes, told):
            with suppress(BackupError):
                found = facts.server(key.spki, key.file, changes)
                if found.server_id == newest.server_id and len(found.key_ids) > len(newest.key_ids):
                    newest, data = found, key.data
    if data is None and IDENTITY not in small:
        _require_same(path, state, manifest)
    if not older:
        _require_known(path, state, newest, lying, told)
    return newest, data


def require_known(path: Path, state: StateDirectory, keys: ServerKeys) -> None:
    """Raises as `newest_key` where something lies there that these keys of a server do not explain."""
    _require_known(path, state, keys, list(_lying(state)), _told(state))


def _lying(state: StateDirectory) -> Iterator[_Key]:
    """The keys that lie there; one that is damaged is nobody's, and says nothing. Raises `PrivateFileError`."""
    for file in (state.identity_key, state.next_identity_key):
        data = read_private(file)
        if data is None:
            continue
        try:
            spki = rsa_spki(parse_identity(file, data).public_key())
        except StateDirectoryError:
            continue
        try:
            changes = changes_in(file, data)
        except StateDirectoryError:
            changes = ()
        yield _Key(file, data, spki, changes)


def _told(state: StateDirectory) -> tuple[bytes, ...]:
    """The changes of key that the store there names, as far as it can be read."""
    if not state.database.exists():
        return ()
    engine = reading_engine(state.database)
    try:
        with suppress(ChatError), refusals(state.database), engine.connect() as connection:
            return statements.rotations(connection)
    finally:
        engine.dispose()
    return ()


def _require_known(
    path: Path, state: StateDirectory, keys: ServerKeys, lying: list[_Key], told: tuple[bytes, ...]
) -> None:
    """Refuses where a key lies there, or a store or a head tells of one, that is none of these or leads elsewhere."""
    for key in lying:
        if sha256(key.spki) not in keys.key_ids or _leads(key.changes, keys) is None:
            said = _("its key is none that the keys in {file} lead to: it may be a newer one, or another server's")
            hint = _(
                "a newer key needs the signed changes behind it, as rotate-key writes them, or the store that tells of "
                "them: put that there, or restore a backup that was made since; move another server's key away; "
                "--older-key restores the backup's key all the same"
            )
            raise BackupError(key.file, said.format(file=path), hint)
    further = _leads(told, keys)
    if further is None:
        said = _("the store there tells of other changes of the server's key than {file}: one of them is forged")
        hint = _("restore another backup; --older-key restores this one all the same")
        raise BackupError(state.database, said.format(file=path), hint)
    if further or not _has_signed(keys, state):
        said = _(
            "the server has given up the key in it since (rotate-key), or another server was there: clients refuse it"
        )
        hint = _(
            "put the newest identity.pem there first, as it was, with mode 0600, or restore a backup that was made since; "
            "--older-key restores the backup's key all the same"
        )
        raise BackupError(path, said, hint)


def _leads(changes: tuple[bytes, ...], keys: ServerKeys) -> int | None:
    """How many keys further than these signed changes lead; None: elsewhere. Another server's and false ones: 0."""
    if not changes:
        return 0
    try:
        other = ServerKeys(first_key_id(changes))
    except Reject:
        return 0
    with suppress(Reject):  # those before the wrong one count
        other.follow(changes)
    if other.server_id != keys.server_id:
        return 0
    if any(theirs != ours for theirs, ours in zip(other.key_ids, keys.key_ids, strict=False)):
        return None
    return max(0, len(other.key_ids) - len(keys.key_ids))


def _has_signed(keys: ServerKeys, state: StateDirectory) -> bool:
    """Whether the head that was kept there, if it can be read, is signed by one of these."""
    with suppress(ChatError):
        kept = read_head(state.log_head)
        if kept is not None:
            try:
                keys.verify_head(kept.head)
            except Reject:
                return False
    return True


def _require_same(path: Path, state: StateDirectory, manifest: Manifest) -> None:
    """Raises `BackupError` unless the server's identity key lies in its place."""
    data = read_private(state.identity_key)
    if data is None:
        hint = _("put the server's identity.pem, which was kept apart, there first, with mode 0600")
        raise BackupError(state.identity_key, _("missing, and the backup does not hold it"), hint)
    if rsa_spki(parse_identity(state.identity_key, data).public_key()) != manifest.server_key:
        raise BackupError(state.identity_key, _("not the key of the server that {file} is of").format(file=path))
