"""Row 36: texts that are meant for a terminal: in the conversation, in the operator's command, in the logs."""

import json
import re
import sqlite3
from contextlib import closing
from typing import Final

import pyte
from wcwidth import wcwidth

from chatserv.sanitize import clean_line
from chatserv.testing.processes import ServerProgram
from tests.clients.terminal.test_hostile import CONTROL, CORPUS
from tests.faults.commanding import command
from tests.faults.crowd import Crowd
from tests.faults.driven import driven
from tests.faults.health import Health
from tests.faults.rows import Ground, check, row
from tests.test_sanitize import ATTACKS

PEOPLE: Final = 3
ARGUMENT_CHARS: Final = 1000
ISOLATES: Final = re.compile("[\u2068\u2069]")  # those that the command puts around text that goes from right to left
LOG_LINE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000 \[\w+\] \S|\t")
TEXTS: Final = tuple(dict.fromkeys((*CORPUS, *ATTACKS, "Z" + "\u0300" * 10_000)))


def _sayable(text: str) -> str:
    """As much of it as an argument of a command or a row of the database can be."""
    return text.replace("\0", "").encode(errors="ignore").decode()[:ARGUMENT_CHARS]


def _command(server: ServerProgram, *arguments: str) -> str:
    """What the operator's command prints, whatever comes of it."""
    out, errors, _ = command(server, *arguments)
    said = (out + errors).encode().decode()  # UTF-8, all of it
    check("Traceback" not in said, f"{arguments}: {said}")
    check(said, f"{arguments} printed nothing")
    return said


def _state(screen: pyte.Screen) -> tuple[object, ...]:
    """What a terminal knows beside what it shows."""
    return screen.title, screen.icon_name, frozenset(screen.mode), screen.charset, screen.margins, screen.cursor.hidden


def _shown(said: str) -> tuple[tuple[object, ...], list[str]]:
    """What a terminal makes of it: its state, and its rows."""
    lines = said.split("\n")
    screen = pyte.Screen(2 * max(map(len, lines)) + 1, len(lines) + 1)  # so that every line has one row
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed(said)
    return _state(screen), [line.rstrip() for line in screen.display]


def _check_shown(said: str) -> None:
    """Every line is a row of the screen, as it stands there, and has nothing in it that is not seen or goes beyond it."""
    said = ISOLATES.sub("", said)
    for line in said.split("\n"):
        check(clean_line(line) == line, f"in a line: {line!a}, clean it is {clean_line(line)!a}")
    said = "".join(char for char in said if char == "\n" or wcwidth(char))  # pyte stops at marks, or composes them
    state, rows = _shown(said)
    check(state == _shown("")[0], f"the terminal obeyed: {state}")
    for line, found in zip(said.split("\n"), rows, strict=False):
        check(found == line.rstrip(), f"on the screen {found!a} and not {line!a}")


def _arguments(text: str) -> tuple[tuple[str, ...], ...]:
    """Commands that get the text: as a name, a reason, a file, a setting; the first three are noted in the audit log."""
    return (
        ("user", "suspend", "--", text),
        ("ban", "add", "address", "--", text),
        ("advertise", "--", text),
        ("--set", f"{text}=1", "check-config"),
        ("--set", f"server.host={text}", "config", "show"),
        ("verify", "--", f"./{text}"),
        ("--config", f"./{text}", "check-config"),
        ("--", text),
    )


AUDITED: Final = 3


def _as_names(server: ServerProgram) -> int:
    """Writes the texts where names stand, past everything that would refuse them; how many."""
    texts = dict.fromkeys(_sayable(text) for text in TEXTS)
    with closing(sqlite3.connect(server.state / "chatserv.db")) as database, database:
        accounts, rooms = (database.execute(f"SELECT * FROM {table}").fetchall()[0] for table in ("account", "room"))  # noqa: S608
        for number, text in enumerate(texts):
            for table, sample in (("account", accounts), ("room", rooms)):
                names = [column[1] for column in database.execute(f"PRAGMA table_info({table})")]
                made = dict(zip(names, sample, strict=True)) | {"pk": 1000 + number, "name": text, "skeleton": text}
                made |= {"account_id" if table == "account" else "room_id": number.to_bytes(16)}
                marks = ", ".join("?" * len(made))
                database.execute(f"INSERT INTO {table} VALUES ({marks})", list(made.values()))  # noqa: S608
            database.execute("INSERT INTO ban VALUES (?, ?, 'account', ?, 1)", (1000 + number, text, text))
    return len(texts)


@row(
    36,
    "texts that are meant for a terminal: in messages, names, errors, logs, the operator's command",
    sqlite="its names are written into the file, past everything that would refuse them",
)
def hostile_texts(ground: Ground) -> str:
    """Nothing that others say moves the cursor, sets a title, hides or reorders; an event is one line in each log."""
    module = "tests.clients.terminal.test_hostile"
    case = f"{module}.HostileTests"
    tests = driven(
        ground,
        *ground.pick((f"{case}.test_error", f"{case}.test_detector"), (module,)),
        *ground.pick(("tests.test_sanitize.CleanLineTests.test_attacks",), ("tests.test_sanitize",)),
    )
    moved = sum(_shown(f"{text}x")[0] != _shown("")[0] for text in TEXTS)
    check(moved, "no text does anything to a terminal")
    texts = ground.pick(["".join(_sayable(text)[:40] for text in CORPUS)[:ARGUMENT_CHARS]], list(map(_sayable, TEXTS)))
    shown = 0
    with ground.server() as server, Crowd(server, PEOPLE) as crowd, crowd.talking(60):
        crowd.flowing(30)
        _command(server, "ban", "add", "address", "192.0.2.1")  # opens the audit log
        health = Health(ground, server, crowd)
        audit = server.state / "logs" / "audit.log"
        before = len(audit.read_bytes().splitlines())
        for text in texts:
            for arguments in _arguments(text):
                _check_shown(_command(server, *arguments))
                shown += 1
        lines = audit.read_text().splitlines()[before:]
        check(len(lines) == AUDITED * len(texts), f"{len(lines)} lines of audit for {AUDITED * len(texts)} events")
        check(all(json.loads(line)["fields"] for line in lines), "a line of audit without its text")
        logged = server.output.split("[INFO] twistd", 1)[1].splitlines()[1:]
        for line in (*lines, *logged):
            check(not CONTROL.search(line.removeprefix("\t")), f"in a log: {line!a}")
        check(all(LOG_LINE.match(line) for line in logged), "a log has a line that nobody has logged")
        said = health.check()
        figure = crowd.check()
    names = _as_names(server)
    lists = ("user", "room", "ban")
    for each in lists:
        told = _command(server, each, "list")
        check(told.count("\n") > names, f"{told.count(chr(10))} lines for {names} names")
        _check_shown(told)
    return (
        f"{moved} of {len(TEXTS)} texts move a terminal, {shown} commands and {names} names in {len(lists)} lists moved "
        f"none, {len(lines)} events were {len(lines)} lines, {tests} tests, {figure}, {said}"
    )
