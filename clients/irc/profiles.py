"""Several profiles in one program: each is opened as if it were alone, and what goes wrong is said with its name."""

from typing import Any

from chatserv.client import Profile, clean_line, translate
from clients.irc.arguments import IrcArguments
from clients.shared.exit_codes import naming
from clients.shared.program import open_profile
from clients.shared.startup import tell


async def open_profiles(reactor: Any, arguments: IrcArguments) -> dict[str, Profile]:
    """Opens all that were asked for, in their order, before any of them is used.

    Args:
        reactor: The reactor; it need not run yet.
        arguments: What was asked for.

    Returns:
        Each by its name.

    Raises:
        Exit: One cannot be opened; of several, the message names it.
        ChatError: There is but one, and it cannot be opened.
    """
    found: dict[str, Profile] = {}
    for name, asked in arguments.each().items():
        if arguments.several:
            tell(clean_line(translate("Opening the profile {name}...").format(name=name)))
        with naming(name, several=arguments.several):
            found[name] = await open_profile(reactor, asked)
    return found
