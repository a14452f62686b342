"""Row 38: names of files that lead elsewhere, are no files, or are more than a name."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from chatserv.client import Profile
from chatserv.client.account.failures import ProfileError
from chatserv.testing.processes import ServerProgram
from chatserv.wire import messages
from tests.faults.commanding import command
from tests.faults.crowd import Crowd
from tests.faults.driven import driven
from tests.faults.health import Health
from tests.faults.hostile import Stage
from tests.faults.rows import Ground, check, row

PEOPLE: Final = 3
CANARY: Final = "eagle-owl-4711"
LONGEST: Final = 255  # bytes of a name
NAMES: Final = (
    "..", ".", "../outside/new", "../../new", "/tmp", "a/../../outside/new", "..\\outside\\new", "CON", "-rf", "--help",
    "a\0b", "\0", "", " ", "~", "$(id)", "a;b", "*", "x" * LONGEST, "x" * (LONGEST + 1), "\u00e9" * 128, "\u202egpj.exe",
    "\ud800", "\x1b]0;x\x07", "new\nline",
)  # fmt: skip
TESTS: Final = (
    "tests.test_private_files",
    "tests.client.files.test_saving.SavingTests",
    "tests.client.history.test_files.WholeTests.test_file",
    "tests.client.history.test_files.RefusedTests.test_no_file",
    "tests.backup.test_making.MakingTests.test_file",
    "tests.backup.test_making.MakingTests.test_appears_meanwhile",
    "tests.backup.test_making.VerifyingTests.test_no_file",
    "tests.backup.test_lines.BadLineTests.test_no_file",
    "tests.client.files.test_uploads.RefusedTests.test_no_file",
    "tests.client.test_file_names",
)


class Yard:
    """A directory in which files may come to be, beside one in which nothing may.

    Args:
        directory: Gets both.
    """

    def __init__(self, directory: Path) -> None:
        self.yard, self._outside = directory / "yard", directory / "outside"
        for each in (self.yard, self._outside):
            each.mkdir(mode=0o700)
        self.secret = self._outside / "secret"
        self.secret.write_text(CANARY)
        (self.yard / "dangling").symlink_to(self._outside / "new")
        (self.yard / "link").symlink_to(self.secret)
        (self.yard / "loop").symlink_to("loop")
        (self.yard / "file").write_text("mine")
        os.mkfifo(self.yard / "pipe")
        self._before = self._look()
        self._there = set(self.yard.iterdir())

    def _look(self) -> object:
        return [(each.name, each.lstat().st_mtime_ns, each.read_bytes()) for each in sorted(self._outside.iterdir())]

    def check(self) -> int:
        """Fails the row where something outside has changed, or a new file is none of ours alone; how many are new."""
        check(self._look() == self._before, "something outside was written to")
        check((self.yard / "file").read_text() == "mine", "a file was written over")
        new = set(self.yard.iterdir()) - self._there
        for each in new:
            mode = each.lstat().st_mode
            check(stat.S_ISREG(mode) and stat.S_IMODE(mode) == 0o600, f"{each}: {oct(mode)}")
        return len(new)


def _command(server: ServerProgram, yard: Path, *arguments: str) -> int:
    """The exit code of the operator's command, in the yard. Fails the row where it hangs, breaks, or shows what it read."""
    out, errors, code = command(server, *arguments, directory=yard)
    said = out + errors
    check("Traceback" not in said and CANARY not in said, f"{arguments}: {said}")
    return int(code)


def _named(ground: Ground) -> Iterator[tuple[str, str, bool]]:
    """Commands with a name each, and whether it may be done."""
    special = ("dangling", "link", "loop", "file", "pipe", "/dev/full", "nowhere/new")
    short = ground.short
    yield from (("export", name, False) for name in special)
    yield from (("backup", name, False) for name in (special[:1] if short else special))
    yield from (("verify", name, False) for name in (("pipe", "link") if short else (*special, "/dev/zero", ".")))
    yield "export", "-rf", True
    yield "export", "x" * LONGEST, True
    yield "export", "x" * (LONGEST + 1), False
    if not short:
        plain = (name for name in NAMES if "/" not in name and "\0" not in name and name not in {"", ".", "..", "-rf"})
        yield from (("export", name, True) for name in plain if name.isascii() and len(name) < LONGEST)
        yield "export", os.fsdecode(b"\xc3"), True


@row(
    38,
    "names of files that lead elsewhere, are no files, or are more than a name",
    sqlite="backups and exports are of the file",
)
def file_names(ground: Ground) -> str:
    """Nothing outside is written or shown, nothing is written over, and what is new is private, whoever names it."""
    tests = driven(ground, *ground.pick(TESTS[:3], TESTS))
    yard = Yard(ground.directory)
    profiles = yard.yard / "profiles"
    made = 0
    for name in NAMES:
        try:
            directory = Profile.named(name, profiles).directory
        except ProfileError:
            continue
        check(directory.parent == profiles and directory.is_dir(), f"a profile {name!a} is {directory}")
        made += 1
    check(0 < made < len(NAMES), f"{made} of {len(NAMES)} names are those of profiles")
    for each in (*profiles.iterdir(), profiles):
        each.rmdir()
    done = refused = 0
    with ground.server() as server, Crowd(server, PEOPLE) as crowd, crowd.talking(60):
        crowd.flowing(30)
        stage = Stage.of(server)
        check(_command(server, yard.yard, "user", "role", stage.account.user, "admin") == 0, "nobody administers")
        health = Health(ground, server, crowd)
        for word, name, good in _named(ground):
            code = _command(server, yard.yard, word, "--", name)
            check((code == 0) == good, f"{word} {name!a}: exit code {code}")
            done, refused = done + good, refused + (not good)
        attacker = stage.attacker()
        status = attacker.ask(messages.Operated, messages.Operate(1, "status"))
        check("error" not in json.loads(status.result), f"she does not administer: {status.result}")
        asked = [name for name in (*NAMES, str(yard.yard / "new")) if name and name.isprintable()]
        for number, name in enumerate(asked):
            told = attacker.ask(messages.Operated, messages.Operate(number + 2, "backup", {"target": name}))
            check("error" in json.loads(told.result), f"a backup to {name!a} from inside the chat: {told.result}")
        attacker.close()
        new = yard.check()
        check(new == done, f"{new} files for {done} commands that were done")
        said = health.check()
        figure = crowd.check()
    return (
        f"{done} names written, {refused} refused, {len(asked)} of an administrator in the chat refused, {made} of "
        f"{len(NAMES)} are profiles, nothing outside, {tests} tests, {figure}, {said}"
    )
