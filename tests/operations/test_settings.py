"""Settings as they are shown: the defaults with their comments, and what is in force with its origins; and a first start."""

import tomllib
from pathlib import Path
from typing import get_type_hints

from chatserv.config import Config
from chatserv.operations.settings import comments_of, default_lines
from chatserv.settings_loading import load
from chatserv.settings_sources import Sources
from chatserv.wire.link import parse_link
from tests.cli.test_main import CommandCase


class DefaultTests(CommandCase):
    """``default-config``."""

    def file(self, text: str) -> Path:
        """A settings file."""
        path = Path(self.mktemp()).with_suffix(".toml")
        path.write_text(text)
        return path

    def test_complete(self) -> None:
        """As it is, it changes nothing; without the comment signs it has every setting, with its default."""
        code, text, err = self.run_command("default-config")
        self.assertEqual((0, ""), (code, err))
        self.assertEqual(Config(), load(Sources(self.file(text))).config)
        bare = "\n".join(line.removeprefix("#") if line[:2] != "# " else "" for line in text.splitlines())
        loaded = load(Sources(self.file(bare)))
        self.assertEqual((Config(), ()), (loaded.config, loaded.warnings))
        every = {
            f"{table}.{name}" for table, struct in get_type_hints(Config).items() for name in struct.__struct_fields__
        }
        self.assertEqual(every, set(loaded.origin))
        self.assertEqual(text.splitlines(), self.json_of("default-config")["lines"])

    def test_comments(self) -> None:
        """Each setting is explained by the comment beside it in the source, without what is there for tools."""
        for struct in get_type_hints(Config).values():
            comments = comments_of(struct)
            self.assertEqual(set(struct.__struct_fields__), set(comments), struct.__name__)
            self.assertEqual([], [text for text in comments.values() if "noqa" in text])

    def test_width(self) -> None:
        """A line fits a terminal, but for a value's own length."""
        self.assertLessEqual(max(len(line) for line in default_lines() if line.startswith("# ")), 110)


class ShowTests(CommandCase):
    """``config show``."""

    def test_origin(self) -> None:
        """Each setting with its value, and where it comes from: the line of a file, the command line, or nowhere."""
        path = Path(self.mktemp()).with_suffix(".toml")
        path.write_text("[server]\nport = 7000\n")
        given = ("--config", str(path), "--set", "server.host=::1", "config", "show")
        found = {each["key"]: each for each in self.json_of(*given, "--origin")["settings"]}
        self.assertEqual(
            (7000, f"{path.absolute()}:2"), (found["server.port"]["value"], found["server.port"]["origin"])
        )
        self.assertEqual("--set server.host=::1", found["server.host"]["origin"])
        self.assertEqual("", found["server.advertise"]["origin"])
        self.assertEqual("server.port = 7000\n", self.run_command(*given, "server.port")[1])
        self.assertEqual({"server"}, {each["key"].split(".")[0] for each in self.json_of(*given, "server")["settings"]})
        self.assertIn("default", self.run_command(*given, "limits.rooms", "--origin")[1])

    def test_wrong(self) -> None:
        """Settings that cannot be used end with 2; a key that there is not with 1."""
        self.assertEqual(2, self.run_command("config", "show", "--set", "server.port=x")[0])
        self.assertEqual(1, self.run_command("config", "show", "server.nothing")[0])


class InitTests(CommandCase):
    """``init``."""

    def test_init(self) -> None:
        """State directory and settings are made, and a link; done again, nothing changes and the link is the same."""
        path = Path(self.mktemp()).with_suffix(".toml")
        made = self.json_of("--set", "server.advertise=chat.example", "init", "--write-settings", str(path))
        self.assertEqual("chat.example", parse_link(made["link"]).host)
        self.assertEqual((str(self.directory.absolute()), str(path.absolute())), (made["state"], made["settings"]))
        self.assertIn("port", tomllib.loads(path.read_text().replace("\n#port", "\nport"))["server"])
        before = (self.directory / "identity.pem").read_bytes()
        code, out, _ = self.run_command("--set", "server.advertise=chat.example", "init")
        self.assertEqual((0, True), (code, made["link"] in out))
        self.assertEqual(before, (self.directory / "identity.pem").read_bytes())

    def test_settings_stay(self) -> None:
        """A settings file that is there is not written over, and nothing else is made."""
        path = Path(self.mktemp())
        path.write_text("precious")
        self.assertEqual(1, self.run_command("init", "--write-settings", str(path))[0])
        self.assertEqual("precious", path.read_text())
        self.assertFalse(self.directory.exists())
