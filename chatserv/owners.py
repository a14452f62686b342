"""Why the system lets us not at a file, in words that say who could."""

import os
import pwd
from pathlib import Path

from chatserv.i18n import _


def reason(path: Path | str, error: OSError) -> str:
    """What the system says about a file; where permission is missing, also whose it is, or the directory that it is in."""
    said = error.strerror or str(error)
    found = _nearest(Path(path)) if isinstance(error, PermissionError) else None
    if found is None or found[1] == os.geteuid():
        return said
    place, user = found[0], user_name(found[1])
    if os.getuid() == 0:  # and acts as the server's user
        belongs = _("{said}: {place} belongs to {user}, and the server's user has to get at it")
    elif found[1] == 0:
        belongs = _("{said}: {place} belongs to {user}: do this as root")
    else:
        belongs = _("{said}: {place} belongs to {user}: do this as {user} or root")
    return belongs.format(said=said, place=place, user=user)


def _nearest(path: Path) -> tuple[Path, int] | None:
    """The file, or what is nearest above it that can be looked at, with the number of its owner."""
    path = path.absolute()
    for place in (path, *path.parents):
        try:
            return place, place.stat().st_uid
        except OSError:
            continue
    return None


def user_name(uid: int) -> str:
    """What the system calls a user; ``uid 1234`` where it knows the number alone."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
