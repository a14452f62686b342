"""The one place where an operation is carried out, by whichever way it was reached."""

from collections.abc import Mapping
from typing import Any

from chatserv.errors import ChatError, Forbidden
from chatserv.i18n import _
from chatserv.local_errors import LocalFileError, NotDone, SettingsError, StateDirectoryError, of_system
from chatserv.operations.registry import Result, Way, not_known
from chatserv.operations.table import OPERATIONS
from chatserv.operations.world import World


async def perform(world: World, name: str, given: Mapping[str, Any]) -> Result:
    """Carries an operation out; one that changes something is noted in the audit log, also where it was refused.

    Args:
        world: What it may use.
        name: Which.
        given: Its arguments, not checked yet.

    Raises:
        ChatError: It was not done.
    """
    operation = OPERATIONS.get(name)
    if operation is None:
        raise not_known(name)
    outcome, noted = "internal", {}  # type: tuple[str, dict[str, Any]]
    try:
        if world.way not in operation.ways:
            raise Forbidden(f"{name}: not by way of {world.way.value}")
        noted = operation.read(given)
        result = await operation.function()(world, noted)
        outcome = "ok" if result.code == 0 else "not_done"
    except OSError as error:
        refused = of_system(error)
        outcome = refused.code
        raise _seen_by(world, refused) from error
    except ChatError as error:
        outcome = error.code
        raise _seen_by(world, error) from error.__cause__
    finally:
        if operation.changes:
            world.audit(name, outcome, **noted)
    return result


def _seen_by(world: World, error: ChatError) -> ChatError:
    """The error as whoever asks may see it: inside the chat nobody reads of the machine's files. The log has it."""
    if world.way is not Way.CHAT:
        return error
    from twisted.logger import Logger  # noqa: PLC0415 - what needs no server has no use for it

    from chatserv.store.database import DatabaseRefused  # noqa: PLC0415 - as above

    if not isinstance(error, LocalFileError | StateDirectoryError | DatabaseRefused | SettingsError):
        return error
    Logger(namespace="chatserv.operations").error("asked for by {who}: {error}", who=world.who, error=str(error))
    if isinstance(error, SettingsError):
        return NotDone(
            _("the settings cannot be used, so nothing has changed: the server's log says why, for who runs it")
        )
    return LocalFileError(_("something on the server's disk cannot be used: its log says what, for who runs it"))
