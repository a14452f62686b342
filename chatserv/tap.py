"""``twistd chatserv``: options in, service out. Settings errors are one line and exit code 2, other refusals 1."""

import chatserv.interpreter
import chatserv.openssl  # noqa: F401 - before anything loads OpenSSL

# isort: split
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn, ParamSpec, TypeVar

from twisted.internet.endpoints import _SystemdParser
from twisted.python import usage
from twisted.scripts._twistd_unix import ServerOptions

from chatserv.announcing import announce
from chatserv.bootstrap import prepare
from chatserv.clocks import now_ms, use_steady_clock
from chatserv.config import Config
from chatserv.errors import ChatError
from chatserv.launch import Launch, free_pidfile, read_launch
from chatserv.local_errors import SettingsError, of_system
from chatserv.net.keys import handed_over
from chatserv.operations.direct import on_store, run_until_done
from chatserv.operations.registry import Way
from chatserv.operations.rescue import Rescue
from chatserv.operations.world import World
from chatserv.probing import all_listeners, check_endpoints, listen_problem
from chatserv.service import ChatService
from chatserv.settings_loading import load
from chatserv.settings_sources import Sources, Words, given_settings, shown_setting
from chatserv.state_directory import StatePaths, default_directory
from chatserv.streams import escape, mend_streams, say
from chatserv.systemd import Notifier, inherited_endpoints

Start = tuple[Config, Path, Launch, Sources]
P = ParamSpec("P")
R = TypeVar("R")


class Options(usage.Options):
    """The command line."""

    synopsis = "[options]"
    longdesc = "Private team chat: a server that stores and forwards."
    optParameters: ClassVar = [
        [
            "config",
            "c",
            None,
            "Settings file, JSON or TOML (default: that of ~/.config/chatserv or /etc/chatserv).",
        ],
        ["state-dir", "s", None, "Directory for keys, database and logs (default: $STATE_DIRECTORY, else the user's)."],
    ]

    optFlags: ClassVar = [
        ["lift-bans", None, "Lift all bans from the server, and end; while no server runs."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"], self["set"], self["unsuspend"], self["grant"], self["reset-identity"] = [], [], [], [], []

    def opt_listen(self, endpoint: str) -> None:
        """Twisted endpoint string to listen on, inside TLS, instead of host and port; may be repeated."""
        self["listen"].append(endpoint)

    opt_l = opt_listen

    def opt_set(self, setting: str) -> None:
        """One setting, such as server.port=6000, whatever files and environment say; may be repeated."""
        if "=" not in setting:
            raise usage.UsageError(f"--set {shown_setting(setting)}: write a key and a value, as in server.port=6000")
        self["set"].append(setting)

    def opt_unsuspend(self, name: str) -> None:
        """Let this account in again, and end; while no server runs. May be repeated."""
        self["unsuspend"].append(name)

    def opt_grant(self, name: str) -> None:
        """Make this account an administrator of the server, and end; while no server runs. May be repeated."""
        self["grant"].append(name)

    def opt_reset_identity(self, name: str) -> None:
        """Print a link that gives this account a new identity, and end; while no server runs. May be repeated."""
        self["reset-identity"].append(name)

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
    """What the call gives; what it refuses ends the start with one line and code 1, or 2 where settings are to blame."""
    try:
        return call(*args, **named)
    except SettingsError as error:
        _give_up(str(error), 2)
    except ChatError as error:
        _give_up(f"chatserv: {error}", 1)
    except OSError as error:
        _give_up(f"chatserv: {of_system(error)}", 1)


def _give_up(message: str, code: int) -> NoReturn:
    say(sys.stderr, f"{escape(message)}\n")
    raise SystemExit(code)


def load_config(sources: Sources) -> Config:
    """The settings of these sources. Exits with 2 where they cannot be used."""
    loaded = _checked(load, sources)
    for warning in loaded.warnings:
        say(sys.stderr, f"{escape(warning)}\n")
    return loaded.config


def make(config: Config, directory: Path, launch: Launch | None = None, sources: Sources | None = None) -> ChatService:
    """Prepares the state directory, tells the terminal how to get in, and composes the service."""
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - twistd has chosen one by now

    use_steady_clock(reactor)
    launch = launch or Launch()
    _checked(check_endpoints, reactor, config.server)
    with Notifier().starting():
        prepared = _checked(launch.does, prepare, config, directory, now_ms())
    # After the lock: a second instance is told who holds it, not that the port is in use.
    listeners = [*all_listeners(config.server), *config.metrics.listeners(directory.absolute())]
    problem = listen_problem(listeners, launch.directory)
    if problem is not None:
        prepared.state.release()
        _give_up(f"chatserv: cannot listen on {problem}", 1)
    if not announce(prepared, sys.stdout):
        say(sys.stderr, "chatserv: nothing can be printed; start again for the fingerprint, and the first link\n")
    return _checked(ChatService, prepared, reactor, sys.stdout, launch, sources)


def _prepare(given: Mapping[str, Any], config: str | None, said: tuple[Words, ...], directory: str | None) -> Start:
    in_place = mend_streams().in_place
    launch = _checked(read_launch, given)
    if not in_place and not given.get("nodaemon"):  # a daemon would let go of what the reactor waits by
        _give_up("chatserv: standard streams are closed, and --reactor has taken their place: start with </dev/null", 1)
    if not directory and launch.owner is not None and "STATE_DIRECTORY" not in os.environ:
        _give_up("chatserv: twistd's --uid: name a directory that belongs to the user, with --state-dir", 1)
    descriptors = _SystemdParser._sddaemon.inheritedDescriptors()  # it has taken the variables
    for index in range(len(descriptors)):
        handed_over(index)  # where they listen is remembered
    inherited = inherited_endpoints(descriptors)
    defaults = (Words("systemd", "server.listen", list(inherited)),) if inherited else ()
    sources = Sources.of_process(config, os.environ, said, defaults)
    state = Path(directory) if directory else _checked(default_directory)
    return load_config(sources), state, launch, sources


def _carry_out(rescue: Rescue, config: Config, directory: Path) -> list[str]:
    """Does what an operator wants of a store without a server, in a reactor that ends with it."""
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - twistd's, which does not run yet

    use_steady_clock(reactor)
    world = World(Way.STORE, f"uid {os.getuid()}", StatePaths(directory))
    return run_until_done(reactor, on_store(reactor, config, world, rescue.carry_out))


def makeService(options: Options) -> ChatService:
    """What ``twistd chatserv`` runs."""
    given = getattr(options, "parent", None) or {}
    said = given_settings(options["listen"], options["set"])
    config, directory, launch, sources = _prepare(given, options["config"], said, options["state-dir"])
    orders = (tuple(options[order]) for order in ("unsuspend", "grant", "reset-identity"))
    rescue = Rescue(bool(options["lift-bans"]), *orders)
    if rescue:
        done = _checked(launch.does, _carry_out, rescue, config, directory)
        say(sys.stdout, "".join(f"{escape(line)}\n" for line in done))
        raise SystemExit(0)
    return make(config, directory, launch, sources)


def service_from_environment() -> ChatService:
    """What ``chat.tac`` runs: it has no options, so ``CHATSERV_CONFIG`` and ``CHATSERV_STATE_DIR`` name the two paths."""
    given = _Given()
    if os.path.basename(sys.argv[0]) == "twistd":
        given.parseOptions(sys.argv[1:])
    return make(*_prepare(given, os.environ.get("CHATSERV_CONFIG"), (), os.environ.get("CHATSERV_STATE_DIR")))
