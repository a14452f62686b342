"""Where settings come from, which of them wins, and what is said of each that cannot be used."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.config import Config
from chatserv.local_errors import SettingsError
from chatserv.settings_file import line_of
from chatserv.settings_loading import Loaded, load
from chatserv.settings_sources import MOST_FILES, SYSTEM_DIRECTORY, Sources, Words, places


class SourcesCase(SynchronousTestCase):
    """A directory for settings."""

    def setUp(self) -> None:
        """Makes it."""
        self.place = Path(self.mktemp()).absolute()
        self.place.mkdir(parents=True)

    def write(self, name: str, text: str | bytes) -> Path:
        """A file in it."""
        path = self.place / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def load(self, environ: Mapping[str, str] | None = None, *given: Words, file: Path | None = None) -> Loaded:
        """What is read: of the directory, or of a file that is named."""
        return load(Sources(file, () if file else (self.place,), environ or {}, given))

    def refused(
        self, environ: Mapping[str, str] | None = None, *given: Words, file: Path | None = None
    ) -> SettingsError:
        """The error, which is one line of four parts."""
        error: SettingsError = self.assertRaises(SettingsError, self.load, environ, *given, file=file)
        self.assertEqual([f"{error.file}: {error.key}: {error.message}: {error.hint}"], str(error).splitlines())
        return error


class OrderTests(SourcesCase):
    """Later sources win."""

    def test_all(self) -> None:
        """Defaults, the file, conf.d by name, the environment, the command line; each value says where it is from."""
        main = self.write("settings.toml", "[server]\nhost = '127.0.0.1'\nport = 1\nmax_connections = 1\n")
        first = self.write("conf.d/10-first.json", '{"server":\n {"port": 2, "max_connections": 2}}')
        second = self.write(
            "conf.d/20-second.toml", "server.max_connections = 3\n\n[limits]\nrooms = 4\naccounts = 4\n"
        )
        environ = {"CHATSERV__LIMITS__ROOMS": "5", "CHATSERV__LIMITS__ACCOUNTS": "5", "CHATSERV_STATE_DIR": "x"}
        loaded = self.load(environ, Words("--set", "limits.accounts", "6"))
        server, limits = loaded.config.server, loaded.config.limits
        self.assertEqual(("127.0.0.1", 2, 3), (server.host, server.port, server.max_connections))
        self.assertEqual((5, 6, 10_000), (limits.rooms, limits.accounts, limits.bans))
        self.assertEqual(
            {
                "server.host": f"{main}:2",
                "server.port": f"{first}:2",
                "server.max_connections": f"{second}:1",
                "limits.rooms": "CHATSERV__LIMITS__ROOMS",
                "limits.accounts": "--set",
            },
            loaded.origin,
        )

    def test_lists(self) -> None:
        """A later list replaces an earlier one, and does not add to it."""
        self.write("settings.toml", '[server]\nlisten = ["tcp:1", "tcp:2"]\n')
        self.write("conf.d/a.toml", '[server]\nlisten = ["tcp:3"]\n')
        self.assertEqual(("tcp:3",), self.load().config.server.listen)

    def test_overruled(self) -> None:
        """A value of a wrong type does not matter where a later source overrules it; an unknown key always does."""
        self.write("settings.toml", '[server]\nport = "none"\n')
        self.assertEqual(7, self.load({"CHATSERV__SERVER__PORT": "7"}).config.server.port)
        self.write("settings.toml", "[server]\nprot = 7\n")
        self.assertEqual("server.prot", self.refused({"CHATSERV__SERVER__PORT": "7"}).key)

    def test_together(self) -> None:
        """Values of several sources that exclude each other are refused, with the source of one of them."""
        self.write("settings.toml", "[limits]\nsendq_hard_bytes = 70000\n")
        error = self.refused()
        self.assertEqual("limits.sendq_soft_bytes", error.key)
        self.assertEqual(str(self.place / "settings.toml"), error.file)
        error = self.refused({"CHATSERV__LIMITS__SENDQ_SOFT_BYTES": "80000"})
        self.assertEqual("CHATSERV__LIMITS__SENDQ_SOFT_BYTES", error.file)


class SearchTests(SourcesCase):
    """Which file is read where none is named."""

    def test_places(self) -> None:
        """The user's directory, where there is a home, and then the system's."""
        own = Path("/home/ann/.config/chatserv")
        for environ, expected in (
            ({"HOME": "/home/ann"}, [own, SYSTEM_DIRECTORY]),
            ({"HOME": "/home/ann", "XDG_CONFIG_HOME": "/x"}, [Path("/x/chatserv"), SYSTEM_DIRECTORY]),
            ({"HOME": "/home/ann", "XDG_CONFIG_HOME": "x"}, [own, SYSTEM_DIRECTORY]),
            ({"HOME": "/home/ann", "XDG_CONFIG_HOME": ""}, [own, SYSTEM_DIRECTORY]),
            ({"HOME": ""}, [SYSTEM_DIRECTORY]),
            ({"HOME": "ann"}, [SYSTEM_DIRECTORY]),
            ({}, [SYSTEM_DIRECTORY]),
        ):
            self.assertEqual(expected, list(places(environ)))

    def test_first_found(self) -> None:
        """The first place that has settings counts alone, and without any the defaults do."""
        places = (self.place / "none", self.place / "own", self.place / "system")
        self.assertEqual(Loaded(Config()), load(Sources(None, places)))
        self.write("system/settings.json", '{"server": {"port": 3}}')
        self.assertEqual(3, load(Sources(None, places)).config.server.port)
        (self.place / "own" / "conf.d").mkdir(parents=True)
        self.assertEqual(3, load(Sources(None, places)).config.server.port)
        (self.place / "own" / "conf.d" / "a.toml").write_text("server.port = 2")
        self.assertEqual(2, load(Sources(None, places)).config.server.port)

    def test_named(self) -> None:
        """A file that is named is read, with the conf.d beside it, and no other place; it must be there."""
        self.write("settings.toml", "server.port = 1")
        other = self.write("other/mine.toml", "server.port = 2")
        (other.parent / "conf.d").mkdir()
        (other.parent / "conf.d" / "x.toml").write_text("server.max_connections = 5")
        server = load(Sources(other, (self.place,))).config.server
        self.assertEqual((2, 5), (server.port, server.max_connections))
        self.assertIn("cannot be read (No such file", self.refused(file=self.place / "none.toml").message)

    def test_of_process(self) -> None:
        """A relative path is made whole, since a server in the background has another directory."""
        sources = Sources.of_process("a.toml", {"HOME": "/h"})
        self.assertEqual(Path("a.toml").absolute(), sources.file)
        self.assertEqual((Path("/h/.config/chatserv"), SYSTEM_DIRECTORY), sources.places)
        self.assertIsNone(Sources.of_process("", {}).file)

    def test_two(self) -> None:
        """Both kinds of file side by side: neither is chosen in silence."""
        self.write("settings.toml", "")
        self.write("settings.json", "{}")
        error = self.refused()
        self.assertEqual("settings.toml stands beside it", error.message)

    def test_nobody_may_look(self) -> None:
        """A directory that cannot be entered is no reason to start with the defaults."""
        self.write("own/settings.toml", "server.port = 1")
        self.patch(Path, "lstat", lambda _path: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        self.assertIn("cannot be read (Permission denied)", self.refused().message)


class ConfDTests(SourcesCase):
    """The directory beside the file."""

    def test_what_counts(self) -> None:
        """Files of both kinds by their names; hidden ones, editors' copies and everything else do not count."""
        for name in (".a.toml", "a.toml~", "a.toml.dpkg-new", "README", "a.ini"):
            self.write(f"conf.d/{name}", "this is not TOML")
        self.write("conf.d/a.TOML", "server.port = 9")
        (self.place / "conf.d" / "sub").mkdir()
        self.assertEqual(9, self.load().config.server.port)

    def test_links(self) -> None:
        """A link counts as what it leads to; one that leads nowhere is told."""
        aside = self.write("aside.toml", "server.port = 8")
        (self.place / "conf.d").mkdir()
        (self.place / "conf.d" / "a.toml").symlink_to(aside)
        self.assertEqual(8, self.load().config.server.port)
        aside.unlink()
        self.assertIn("cannot be read (No such file", self.refused().message)

    def test_many(self) -> None:
        """As many files as there may be are read; one more, or a thousand, are refused before any is opened."""
        for number in range(MOST_FILES):
            self.write(f"conf.d/{number:04}.toml", f"server.port = {number + 1}")
        self.assertEqual(MOST_FILES, self.load().config.server.port)
        self.write("conf.d/1000.toml", "")
        error = self.refused()
        self.assertEqual(("holds 101 settings files", str(self.place / "conf.d")), (error.message, error.file))

    def test_no_directory(self) -> None:
        """A conf.d that is a file, or that cannot be read, is told, and so is a directory with the name of a file."""
        self.write("conf.d", "")
        self.assertIn("cannot be read (Not a directory)", self.refused().message)
        (self.place / "conf.d").unlink()
        (self.place / "conf.d" / "a.toml").mkdir(parents=True)
        self.assertIn("cannot be read (a directory)", self.refused().message)
        (self.place / "conf.d" / "a.toml").rmdir()
        self.patch(os, "listdir", lambda _path: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        self.assertIn("cannot be read (Permission denied)", self.refused().message)

    def test_pipe(self) -> None:
        """A pipe holds no start up."""
        os.mkfifo(self.place / "settings.toml")
        self.assertIn("cannot be read (not a regular file)", self.refused().message)

    def test_names(self) -> None:
        """Names that would disturb a terminal are shown as escapes, in one line."""
        self.write("conf.d/a\n\x1b[31m.toml", "x = 1")
        self.assertTrue(self.refused().file.isprintable())

    def test_line_ends_and_marks(self) -> None:
        """CRLF and a byte order mark change nothing, in the lines of errors neither; UTF-16 is told."""
        self.write("conf.d/a.toml", b"\xef\xbb\xbf[server]\r\nport = 4\r\n")
        self.write("conf.d/b.json", b'\xef\xbb\xbf{"server":\r\n{"max_connections": 4}}\r\n')
        self.assertEqual(4, self.load().config.server.port)
        self.write("conf.d/a.toml", b"\xef\xbb\xbf[server]\r\nport = 0\r\n")
        self.assertEqual(f"{self.place}/conf.d/a.toml:2", self.refused().file)
        self.write("conf.d/a.toml", "[server]\nport = 4".encode("utf-16"))
        self.assertIn("not UTF-8", self.refused().message)


class EnvironmentTests(SourcesCase):
    """Variables."""

    def value(self, key: str, text: str) -> Any:
        """What a key has by a variable of this text."""
        table, _, name = key.partition(".")
        loaded = self.load({f"CHATSERV__{table.upper()}__{name.upper()}": text})
        return getattr(getattr(loaded.config, table), name)

    def test_types(self) -> None:
        """A text is read as the key's type: words as they are, numbers, units, JSON lists, true and false."""
        for key, text, expected in (
            ("server.port", "6000", 6000),
            ("server.host", "127.0.0.1", "127.0.0.1"),
            ("server.host", "123", None),
            ("server.advertise", "", ""),
            ("server.listen", '["tcp:1", "unix:/run/chat"]', ("tcp:1", "unix:/run/chat")),
            ("server.listen", "[]", ()),
            ("monitoring.enabled", "false", False),
            ("monitoring.enabled", "True", True),
            ("monitoring.interval", "1.5", 1.5),
            ("monitoring.interval", "2min", 120.0),
            ("limits.idle_seconds", "7", 7.0),
            ("limits.sendq_soft_bytes", "64KB", 65_536),
            ("security.rsa_key_size", "3072", 3072),
            ("security.registration", "open", "open"),
        ):
            if expected is None:
                self.assertRaises(SettingsError, self.value, key, text)
            else:
                self.assertEqual(expected, self.value(key, text), key)

    def test_refused(self) -> None:
        """What a variable cannot mean is told with its name; one that names no key is refused like an unknown key."""
        for name, text, message in (
            ("SERVER__PORT", "x", 'expected a whole number from 1 to 65535, found "x"'),
            ("SERVER__PORT", "", 'expected a whole number from 1 to 65535, found ""'),
            ("SERVER__PORT", "70000", "found 70000"),
            ("SERVER__PORT", "9" * 5000, "expected a whole number"),
            ("SERVER__LISTEN", "tcp:5000", 'found "tcp:5000"'),
            ("SERVER__LISTEN", "[" * 100_000, "a list of at most 64"),
            ("SERVER__LISTEN", '["tcp:1"', "a list of at most 64"),
            ("MONITORING__ENABLED", "yes", 'expected true or false, found "yes"'),
            ("MONITORING__INTERVAL", "NaN", "not a usable number"),
            ("MONITORING__INTERVAL", "10 moons", "cannot be used"),
            ("SERVER__HOST", "a\nb", "holds a control character"),
            ("SERVER__HOST", "\udcff", "holds a control character"),
            ("SE\x85VER__HOST", "\x1f", "holds a control character"),
            ("SERVER__PROT", "1", "unknown key"),
            ("SEVER__PORT", "1", "unknown key"),
            ("SERVER__LISTEN__0", "tcp:1", "unknown key"),
            ("SERVER", "1", "no key"),
            ("", "1", "no key"),
            ("SERVER__", "1", "no key"),
        ):
            error = self.refused({f"CHATSERV__{name}": text})
            self.assertEqual(f"CHATSERV__{name}".replace("\x85", "\\x85"), error.file)
            self.assertIn(message, error.message)

    def test_case(self) -> None:
        """Names are in capital letters; others, which would be overlooked, are refused with how they are written."""
        for name in ("CHATSERV__server__port", "chatserv__SERVER__PORT", "ChatServ__Server__Port"):
            self.assertEqual("write CHATSERV__SERVER__PORT", self.refused({name: "1"}).hint)

    def test_others(self) -> None:
        """Variables of other names are none of ours, though they begin alike."""
        others = {"CHATSERV_CONFIG": "x", "CHATSERVER__PORT": "x", "CHATSERV": "x", "PATH": "x"}
        self.assertEqual({}, self.load(others).origin)

    def test_rsa_2048(self) -> None:
        """The warning about the older RSA size names the variable."""
        (warning,) = self.load({"CHATSERV__SECURITY__RSA_KEY_SIZE": "2048"}).warnings
        self.assertTrue(warning.startswith("CHATSERV__SECURITY__RSA_KEY_SIZE: security.rsa_key_size: 2048 is raised"))

    @settings(max_examples=150)
    @given(st.text(st.characters(exclude_characters="\0=")), st.text(st.characters(exclude_characters="\0")))
    def test_anything(self, name: str, text: str) -> None:
        """Whatever stands in the environment, and on the command line: settings, or an error of one line."""
        for sources in (
            Sources(environ={f"CHATSERV__{name}": text}),
            Sources(environ={"CHATSERV__SERVER__LISTEN": text}),
            Sources(given=(Words(f"--set {name}", name, text),)),
        ):
            try:
                load(sources)
            except SettingsError as error:
                self.assertEqual(1, len(str(error).splitlines()))


class LineTests(SynchronousTestCase):
    """Where a key stands."""

    def test_toml(self) -> None:
        """Under its table, in the table's line, or at the top; nowhere else."""
        text = '# server.port\nlimits.rooms = 1\nsecurity = {registration = "open"}\n'
        text += '["server"]\n  "port"=1\n[logging]\nport = 2\n'
        for key, line in (
            ("limits.rooms", 2),
            ("security.registration", 3),
            ("server.port", 5),
            ("server", 4),
            ("logging.port", 7),
            ("logging.level", None),
            ("(file)", None),
            ("line 2, column 1", None),
        ):
            self.assertEqual(line, line_of(text, key, is_toml=True), key)

    def test_json(self) -> None:
        """The name behind that of the table."""
        text = json.dumps({"limits": {"rooms": 1}, "server": {"port": 1}}, indent=1)
        for key, line in (("limits", 2), ("limits.rooms", 3), ("server.port", 6), ("server.host", None), ("x", None)):
            self.assertEqual(line, line_of(text, key, is_toml=False), key)


class HandedOverTests(SynchronousTestCase):
    """What systemd hands over."""

    def test_weakest(self) -> None:
        """Its sockets are listened on where nobody else says anything about it."""
        sockets = (Words("systemd", "server.listen", ["systemd:domain=INET:index=0"]),)
        loaded = load(Sources(defaults=sockets))
        self.assertEqual(loaded.config.server.listen, ("systemd:domain=INET:index=0",))
        self.assertEqual(loaded.origin, {"server.listen": "systemd"})
        said = Sources(environ={"CHATSERV__SERVER__LISTEN": '["tcp:5001"]'}, defaults=sockets)
        self.assertEqual(load(said).config.server.listen, ("tcp:5001",))
