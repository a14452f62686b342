"""``chatserv-client``: lines of standard input go to a room, messages of the room come out.

Ways to run it: a person on a terminal, with a line editor (`clients.terminal`) or with plain lines, ``--send`` and
``--follow`` on pipes, ``--command`` and ``--invite`` without any input; ``--check-evidence`` needs no account either.
"""

import sys
from collections.abc import Callable
from typing import Any

from chatserv.client import Profile
from clients.plain.choice import mode_for
from clients.plain.evidence_check import check_file
from clients.shared.arguments import Arguments, parse_arguments
from clients.shared.exit_codes import USAGE
from clients.shared.program import open_profile, react_with
from clients.shared.run import Run
from clients.shared.startup import begin_program, tell


def main() -> None:
    """The console script."""
    closed = begin_program()
    arguments = parse_arguments(sys.argv[1:])
    missing = arguments.missing(closed)
    if missing:
        tell(missing)
        sys.exit(USAGE)
    if arguments.check_evidence is not None:
        sys.exit(check_file(arguments.check_evidence))
    make: Callable[[Any, Arguments, Profile], Run] = mode_for(arguments)
    if arguments.drawn:
        # It brings another reactor, which has to be there before any other is; pipes need neither that nor its libraries.
        from clients.terminal.wiring import install_reactor, on_terminal  # noqa: PLC0415

        install_reactor()
        make = on_terminal
    if arguments.irc is not None:
        # Nobody else waits for these imports.
        from clients.irc.beside import with_irc  # noqa: PLC0415

        make = with_irc(make)
    react_with(arguments, open_profile, make)


if __name__ == "__main__":
    main()
