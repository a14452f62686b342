"""What goes wrong on our own side: bugs, files and settings of this machine. None of it travels."""

from chatserv.errors import ChatError
from chatserv.i18n import N_


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


class SettingsError(ChatError):
    """A settings file that cannot be used. ``str()`` is the one line ``file: key: message: hint``."""

    code = "settings"

    def __init__(self, file: str, key: str, message: str, hint: str) -> None:
        super().__init__(f"{file}: {key}: {message}: {hint}")
        self.file, self.key, self.message, self.hint = file, key, message, hint


class StateDirectoryError(ChatError):
    """The state directory cannot be used: held by another instance, not writable, or readable by others."""

    code = "state_directory"
