"""How every program on a terminal runs: the profile is opened, an account made where there is none, and then the work."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from chatserv.client import ChatError, Profile, translate, use_steady_clock
from clients.shared.arguments import Arguments
from clients.shared.exit_codes import INTERRUPTED, Exit, exit_for
from clients.shared.first_code import make_first_code
from clients.shared.process_end import leave_with
from clients.shared.registration import open_account
from clients.shared.sealing import Opening
from clients.shared.startup import end_once, tell

Asked = TypeVar("Asked", bound=Arguments)
Opened = TypeVar("Opened")


class Work(Protocol):
    """What a program does with an account."""

    async def run(self) -> int:
        """Until it is done. Returns the exit code."""
        ...


async def open_profile(reactor: Any, arguments: Arguments) -> Profile:
    """Unlocks or seals the profile that was asked for, and registers where needed. Raises `Exit` or `ChatError`."""
    opening = Opening(Profile.named(arguments.profile), arguments)
    if arguments.change_passphrase:
        raise SystemExit(await opening.change())
    profile = await opening.run()
    if await open_account(reactor, arguments, profile):
        await make_first_code(reactor, arguments, profile)
    return profile


async def run_program(
    reactor: Any,
    arguments: Asked,
    open_: Callable[[Any, Asked], Awaitable[Opened]],
    make: Callable[[Any, Asked, Opened], Work],
) -> None:
    """Opens what was asked for, and runs what ``make`` makes of it. Raises `SystemExit`."""
    try:
        opened = await open_(reactor, arguments)
        running: Deferred[None] = Deferred()  # before, a signal would end us as it ends any program
        reactor.callWhenRunning(running.callback, None)
        await running
        code = await make(reactor, arguments, opened).run()
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


def react_with(
    arguments: Asked, open_: Callable[[Any, Asked], Awaitable[Opened]], make: Callable[[Any, Asked, Opened], Work]
) -> None:
    """Runs the reactor with that, and ends the process with its exit code."""

    def begin(reactor: Any) -> "Deferred[None]":
        end_once(use_steady_clock(reactor))
        return Deferred.fromCoroutine(run_program(reactor, arguments, open_, make)).addBoth(leave_with)

    react(begin)
