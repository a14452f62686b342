"""``twistd chatserv``: options in, service out. Settings errors are one line and exit code 2, other refusals 1."""

import os
import sys
from pathlib import Path
from typing import ClassVar, NoReturn

import msgspec
from twisted.internet.endpoints import serverFromString
from twisted.python import usage

from chatserv.bootstrap import announce, port_problem, prepare
from chatserv.clocks import now_ms, use_steady_clock
from chatserv.config import Config, load
from chatserv.errors import ChatError, SettingsError
from chatserv.service import ChatService
from chatserv.settings_file import shown
from chatserv.state import default_directory


class Options(usage.Options):
    """The command line."""

    synopsis = "[options]"
    longdesc = "Private team chat: a server that stores and forwards."
    optParameters: ClassVar = [
        ["config", "c", None, "Settings file, JSON or TOML."],
        ["state-dir", "s", None, "Directory for keys, database and logs (default: $STATE_DIRECTORY, else the user's)."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, endpoint: str) -> None:
        """Twisted endpoint string to listen on, inside TLS, instead of host and port; may be repeated."""
        self["listen"].append(endpoint)

    opt_l = opt_listen


def _give_up(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr, flush=True)
    raise SystemExit(code)


def load_config(file: str | None, listen: list[str]) -> Config:
    """The settings of a file, with the listeners of the command line. Exits with 2 where they cannot be used."""
    try:
        loaded = load(Path(file) if file else None)
    except SettingsError as error:
        _give_up(str(error), 2)
    for warning in loaded.warnings:
        print(warning, file=sys.stderr, flush=True)
    if not listen:
        return loaded.config
    server = msgspec.structs.replace(loaded.config.server, listen=tuple(listen))
    return msgspec.structs.replace(loaded.config, server=server)


def make(config: Config, directory: Path) -> ChatService:
    """Prepares the state directory, tells the terminal how to get in, and composes the service."""
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - twistd has chosen one by now

    use_steady_clock(reactor)
    for description in config.server.listen:
        try:
            serverFromString(reactor, description)
        except (ValueError, TypeError, LookupError, OSError):  # they speak of Python's parameters, not of the setting
            hint = 'write a Twisted endpoint such as "tcp:5000:interface=192.0.2.1"'
            _give_up(f"chatserv: server.listen: {shown(description)} cannot be used: {hint}", 2)
    try:
        prepared = prepare(config, directory, now_ms())
    except ChatError as error:
        _give_up(f"chatserv: {error}", 1)
    if not config.server.listen:  # after the lock: a second instance is told who holds it, not that the port is in use
        problem = port_problem(config.server.host, config.server.port)
        if problem is not None:
            prepared.state.release()
            _give_up(f"chatserv: cannot listen on {problem}", 1)
    announce(prepared, sys.stdout)
    return ChatService(prepared, reactor, sys.stdout)


def makeService(options: Options) -> ChatService:
    """What ``twistd chatserv`` runs."""
    directory = Path(options["state-dir"]) if options["state-dir"] else default_directory()
    return make(load_config(options["config"], options["listen"]), directory)


def service_from_environment() -> ChatService:
    """What ``chat.tac`` runs: it has no options, so ``CHATSERV_CONFIG`` and ``CHATSERV_STATE_DIR`` name the two paths."""
    directory = os.environ.get("CHATSERV_STATE_DIR")
    return make(
        load_config(os.environ.get("CHATSERV_CONFIG"), []), Path(directory) if directory else default_directory()
    )
