"""What can be wrong with a file that is sent or saved."""

from chatserv.errors import ChatError
from chatserv.i18n import N_


class FileInvalid(ChatError):
    """It is not sent: no regular file, a link, a device, or it changed while it was read."""

    code = "file_invalid"
    text = N_("This is no file that can be sent: only regular files are, and no links.")


class FileGone(ChatError):
    """The server does not have it any more: it was taken back, or its time is over."""

    code = "file_gone"
    text = N_("The server does not have this file any more.")


class FileDamaged(ChatError):
    """What the server has is not what the sender said; nothing was saved."""

    code = "file_damaged"
    text = N_("This file is not what its sender said: it was changed, or is damaged. Nothing was saved.")


class NoFiles(ChatError):
    """The server takes no files."""

    code = "no_files"
    text = N_("This server takes no files.")
