"""What the system says where it refuses something, in the language of the person; of a file also who could."""

import errno
import os
import pwd
from pathlib import Path
from typing import Final

from chatserv.i18n import N_, _

_TEXTS: Final = {
    errno.EACCES: N_("Permission denied"),
    errno.EADDRINUSE: N_("Address already in use"),
    errno.EDQUOT: N_("Disk quota exceeded"),
    errno.EEXIST: N_("File exists"),
    errno.EIO: N_("Input/output error"),
    errno.EISDIR: N_("Is a directory"),
    errno.ELOOP: N_("Too many levels of symbolic links"),
    errno.EMFILE: N_("Too many open files"),
    errno.ENAMETOOLONG: N_("File name too long"),
    errno.ENOENT: N_("No such file or directory"),
    errno.ENOSPC: N_("No space left on device"),
    errno.ENOTDIR: N_("Not a directory"),
    errno.EPERM: N_("Operation not permitted"),
    errno.EROFS: N_("Read-only file system"),
}
"""As the system says them in English: its own translations are those of a locale, which need not be installed."""


def system_text(error: Exception) -> str:
    """What the system says of an `OSError`; of another one, as for a path that holds a NUL, what that says."""
    text = _TEXTS.get(getattr(error, "errno", None) or 0)
    return getattr(error, "strerror", None) or str(error) if text is None else _(text)


def reason(path: Path | str, error: OSError) -> str:
    """What the system says about a file; where permission is missing, also whose it is, or the directory that it is in."""
    said = system_text(error)
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
