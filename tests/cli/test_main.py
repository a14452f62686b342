"""The command ``chatserv``."""

import io
import json
import os
import pwd
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from chatserv.cli import main as command
from chatserv.cli.output import safe
from chatserv.cli.parser import make_parser
from chatserv.net import keys
from chatserv.operations import checking
from chatserv.private_files import make_directory
from chatserv.state_directory import StateDirectory
from tests.support.authority import Authority, certificate, ec_key, pem
from tests.support.sessions import rsa_key


class CommandCase(SynchronousTestCase):
    """A command line, and what it prints."""

    def setUp(self) -> None:
        """A terminal, a state directory, and a key that is not made each time."""
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)
        self.patch(keys, "generate_rsa", lambda: rsa_key("server"))
        self.directory = Path(self.mktemp())

    def run_command(self, *arguments: str) -> tuple[int, str, str]:
        """The exit code and what was printed on both streams."""
        for stream in (self.out, self.err):
            stream.seek(0)
            stream.truncate(0)
        try:
            code = command.main(["--state-dir", str(self.directory), *arguments])
        except SystemExit as ended:
            code = int(str(ended.code or 0))
        return code, self.out.getvalue(), self.err.getvalue()

    def json_of(self, *arguments: str) -> Any:
        """What a command gives for programs: one object on one line."""
        out = self.run_command(*arguments, "--json")[1]
        self.assertEqual(1, out.count("\n"), out)
        return json.loads(out)


class LineTests(CommandCase):
    """The command line."""

    def test_left_out(self) -> None:
        """A word that is one of several, and may be left out."""
        given = make_parser().parse_args(["ban", "lift", "--all"])
        self.assertTrue(given.all)

    def test_version(self) -> None:
        """The shortest there is, for people and for programs; options may stand in front and behind."""
        self.assertEqual((0, "chatserv 0.1.0\n", ""), self.run_command("version"))
        self.assertEqual({"version": "0.1.0"}, self.json_of("version"))
        self.assertEqual((0, '{"version": "0.1.0"}\n', ""), self.run_command("--json", "version"))

    def test_misused(self) -> None:
        """A line that cannot be heeded ends with 2, and says why."""
        for wrong in ((), ("nonsense",), ("version", "more"), ("version", "--more"), ("stat",), ("version", "--js")):
            code, out, err = self.run_command(*wrong)
            self.assertEqual((2, ""), (code, out), wrong)
            self.assertIn("usage: chatserv", err)

    def test_hostile(self) -> None:
        """Whatever stands on the line, nothing of it reaches the terminal as it is."""
        for nasty in ("\x1b[2J", "\x9b2J", "\x1b]52;c;eA==\x07", "\u202e", "a\rb"):
            for line in (
                (nasty,),
                ("version", nasty),
                ("version", f"--{nasty}"),
                ("config", "show", nasty),
                ("status", "--set", nasty),
            ):
                _, out, err = self.run_command(*line)
                self.assertTrue((out + err).replace("\n", "").isprintable(), ascii(line))

    def test_help(self) -> None:
        """The help of each command tells what it needs."""
        self.assertIn("Needs no running server.", self.run_command("version", "--help")[1])
        self.assertIn("Needs a running server.", " ".join(self.run_command("status", "--help")[1].split()))

    def test_environment(self) -> None:
        """What the line does not say the environment may: directory and settings file."""
        self.patch(os, "environ", {**os.environ, "CHATSERV_STATE_DIR": "/nowhere", "CHATSERV_CONFIG": "/nowhere.toml"})
        self.assertEqual(1, command.main(["status"]))
        self.assertIn("/nowhere: no server runs there", self.err.getvalue())
        self.assertEqual(2, self.run_command("config", "show")[0])
        self.assertIn(str(self.directory.absolute()), self.run_command("status")[2])

    def test_no_server(self) -> None:
        """What needs a running server is not done without one; programs get the code too."""
        code, out, err = self.run_command("status")
        self.assertEqual((1, "", f"chatserv: {self.directory.absolute()}: no server runs there\n"), (code, out, err))
        self.assertEqual("not_done", self.json_of("status")["error"]["code"])
        self.assertFalse(self.directory.exists())

    def test_safe(self) -> None:
        """Nothing that came from people moves the cursor, hides or reorders; plain text stays as it is."""
        self.assertEqual({"a": ["bob", 1, None, True]}, safe({"a": ("bob", 1, None, True)}))
        for nasty in (
            "\x1b[2J",
            "\x9b2J",
            "\x07",
            "\b",
            "\r",
            "\u202e",
            "\u2066",
            "\u200b",
            "\x1b]52;c;eA==\x07",
            "a\nb",
        ):
            self.assertTrue(safe(nasty).isprintable(), ascii(nasty))
            self.assertNotIn(nasty, safe(nasty))
        self.assertEqual("\u2068\u05d0\u2069", safe("\u05d0"))


class CheckTests(CommandCase):
    """``check-config``."""

    def settings(self, **server: Any) -> str:
        """A settings file."""
        path = Path(self.mktemp()).with_suffix(".json")
        path.write_text(json.dumps({"server": {"host": "127.0.0.1", "port": 65_321, **server}}))
        return str(path)

    def levels(self, *arguments: str) -> dict[str, str]:
        """What is found, by thing; the worst that is found of each."""
        found: dict[str, str] = {}
        for each in self.json_of("check-config", "--config", self.settings(), *arguments)["checks"]:
            found[each["name"]] = max(found.get(each["name"], ""), each["level"])
        return found

    def make(self) -> None:
        """A server was here."""
        from chatserv.bootstrap import prepare
        from chatserv.config import Config, Server

        prepare(Config(server=Server(host="127.0.0.1")), self.directory, 1).state.release()

    def test_nothing_there(self) -> None:
        """Before the first start all is well, and nothing is made."""
        code, out, err = self.run_command("check-config", "--config", self.settings())
        self.assertEqual((0, ""), (code, err), out)
        self.assertIn("the first start makes it", out)
        self.assertFalse(self.directory.exists())

    def test_good(self) -> None:
        """After a start all is well; nothing is changed."""
        self.make()
        before = {path.name: path.stat().st_mtime_ns for path in self.directory.iterdir()}
        self.assertEqual({"ok"}, set(self.levels().values()))
        self.assertEqual(before, {name: (self.directory / name).stat().st_mtime_ns for name in before})

    def test_settings(self) -> None:
        """Settings that cannot be used end with 2, in their own words."""
        code, out, err = self.run_command("check-config", "--config", self.settings(port="x"))
        self.assertEqual((2, ""), (code, out))
        self.assertIn("server.port: expected a whole number", err)

    def test_wrong(self) -> None:
        """Each thing that is wrong is told, and the code is 1."""
        self.make()
        certificate = (self.directory / "tls.crt").read_bytes()
        for name, spoil in (
            ("identity", lambda: (self.directory / "identity.pem").write_text("x")),
            ("certificate", lambda: (self.directory / "tls.crt").write_text("x")),
            ("database", lambda: (self.directory / "chatserv.db").write_text("x" * 5000)),
            ("directory", lambda: self.directory.chmod(0o755)),
        ):
            spoil()
            self.assertEqual("error", self.levels()[name], name)
            self.assertEqual(1, self.run_command("check-config", "--config", self.settings())[0])
        (self.directory / "tls.crt").write_bytes(certificate)
        (self.directory / "tls.key").write_bytes((self.directory / "identity.pem").read_bytes())
        self.assertEqual("error", self.levels()["certificate"])

    def test_given_certificate(self) -> None:
        """A certificate that the settings name is read as a start reads it: how long it holds, its key, its chain."""
        self.make()
        authority = Authority(self.directory.absolute() / "authority")
        said = [
            f"--set=tls.{name}={path}" for name, path in (("certificate", authority.chain), ("key", authority.private))
        ]
        for ends, level in ((90, "ok"), (5, "warning"), (-0.5, "error")):
            authority.issue(ends=ends)
            self.assertEqual(level, self.levels(*said)["certificate"])
        key = ec_key()
        authority.write(key, certificate("chat.example", key, "middle", authority.key), authority.root)
        self.assertEqual("warning", self.levels(*said)["certificate"])
        authority.private.write_bytes(pem(ec_key()))
        self.assertEqual("error", self.levels(*said)["certificate"])

    def test_refused_settings(self) -> None:
        """Settings that a running server refuses end with 2, as at its start; everything else that it refuses with 1."""
        for code, expected in (("settings", 2), ("busy", 1)):

            def refuse(*_: object, code: str = code) -> None:
                raise command.Refused(code, "s.toml:8: limits.roomz: unknown key: did you mean rooms?")

            self.patch(command, "_carry_out", refuse)
            self.assertEqual(expected, self.run_command("reload")[0])

    def test_held(self) -> None:
        """Where a server runs, its ports are its own; those of somebody else are not, though it runs."""
        self.make()
        held = StateDirectory(self.directory)
        self.addCleanup(held.release)
        with socket.create_server(("127.0.0.1", 0)) as ours:
            said = f"--set=server.port={ours.getsockname()[1]}"
            self.assertEqual({"ok"}, set(self.levels(said).values()))
            self.patch(checking, "_listened_on", lambda _: frozenset({1}))
            self.assertEqual("error", self.levels(said)["ports"])
        self.assertEqual("warning", self.levels(said)["ports"])
        self.assertIn("the server that runs does not listen on", self.run_command(said, "check-config")[1])

    def test_endpoints(self) -> None:
        """An endpoint that is none is told; a socket that systemd hands over is not there to be looked at."""
        for listen, level in (("nonsense:1", "error"), ("systemd:domain=INET:index=0", "ok")):
            self.assertEqual(level, self.levels(f'--set=server.listen=["{listen}"]')["ports"])

    def test_owner(self) -> None:
        """Where root asks, files are looked at as the server's user, who may not read what root may."""
        if os.geteuid() != 0:
            raise SkipTest("takes root")
        nobody = pwd.getpwnam("nobody")
        with tempfile.TemporaryDirectory(dir="/tmp") as place:
            os.chmod(place, 0o755)  # noqa: S103
            self.directory = Path(place) / "state"
            self.make()
            for path in (self.directory, *self.directory.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            own = Path(shutil.copy(self.settings(), place))
            self.patch(self, "settings", lambda: str(own))
            authority = Authority(Path(place) / "authority")
            authority.issue()
            said = [
                f"--set=tls.{each}={path}"
                for each, path in (("certificate", authority.chain), ("key", authority.private))
            ]
            self.assertEqual("error", self.levels(*said)["certificate"])
            authority.private.chmod(0o640)
            os.chown(authority.private, 0, nobody.pw_gid)
            self.assertEqual({"ok"}, set(self.levels(*said).values()))
            own.chmod(0o600)
            found = self.json_of("check-config", "--config", str(own))["checks"]
            self.assertIn("cannot read them anew", next(each["text"] for each in found if each["level"] == "warning"))
            home = Path(place, "home")
            home.mkdir(0o700)
            self.patch(os, "environ", {**os.environ, "XDG_CONFIG_HOME": str(home)})
            found = self.json_of("check-config")["checks"]  # nothing is there, whoever looks
            self.assertEqual([], [each["text"] for each in found if each["level"] == "warning"])
        self.assertEqual(0, os.geteuid())

    def test_lost_identity(self) -> None:
        """A database without the identity that it belongs to is wrong, and none is made."""
        self.make()
        (self.directory / "identity.pem").unlink()
        self.assertEqual("error", self.levels()["identity"])
        self.assertFalse((self.directory / "identity.pem").exists())

    def test_port_taken(self) -> None:
        """A port that somebody has is told."""
        make_directory(self.directory)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            settings = self.settings(port=taken.getsockname()[1])
            self.assertEqual(1, self.run_command("check-config", "--config", settings)[0])
