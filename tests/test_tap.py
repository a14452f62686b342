"""``twistd chatserv``: its options, and the ways in which a start ends early."""

import io
import os
import re
import sys
import threading
from pathlib import Path
from typing import Any

from twisted.application.service import IService, IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

from chatserv import tap
from chatserv.config import Config, Server
from chatserv.net import keys
from chatserv.service import ChatService
from chatserv.settings_sources import Sources, given_settings
from chatserv.state_directory import StateDirectory
from chatserv.tap import Options, load_config, make, makeService, service_from_environment
from tests.support.processes import open_files
from tests.support.sessions import rsa_key

NO_PORT = Config(server=Server(listen=("tcp:0:interface=127.0.0.1",), advertise="localhost"))


class TapCase(SynchronousTestCase):
    """Starts whose terminal is read by the test."""

    def setUp(self) -> None:
        """A terminal, a directory, and a key that is not made each time."""
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)
        self.directory = Path(self.mktemp())
        self.patch(keys, "generate_rsa", lambda: rsa_key("server"))

    def settings(self, text: str, name: str = "settings.json") -> Path:
        """A settings file."""
        path = Path(self.mktemp())
        path.mkdir()
        (path / name).write_text(text)
        return path / name

    def exit_code(self, call: Any, *args: Any) -> Any:
        """The code that a start ends with."""
        return self.assertRaises(SystemExit, call, *args).code

    def keep(self, service: ChatService) -> ChatService:
        """Lets the service's directory go when the test ends."""
        self.addCleanup(service._prepared.state.release)
        return service


class OptionsTests(SynchronousTestCase):
    """What `Options` takes."""

    def parsed(self, *arguments: str) -> Options:
        """The options of a command line."""
        options = Options()
        options.parseOptions(list(arguments))
        return options

    def test_none(self) -> None:
        """Without arguments there is no file, no directory and no listener."""
        options = self.parsed()
        self.assertEqual((options["config"], options["state-dir"], options["listen"]), (None, None, []))

    def test_all(self) -> None:
        """Long and short names mean the same; listeners may be repeated."""
        for arguments in (
            ("--config", "c.toml", "--state-dir", "s", "--listen", "tcp:1", "--listen", "tcp:2"),
            ("-c", "c.toml", "-s", "s", "-l", "tcp:1", "-l", "tcp:2"),
        ):
            options = self.parsed(*arguments)
            self.assertEqual(
                (options["config"], options["state-dir"], options["listen"]), ("c.toml", "s", ["tcp:1", "tcp:2"])
            )

    def test_apart(self) -> None:
        """The listeners of one command line are not those of the next."""
        self.parsed("-l", "tcp:1")
        self.assertEqual(self.parsed()["listen"], [])

    def test_unknown(self) -> None:
        """What does not exist, lacks its value or stands alone is refused in one line, with code 1."""
        for words in (("--port", "5000"), ("--config",), ("5000",), ("--lift-bans=x",)):
            err = io.StringIO()
            self.patch(sys, "stderr", err)
            self.assertEqual(1, self.assertRaises(SystemExit, self.parsed, *words).code)
            self.assertRegex(err.getvalue(), r"^chatserv: .*; --help tells what there is\n$")


class LoadConfigTests(TapCase):
    """What `load_config` promises."""

    def test_defaults(self) -> None:
        """Without a file the defaults count, and nothing is printed."""
        self.assertEqual(load_config(Sources()), Config())
        self.assertEqual(self.err.getvalue(), "")

    def test_listeners_of_the_command_line(self) -> None:
        """Listeners of the command line replace those of the file; all else stays."""
        path = self.settings('{"server": {"listen": ["tcp:1"], "max_connections": 7}}')
        server = load_config(Sources(path, given=given_settings(["tcp:2", "tcp:3"], []))).server
        self.assertEqual((server.listen, server.max_connections), (("tcp:2", "tcp:3"), 7))
        self.assertEqual(load_config(Sources(path)).server.listen, ("tcp:1",))

    def test_wrong_settings(self) -> None:
        """Settings that cannot be used end the start with one line that names file and key, and code 2."""
        for text, key in (
            ('{"server": {"port": 70000}}', "server.port"),
            ('{"server": {"prot": 5000}}', "server.prot"),
            ('{"limits": {"sendq_soft_bytes": "2MB"}}', "limits.sendq_soft_bytes"),
            ("{", ""),
        ):
            self.err.truncate(0)
            self.err.seek(0)
            path = self.settings(text)
            self.assertEqual(self.exit_code(load_config, Sources(path)), 2)
            (line,) = self.err.getvalue().splitlines()
            self.assertRegex(line, rf"^{re.escape(str(path))}(:\d+)?: {key}")

    def test_missing_file(self) -> None:
        """A file that is not there ends the start with code 2."""
        self.assertEqual(self.exit_code(load_config, Sources(Path("no such file.json"))), 2)
        self.assertIn("no such file.json", self.err.getvalue())

    def test_warnings(self) -> None:
        """What the operator should know is printed, and the start goes on."""
        path = self.settings('{"security": {"rsa_key_size": 2048}}')
        self.assertEqual(load_config(Sources(path)), Config())
        self.assertIn("rsa_key_size", self.err.getvalue())


class MakeTests(TapCase):
    """What `make` and those who call it promise."""

    def test_service(self) -> None:
        """A start gives a service, and the terminal the first invite; nothing runs or listens yet."""
        threads, files = set(threading.enumerate()), open_files()
        service = self.keep(make(NO_PORT, self.directory))
        self.assertTrue(IService.providedBy(service))
        self.assertIn("chatserv://", self.out.getvalue())
        self.assertLessEqual(set(threading.enumerate()), threads)
        self.assertEqual(1, len(open_files() - files))  # the lock
        self.assertFalse(service.running)

    def test_impossible_listener(self) -> None:
        """A listener that is no endpoint ends the start with one line and code 2, before anything is made."""
        for listener in (
            "nonsense:5000", "tcp:", "tcp:5000:interfaze=x", "tcp:70000", "tcp:-5", "tcp:5000:interface=127.1",
            "tcp:5000:interface=0", "tcp:5000:interface=a b", "unix:", "haproxy:tcp:70000", "haproxy:",
        ):  # fmt: skip
            config = Config(server=Server(listen=(listener,)))
            self.assertEqual(self.exit_code(make, config, self.directory), 2)
            self.assertIn(f'"{listener}" cannot be used: write', self.err.getvalue().splitlines()[-1])
        self.assertFalse(self.directory.exists())

    def test_in_use(self) -> None:
        """A directory in use ends the start with one line that names the holder's pid, and code 1."""
        held = StateDirectory(self.directory)
        self.addCleanup(held.release)
        self.assertEqual(self.exit_code(make, NO_PORT, self.directory), 1)
        (line,) = self.err.getvalue().splitlines()
        self.assertIn(f"pid {os.getpid()}", line)
        self.assertTrue(line.startswith("chatserv: "))

    def test_open_to_others(self) -> None:
        """A directory that others may enter ends the start with what to do, and code 1."""
        self.directory.mkdir()
        self.directory.chmod(0o755)
        self.assertEqual(self.exit_code(make, NO_PORT, self.directory), 1)
        self.assertIn("chmod 700", self.err.getvalue())

    def test_port_in_use(self) -> None:
        """A port that cannot be had ends the start with code 1, shows no invite, and lets the directory go."""
        self.patch(tap, "listen_problem", lambda listeners, _: f"{listeners[0].text}: Address already in use")
        self.assertEqual(self.exit_code(make, Config(), self.directory), 1)
        self.assertEqual(self.err.getvalue(), "chatserv: cannot listen on 0.0.0.0:5000: Address already in use\n")
        self.assertEqual(self.out.getvalue(), "")
        StateDirectory(self.directory).release()

    def test_in_use_comes_before_the_port(self) -> None:
        """A second instance is told who holds the directory, not that the port is taken."""
        self.patch(tap, "listen_problem", lambda *_: "taken")
        held = StateDirectory(self.directory)
        self.addCleanup(held.release)
        self.assertEqual(self.exit_code(make, Config(), self.directory), 1)
        self.assertIn("pid", self.err.getvalue())

    def test_options(self) -> None:
        """``makeService`` takes file, directory and listeners from the options."""
        options = Options()
        path = self.settings("[server]\nmax_connections = 7\n", "settings.toml")
        options.parseOptions(["-c", str(path), "-s", str(self.directory), "-l", "tcp:0:interface=127.0.0.1"])
        service = self.keep(makeService(options))
        config = service._prepared.config
        self.assertEqual((config.server.max_connections, service._prepared.state.path), (7, self.directory.absolute()))

    def test_rescue(self) -> None:
        """The operator's orders are carried out, printed, and end the start with 0, before anything listens."""
        from twisted.internet import reactor  # noqa: TID251 - the one that this runs in goes on afterwards

        self.patch(reactor, "stop", reactor.crash)
        make(NO_PORT, self.directory)._prepared.state.release()
        options = Options()
        options.parseOptions(["-s", str(self.directory), "--lift-bans"])
        self.out.truncate(0)
        self.assertEqual(0, self.exit_code(makeService, options))
        self.assertEqual("There was no such ban.", self.out.getvalue().strip("\0\n"))
        for order in (["--grant", "zoe\n"], ["--unsuspend", "zoe"], ["--reset-identity", "zoe"]):
            options = Options()
            options.parseOptions(["-s", str(self.directory), *order])
            self.assertEqual(1, self.exit_code(makeService, options))
            self.assertIn("there is no account zoe", self.err.getvalue().splitlines()[-1])

    def test_default_directory(self) -> None:
        """Without a directory the default one is used."""
        self.patch(tap, "default_directory", lambda: self.directory)
        options = Options()
        options.parseOptions(["-l", "tcp:0:interface=127.0.0.1"])
        self.assertEqual(self.keep(makeService(options))._prepared.state.path, self.directory.absolute())

    def test_environment(self) -> None:
        """Where there are no options, two variables name the paths."""
        path = self.settings('{"server": {"listen": ["tcp:0:interface=127.0.0.1"]}}')
        both = {"CHATSERV_CONFIG": str(path), "CHATSERV_STATE_DIR": str(self.directory)}
        self.patch(os, "environ", dict(os.environ) | both)
        self.assertEqual(self.keep(service_from_environment())._prepared.state.path, self.directory.absolute())

    def test_plugin(self) -> None:
        """The service is known to twistd by its name, and what it loads is this module."""
        (maker,) = [maker for maker in getPlugins(IServiceMaker) if maker.tapname == "chatserv"]
        self.assertIs(maker.options, Options)
        self.assertIs(maker.makeService, makeService)
