"""``twistd chatserv``: options in, service out. Settings errors are one line and exit code 2, other refusals 1."""

import chatserv.openssl  # noqa: F401 - first, before anything loads OpenSSL

# isort: split
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn, ParamSpec, TypeVar

import msgspec
from twisted.internet.endpoints import serverFromString
from twisted.python import usage
from twisted.scripts._twistd_unix import ServerOptions

from chatserv.bootstrap import announce, prepare
from chatserv.clocks import now_ms, use_steady_clock
from chatserv.config import Config, load
from chatserv.errors import ChatError
from chatserv.launch import Launch, free_pidfile, read_launch
from chatserv.listening import parse_listener
from chatserv.local_errors import SettingsError
from chatserv.logs import escape
from chatserv.probing import is_usable, listen_problem
from chatserv.rescue import Rescue, carry_out
from chatserv.service import ChatService, all_listeners
from chatserv.settings_file import shown
from chatserv.state_directory import default_directory
from chatserv.streams import mend_streams, say

Start = tuple[Config, Path, Launch]
P = ParamSpec("P")
R = TypeVar("R")


class Options(usage.Options):
    """The command line."""

    synopsis = "[options]"
    longdesc = "Private team chat: a server that stores and forwards."
    optParameters: ClassVar = [
        ["config", "c", None, "Settings file, JSON or TOML."],
        ["state-dir", "s", None, "Directory for keys, database and logs (default: $STATE_DIRECTORY, else the user's)."],
    ]

    optFlags: ClassVar = [
        ["lift-bans", None, "Lift all bans from the server, and end; while no server runs."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"], self["unsuspend"], self["grant"] = [], [], []

    def opt_listen(self, endpoint: str) -> None:
        """Twisted endpoint string to listen on, inside TLS, instead of host and port; may be repeated."""
        self["listen"].append(endpoint)

    opt_l = opt_listen

    def opt_unsuspend(self, name: str) -> None:
        """Let this account in again, and end; while no server runs. May be repeated."""
        self["unsuspend"].append(name)

    def opt_grant(self, name: str) -> None:
        """Make this account an administrator of the server, and end; while no server runs. May be repeated."""
        self["grant"].append(name)

    def parseOptions(self, options: Any = None) -> None:  # noqa: N802 - Twisted's
        """Reads a command line. A wrong one ends the start with one line, where Twisted would print all of the help."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            _give_up(f"chatserv: {str(error).rstrip('.')}; --help tells what there is", 1)

    def postOptions(self) -> None:
        """Looks at twistd's own pid file before twistd does."""
        parent = getattr(self, "parent", None)
        if parent is not None and parent["pidfile"]:
            _checked(free_pidfile, Path(os.path.abspath(parent["pidfile"])))


class _Given(ServerOptions):
    """twistd's options read once more, where nobody hands them over; the reactor is there already."""

    def opt_reactor(self, name: str) -> None:
        """Done."""

    opt_r = opt_reactor


def _checked(call: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
    """What the call gives; what it refuses ends the start with one line and code 1."""
    try:
        return call(*args, **named)
    except ChatError as error:
        _give_up(f"chatserv: {error}", 1)
    except OSError as error:
        _give_up(f"chatserv: {error.filename or 'start'}: {error.strerror or error}", 1)


def _give_up(message: str, code: int) -> NoReturn:
    say(sys.stderr, f"{escape(message)}\n")
    raise SystemExit(code)


def load_config(file: str | None, listen: list[str]) -> Config:
    """The settings of a file, with the listeners of the command line. Exits with 2 where they cannot be used."""
    try:
        loaded = load(Path(file) if file else None)
    except SettingsError as error:
        _give_up(str(error), 2)
    for warning in loaded.warnings:
        say(sys.stderr, f"{escape(warning)}\n")
    if not listen:
        return loaded.config
    server = msgspec.structs.replace(loaded.config.server, listen=tuple(listen))
    return msgspec.structs.replace(loaded.config, server=server)


def make(config: Config, directory: Path, launch: Launch | None = None) -> ChatService:
    """Prepares the state directory, tells the terminal how to get in, and composes the service."""
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - twistd has chosen one by now

    use_steady_clock(reactor)
    launch = launch or Launch()
    for description in config.server.listen:
        try:
            serverFromString(reactor, description)
            if not is_usable(parse_listener(description)):
                raise ValueError(description)
        except (ValueError, TypeError, LookupError, OSError):  # they speak of Python's parameters, not of the setting
            hint = 'write a Twisted endpoint such as "tcp:5000:interface=192.0.2.1"'
            _give_up(f"chatserv: server.listen: {shown(description)} cannot be used: {hint}", 2)
    prepared = _checked(launch.does, prepare, config, directory, now_ms())
    # After the lock: a second instance is told who holds it, not that the port is in use.
    problem = listen_problem(all_listeners(config.server), launch.directory)
    if problem is not None:
        prepared.state.release()
        _give_up(f"chatserv: cannot listen on {problem}", 1)
    if not announce(prepared, sys.stdout):
        say(sys.stderr, "chatserv: nothing can be printed; start again for the fingerprint, and the first link\n")
    return ChatService(prepared, reactor, sys.stdout, launch)


def _prepare(given: Mapping[str, Any], config: str | None, listen: list[str], directory: str | None) -> Start:
    in_place = mend_streams().in_place
    launch = _checked(read_launch, given)
    if not in_place and not given.get("nodaemon"):  # a daemon would let go of what the reactor waits by
        _give_up("chatserv: standard streams are closed, and --reactor has taken their place: start with </dev/null", 1)
    if not directory and launch.owner is not None and "STATE_DIRECTORY" not in os.environ:
        _give_up("chatserv: twistd's --uid: name a directory that belongs to the user, with --state-dir", 1)
    return load_config(config, listen), Path(directory) if directory else _checked(default_directory), launch


def makeService(options: Options) -> ChatService:
    """What ``twistd chatserv`` runs."""
    given = getattr(options, "parent", None) or {}
    config, directory, launch = _prepare(given, options["config"], options["listen"], options["state-dir"])
    rescue = Rescue(bool(options["lift-bans"]), tuple(options["unsuspend"]), tuple(options["grant"]))
    if rescue:
        done = _checked(launch.does, carry_out, rescue, directory, config.logging)
        say(sys.stdout, "".join(f"{escape(line)}\n" for line in done))
        raise SystemExit(0)
    return make(config, directory, launch)


def service_from_environment() -> ChatService:
    """What ``chat.tac`` runs: it has no options, so ``CHATSERV_CONFIG`` and ``CHATSERV_STATE_DIR`` name the two paths."""
    given = _Given()
    if os.path.basename(sys.argv[0]) == "twistd":
        given.parseOptions(sys.argv[1:])
    return make(*_prepare(given, os.environ.get("CHATSERV_CONFIG"), [], os.environ.get("CHATSERV_STATE_DIR")))
