"""``chatserv-tk``: the window client."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

from chatserv.client import ChatError, Profile, now_ms, translate, use_steady_clock
from clients.shared.desktop import find_desktop
from clients.shared.exit_codes import DONE, USAGE, Exit, exit_for
from clients.shared.link_input import given_link
from clients.shared.notifications import Notifier
from clients.shared.process_end import leave_soon
from clients.shared.startup import begin_program, end_once, tell
from clients.window.arguments import Arguments, parse_arguments

if TYPE_CHECKING:
    import tkinter as tk
    from collections.abc import Callable

    from clients.window.application import Application

TK_SECONDS: Final = 0.01  # between two looks at what Tk has


def open_window() -> "tk.Tk":
    """Tk's window. Raises `SystemExit` with 2 where there is no Tk, or no screen."""
    try:
        import tkinter as tk  # noqa: PLC0415 - it may be missing
    except ImportError:
        sys.exit(_no_window(translate("This Python has no Tk. On Debian and Ubuntu: apt install python3-tk")))
    try:
        return tk.Tk(className="chatserv")
    except tk.TclError as error:
        sys.exit(_no_window(translate("There is no screen to open a window on: {reason}").format(reason=error)))


def _no_window(text: str) -> int:
    tell(text)
    return USAGE


def _end(end: Exit) -> NoReturn:
    tell(end.message)
    sys.exit(end.code)


def run(
    reactor: Any,
    root: "tk.Tk",
    profile: Profile,
    arguments: Arguments,
    ready: "Callable[[Application], object]" = lambda _: None,
) -> None:
    """Runs until the window is closed.

    Args:
        reactor: The reactor.
        root: Tk's window.
        profile: Whose account it is.
        arguments: What was asked for.
        ready: Gets the application once the window is there.
    """
    from twisted.internet import tksupport  # noqa: PLC0415 - these need Tk

    from clients.window.application import Application  # noqa: PLC0415

    end_once(use_steady_clock(reactor))
    notifier = Notifier(reactor, arguments.notify, root.bell, find_desktop(reactor))

    def leave() -> None:
        """The window goes at once; the program when the server was told."""
        root.withdraw()
        if reactor.running:
            reactor.stop()

    application = Application(
        reactor,
        root,
        profile,
        arguments,
        now_ms=now_ms,
        attention=notifier.tell,
        quit=leave,
    )

    def gone() -> None:
        notifier.stop()
        tksupport.uninstall()
        root.destroy()

    tksupport.install(root, ms=int(TK_SECONDS * 1000), reactor=reactor)
    reactor.addSystemEventTrigger("before", "shutdown", application.stop)
    reactor.addSystemEventTrigger("during", "shutdown", gone)
    reactor.callWhenRunning(application.begin)
    reactor.callWhenRunning(ready, application)
    reactor.run()


def main() -> None:
    """The console script."""
    begin_program()
    arguments = parse_arguments(sys.argv[1:])
    try:
        arguments = replace(arguments, link=given_link(arguments.link, arguments.link_file))
        root = open_window()
        profile = Profile.named(arguments.profile)
    except ChatError as error:
        _end(exit_for(error))
    except Exit as end:
        _end(end)
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - the one place that chooses it

    reactor.addSystemEventTrigger("during", "shutdown", leave_soon)
    run(reactor, root, profile, arguments)
    sys.exit(DONE)


if __name__ == "__main__":
    main()
