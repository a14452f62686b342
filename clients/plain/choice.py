"""Which mode a command line asks for."""

from clients.plain.commands_mode import CommandsMode
from clients.plain.file_modes import FileMode, SaveMode
from clients.plain.follow_mode import FollowMode, SendAndFollowMode
from clients.plain.history_mode import HistoryMode
from clients.plain.invite_mode import InviteMode
from clients.plain.mode import Mode
from clients.plain.send_mode import SendMode
from clients.plain.talk_mode import TalkMode
from clients.shared.arguments import Arguments


def mode_for(arguments: Arguments) -> type[Mode]:
    """The one that was asked for; without a word a talk on a terminal, and on a pipe lines to send."""
    if arguments.export_file is not None or arguments.import_file is not None:
        return HistoryMode
    if arguments.commands:
        return CommandsMode
    if arguments.files:
        return FileMode
    if arguments.save is not None:
        return SaveMode
    if arguments.invite:
        return InviteMode
    if arguments.interactive:
        return TalkMode
    if arguments.follow:
        return SendAndFollowMode if arguments.send else FollowMode
    return SendMode
