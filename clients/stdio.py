"""``chatserv-client``: lines of standard input go to a room, messages of the room come out.

Ways to run it: a person on a terminal, with a line editor (`clients.terminal`) or with plain lines, ``--send`` and
``--follow`` on pipes, ``--command`` and ``--invite`` without any input; ``--check-evidence`` needs no account either.
"""

import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from chatserv.client import ChatError, Profile, translate, use_steady_clock
from clients.plain.choice import mode_for
from clients.plain.evidence_check import check_file
from clients.shared.arguments import Arguments, parse_arguments
from clients.shared.exit_codes import INTERRUPTED, USAGE, Exit, exit_for
from clients.shared.first_code import make_first_code
from clients.shared.process_end import leave_with
from clients.shared.registration import open_account
from clients.shared.run import Run
from clients.shared.sealing import Opening
from clients.shared.startup import begin_program, end_once, tell


async def run(reactor: Any, arguments: Arguments, make: Callable[[Any, Arguments, Profile], Run]) -> None:
    """Unlocks or seals the profile, registers where needed, and runs what ``make`` makes. Raises `SystemExit`."""
    try:
        opening = Opening(Profile.named(arguments.profile), arguments)
        if arguments.change_passphrase:
            raise SystemExit(await opening.change())
        profile = await opening.run()
        if await open_account(reactor, arguments, profile):
            await make_first_code(reactor, arguments, profile)
        running: Deferred[None] = Deferred()  # before, a signal would end us as it ends any program
        reactor.callWhenRunning(running.callback, None)
        await running
        code = await make(reactor, arguments, profile).run()
    except ChatError as error:
        end = exit_for(error)
    except Exit as end_:
        end = end_
    except KeyboardInterrupt:
        tell("")  # ends the line of the question
        end = Exit(INTERRUPTED, translate("Interrupted."))
    else:
        raise SystemExit(code)
    if end.message:
        tell(end.message)
    raise SystemExit(end.code)


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

    def begin(reactor: Any) -> "Deferred[None]":
        end_once(use_steady_clock(reactor))
        return Deferred.fromCoroutine(run(reactor, arguments, make)).addBoth(leave_with)

    react(begin)


if __name__ == "__main__":
    main()
