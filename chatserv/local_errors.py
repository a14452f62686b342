"""What goes wrong on our own side: bugs, files and settings of this machine. None of it travels."""

import os

from chatserv.errors import ChatError, WireError
from chatserv.i18n import N_
from chatserv.owners import reason, system_text


class LocalProtocolError(ChatError):
    """Our own side broke the protocol's rules: a bug here, never the peer's fault."""

    text = N_("Something went wrong in this program, not on the server.")


class LocalFileError(ChatError):
    """A file of ours on this machine cannot be used: never the other side's fault.

    Args:
        detail: One line that names the file and says what to do.
        file: The file or directory.
        after_seconds, by: As for every error.
    """

    code = "local_file"
    text = N_("A file on this machine cannot be used.")

    def __init__(
        self, detail: str = "", *, file: object = "", after_seconds: float | None = None, by: str = ""
    ) -> None:
        super().__init__(detail, after_seconds=after_seconds, by=by)
        self.file = str(file)


def of_system(error: OSError) -> ChatError:
    """What the system refused, as an error in words that names the file; `NotDone` where it was a connection and no file."""
    path = os.fsdecode(error.filename) if error.filename else ""
    if not path and isinstance(error, TimeoutError | ConnectionError):
        return NotDone(system_text(error) or type(error).__name__)
    said = reason(path, error) if path else system_text(error)
    return LocalFileError(": ".join(filter(None, (path, said))), file=path)


class SettingsError(ChatError):
    """A settings file that cannot be used. ``str()`` is the one line ``file: key: message: hint``."""

    code = "settings"

    def __init__(self, file: str, key: str, message: str, hint: str) -> None:
        super().__init__(f"{file}: {key}: {message}: {hint}")
        self.file, self.key, self.message, self.hint = file, key, message, hint


class StateDirectoryError(ChatError):
    """The state directory cannot be used: held by another instance, not writable, or readable by others."""

    code = "state_directory"


class NotDone(ChatError):
    """An operation of the operator's that was not carried out; the detail is one line for people, and says why."""

    code = "not_done"


def words(error: ChatError) -> str:
    """One line for an operator: what went wrong here says it itself, a refusal of the protocol is explained first."""
    if not isinstance(error, WireError):
        return str(error)
    return f"{error.explain()} ({error.detail})" if error.detail else error.explain()
