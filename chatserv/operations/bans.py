"""The operations on bans from the server."""

from collections.abc import Mapping
from typing import Any, Final

from chatserv.commands.administration import change_ban
from chatserv.commands.ban_list import ban_kind, ban_subject, check_ban
from chatserv.errors import ChatError, Forbidden
from chatserv.i18n import _
from chatserv.local_errors import NotDone
from chatserv.models import Ban
from chatserv.operations.registry import Result
from chatserv.operations.world import World

HERE: Final = "127.0.0.1"  # where an operator comes from


async def list_bans(world: World, _arguments: Mapping[str, Any]) -> Result:
    """All bans, in order of subject."""
    return Result({"bans": [_facts(ban) for ban in await world.context.store.bans()]})


async def add(world: World, arguments: Mapping[str, Any]) -> Result:
    """Bans an address, a network or a name."""
    kind = ban_kind(arguments["kind"])
    try:
        subject = ban_subject(kind, arguments["subject"])
        check_ban(kind, subject, "", HERE)
        await change_ban(world.context, Ban(kind, subject, world.who, world.context.now_ms()), on=True)
    except Forbidden:
        raise NotDone(_("an administrator, or the server's own machine, is not banned")) from None
    except ChatError as error:
        if error.retryable:
            raise  # there is nothing wrong with the ban
        raise NotDone(
            _("cannot be banned: {subject} ({reason})").format(subject=arguments["subject"], reason=error)
        ) from None
    kept = [ban for ban in await world.context.store.bans() if (ban.kind, ban.subject) == (kind, subject)]
    return Result({"bans": [_facts(ban) for ban in kept]})


async def lift(world: World, arguments: Mapping[str, Any]) -> Result:
    """Lifts a ban, or all."""
    kind, subject = arguments["kind"], arguments["subject"]
    if arguments["all"] == bool(kind or subject) or bool(kind) != bool(subject):
        raise NotDone(_("name the kind and the subject of one ban, or say --all"))
    bans = await world.context.store.bans()
    if not arguments["all"]:
        wanted = (ban_kind(kind), ban_subject(ban_kind(kind), subject))
        bans = [ban for ban in bans if (ban.kind, ban.subject) == wanted]
    for ban in bans:
        await change_ban(world.context, ban, on=False)
    return Result({"bans": [_facts(ban) for ban in bans]})


def _facts(ban: Ban) -> dict[str, Any]:
    return {"kind": ban.kind.value, "subject": ban.subject, "by": ban.by, "at_ms": ban.at_ms}
