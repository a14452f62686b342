"""What a first start makes, made without a start."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chatserv.announcing import client_program
from chatserv.bootstrap import prepare
from chatserv.clocks import now_ms
from chatserv.i18n import _
from chatserv.local_errors import NotDone
from chatserv.net.advertising import advertised_link
from chatserv.operations.registry import Result
from chatserv.operations.settings import default_lines
from chatserv.operations.world import World
from chatserv.owners import reason
from chatserv.settings_loading import load
from chatserv.wire.link import fingerprint_text, format_link


async def init(world: World, arguments: Mapping[str, Any]) -> Result:
    """Makes state directory, keys, database and first invite, where they are missing."""
    settings = arguments["write_settings"]
    if settings:
        _write_settings(Path(settings))
    config = load(world.sources()).config
    prepared = prepare(config, world.paths.path, now_ms())
    prepared.state.release()
    link = None
    if prepared.invite is not None and config.security.registration != "closed":
        link = advertised_link(config, prepared.public, prepared.invite)
    return Result(
        {
            "state": str(prepared.state.path),
            "fingerprint": fingerprint_text(prepared.public.server_id),
            "settings": settings or "",
            "link": "" if link is None else format_link(link),
            "program": client_program(),
        }
    )


def _write_settings(path: Path) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in default_lines())
    except FileExistsError:
        raise NotDone(_("{path} is there already, and stays as it is").format(path=path)) from None
    except OSError as error:
        raise NotDone(f"{path}: {reason(path, error)}") from None
