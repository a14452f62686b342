"""The operator's way back in, on the machine itself and while no server runs: bans, suspensions, administrators."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection
from twisted.logger import Logger

from chatserv.config import Logging
from chatserv.domain.names import user_name
from chatserv.domain.roles import Role
from chatserv.errors import NameInvalid, NotFound
from chatserv.i18n import _
from chatserv.local_errors import StateDirectoryError
from chatserv.logs import LogFiles
from chatserv.models import Ban, BanKind
from chatserv.state_directory import StateDirectory
from chatserv.store import statements
from chatserv.store.database import prepare, refusals, writing_engine
from chatserv.store.limits import StoreLimits


@dataclass(frozen=True)
class Rescue:
    """What is to be done, in this order: lift all bans; let accounts in again; make accounts administrators, let in too."""

    lift_bans: bool = False
    unsuspend: tuple[str, ...] = ()
    grant: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.lift_bans or bool(self.unsuspend or self.grant)


def carry_out(rescue: Rescue, directory: Path, logging: Logging) -> list[str]:
    """Does it, all or nothing, and gives a line for each thing done; the server's log has the same lines.

    Raises:
        StateDirectoryError: A server runs there, or none ever did, or there is no such account.
        DatabaseRefused: The database cannot be used.
    """
    if not (directory / "chatserv.db").exists():
        raise StateDirectoryError(f"{directory}: no server has run there")
    state = StateDirectory(directory)
    try:
        prepare(state.database)
        engine = writing_engine(state.database)
        try:
            with refusals(state.database), engine.begin() as connection:
                done = _do(connection, rescue)
        finally:
            engine.dispose()
        files = LogFiles(logging, state.path)
        for line in done:
            Logger("chatserv.audit", observer=files.observer).info("the operator: {line}", line=line)
        files.close()
    finally:
        state.release()
    return done


def _do(connection: Connection, rescue: Rescue) -> list[str]:
    done = []
    if rescue.lift_bans:
        bans = statements.bans(connection)
        for ban in bans:
            statements.set_ban(connection, ban, False, StoreLimits())
        done += [_("ban lifted: {kind} {subject}").format(kind=ban.kind.value, subject=ban.subject) for ban in bans]
        done += [] if bans else [_("there were no bans")]
    for name in rescue.unsuspend:
        done.append(_("{user} can log in again").format(user=_let_in(connection, name, None)))
    for name in rescue.grant:
        done.append(_("{user} is an administrator and can log in").format(user=_let_in(connection, name, Role.ADMIN)))
    return done


def _let_in(connection: Connection, name: str, role: Role | None) -> str:
    try:
        found = statements.set_account(connection, user_name(name), role, False, None).account.name
    except (NotFound, NameInvalid):
        raise StateDirectoryError(f"there is no account {name}") from None
    statements.set_ban(connection, Ban(BanKind.ACCOUNT, found, "", 0), False, StoreLimits())
    return found
