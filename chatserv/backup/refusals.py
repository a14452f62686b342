"""What goes wrong with a backup or an export, in words for the operator; and the pace of long work beside a server."""

import time
from collections.abc import Callable
from pathlib import Path

from chatserv.i18n import N_, _
from chatserv.local_errors import LocalFileError
from chatserv.owners import reason

LONGEST_REST_SECONDS = 0.05


class BackupError(LocalFileError):
    """A backup or an export that cannot be made or used. ``str()`` is the one line ``file: message: hint``."""

    code = "backup"
    text = N_("The backup cannot be used.")

    def __init__(self, file: Path | str, message: str, hint: str = "") -> None:
        super().__init__(": ".join(filter(None, (str(file), message, hint))), file=file)
        self.message, self.hint = message, hint


class Stopped(BackupError):
    """The server stops, and does not wait for this."""


def unusable(path: Path, error: OSError) -> BackupError:
    """What the system says about a file, in words."""
    return BackupError(path, reason(path, error))


class Pace:
    """How fast a long piece of work goes: it rests as long as it has worked, so that a server beside it is not held up.

    Args:
        rests: Whether it rests at all; not where no server runs.
        stopped: Asked at each step whether to give up.
    """

    def __init__(self, *, rests: bool = False, stopped: Callable[[], bool] = bool) -> None:
        self._rests, self._stopped = rests, stopped
        self._since = time.monotonic()

    def step(self) -> None:
        """A piece of about a megabyte, or of some hundred rows, is done. Raises `Stopped`."""
        if self._stopped():
            raise Stopped(_("given up"), _("the server stops"))
        if self._rests:
            time.sleep(min(time.monotonic() - self._since, LONGEST_REST_SECONDS))
            self._since = time.monotonic()
