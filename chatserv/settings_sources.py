"""Where settings come from, the later the stronger: a file, ``conf.d`` beside it, the environment, the command line.

The file is the one that is named; where none is, ``settings.toml`` or ``settings.json`` of the first of some directories
that has one, or a ``conf.d``. What is not there is looked for again each time that settings are read.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from chatserv.owners import reason
from chatserv.settings_file import SUFFIXES, WHOLE_FILE, SettingsFile, Source, join_key, printable
from chatserv.units import without_password

SYSTEM_DIRECTORY: Final = Path("/etc/chatserv")
PREFIX: Final = "CHATSERV__"
MOST_FILES: Final = 100  # of one conf.d

Tree = dict[str, Any]


class Words(Source):
    """A setting in words of its own: a variable, or an option of the command line.

    Args:
        name: The variable, or the option.
        key: The dotted key.
        value: What it is set to; a text is read as the key's type.
    """

    def __init__(self, name: str, key: str, value: object) -> None:
        super().__init__(name)
        self.key, self.value = key, value

    def read(self) -> Tree:
        """The one setting, as a file would give it. Raises `SettingsError`."""
        table, _, name = self.key.partition(".")
        if not name:
            self.fail(join_key("", table), "no key", f"write a table and a key, as in {self._example}")
        self.check(self.value, join_key(join_key("", table), name))
        return {table: {name: self.value}}

    @property
    def _example(self) -> str:
        return f"{PREFIX}SERVER__PORT" if self.name.startswith(PREFIX) else "server.port=5000"


class Sources(Struct, frozen=True):
    """The sources of one server.

    Attributes:
        file: The settings file that is named, absolute; None: look for one.
        places: Directories to look in, the first one first.
        environ: Variables of the process.
        given: What the command line says.
        defaults: What holds where nobody else says anything: the sockets that systemd hands over.
    """

    file: Path | None = None
    places: tuple[Path, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    given: tuple[Words, ...] = ()
    defaults: tuple[Words, ...] = ()

    @classmethod
    def of_process(
        cls,
        named: str | None,
        environ: Mapping[str, str],
        given: tuple[Words, ...] = (),
        defaults: tuple[Words, ...] = (),
    ) -> "Sources":
        """Those of a process that was told of this file, or of none."""
        file = Path(named).absolute() if named else None
        return cls(file, tuple(places(environ)), dict(environ), given, defaults)

    def read(self) -> Iterator[tuple[Source, Tree]]:
        """What each source says, the weakest first. Raises `SettingsError`."""
        for words in self.defaults:
            yield words, words.read()
        for file in self.files():
            yield file, file.read()
        for words in (*self._variables(), *self.given):
            yield words, words.read()

    def files(self) -> Iterator[SettingsFile]:
        """The files that are there, the weakest first; one that is named also where it is not. Raises `SettingsError`."""
        if self.file is not None:
            yield SettingsFile(self.file)
            yield from _added(self.file.parent / "conf.d")
            return
        for place in self.places:
            found = [place / f"settings{suffix}" for suffix in SUFFIXES if _is_there(place / f"settings{suffix}")]
            if len(found) > 1:
                SettingsFile(found[1]).fail(WHOLE_FILE, f"{found[0].name} stands beside it", "keep one of the two")
            added = list(_added(place / "conf.d"))
            if found or added:
                yield from map(SettingsFile, found)
                yield from added
                return

    def found(self) -> "Sources":
        """The same without places where nothing is: who has fewer rights may not know. Raises `SettingsError`."""
        each = (replace(self, places=(place,)) for place in self.places)
        return next((one for one in each if any(one.files())), replace(self, places=()))

    def _variables(self) -> Iterator[Words]:
        for name, value in sorted(self.environ.items()):
            if name.upper().startswith(PREFIX):
                words = Words(name, name[len(PREFIX) :].lower().replace("__", ".", 1), value)
                if name != name.upper():
                    words.fail(printable(words.key), "not in capital letters", f"write {printable(name.upper())}")
                yield words


def given_settings(listen: list[str], settings: list[str]) -> tuple[Words, ...]:
    """What the command line says of settings."""
    said = [_given(setting) for setting in settings]
    return (*said, Words("--listen", "server.listen", listen)) if listen else tuple(said)


def places(environ: Mapping[str, str]) -> Iterator[Path]:
    """The directories to look in: the user's (XDG Base Directory), where there is a home, then the system's."""
    own, home = environ.get("XDG_CONFIG_HOME", ""), environ.get("HOME", "")
    if os.path.isabs(own):  # a relative one is to be ignored
        yield Path(own, "chatserv")
    elif os.path.isabs(home):
        yield Path(home, ".config", "chatserv")
    yield SYSTEM_DIRECTORY


def _is_there(path: Path) -> bool:
    """Whether there is something of that name; what cannot be looked at is no reason to start without settings."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        SettingsFile(path).fail(
            WHOLE_FILE, f"cannot be read ({reason(path, error)})", "check who may enter its directory"
        )
    return True


def _added(directory: Path) -> Iterator[SettingsFile]:
    """The settings files of a ``conf.d``, by their names. Hidden files and those of other kinds do not count."""
    if not _is_there(directory):
        return
    source = Source(os.fspath(directory))
    try:
        found = [each for each in os.listdir(directory) if Path(each).suffix.lower() in SUFFIXES and each[0] != "."]
    except OSError as error:
        source.fail(WHOLE_FILE, f"cannot be read ({reason(directory, error)})", "check what it is and who may read it")
    if len(found) > MOST_FILES:
        source.fail(WHOLE_FILE, f"holds {len(found)} settings files", f"keep at most {MOST_FILES}")
    yield from (SettingsFile(directory / name) for name in sorted(found))


def _given(setting: str) -> Words:
    shown = shown_setting(setting)
    key, _, value = (shown if "://" in setting.partition("=")[0] else setting).partition("=")  # the key was forgotten
    return Words(f"--set {shown}", key.strip(), value)


def shown_setting(setting: str) -> str:
    """``KEY=VALUE`` as people may read it: without the password of a URL."""
    key, between, value = setting.partition("=")
    if "://" in key:
        return without_password(setting)
    return key + between + without_password(value) if key.strip() == "store.url" or "://" in value else setting
