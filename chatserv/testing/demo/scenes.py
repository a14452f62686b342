"""The scenes of ``make demo`` after the kill: a newcomer, a private room, direct messages, a file, and a safety number.

Alice and Bob are registered and have talked in ``#lobby``; their programs have ended.
"""

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.demo.stage import WAIT_SECONDS, Stage, wait_until
from chatserv.testing.demo.talking import Reader, say
from chatserv.testing.display import missing, why_no_window
from chatserv.testing.irc_person import IrcPerson
from chatserv.testing.irssi import ENVIRONMENT, IRSSI, WELCOME, irssi_command
from chatserv.testing.processes import ProgramError, run_client
from chatserv.testing.pseudo_terminal import PseudoTerminal

ROOM: Final = "plans"
TOPIC: Final = "Where we meet on Friday"
FILE_BYTES: Final = 3_000_000
_GROUP: Final = re.compile(r"\b[0-9]{5}\b")
_GROUPS: Final = 12


def newcomer(stage: Stage) -> None:
    """Carol joins ``#lobby`` while everybody else is away, and reads what is said from then on."""
    say(
        "alice makes a link for carol; then neither alice's nor bob's program runs, and carol registers and joins #lobby"
    )
    invite = run_client(stage.directory, "alice", "--invite").strip()
    run_client(stage.directory, "carol", invite, "--send")
    carol = Reader(stage.directory, "carol", "--count", "2", file="carol-lobby.out")
    try:
        stage.send("alice", "Good morning, carol.")
        stage.send("bob", "And from me.")
        carol.finish(time.monotonic() + WAIT_SECONDS)
    finally:
        carol.end()
    stage.show(carol)
    wanted = [("alice", "Good morning, carol."), ("bob", "And from me.")]
    stage.check(
        "carol, who joined while nobody was there, reads what is said from then on, and only that",
        carol.shown() == wanted,
    )


def private_room(stage: Stage) -> None:
    """Alice makes a private room and invites both; they accept; carol is kicked, and does not get what is said next."""
    say(f"alice makes the private room #{ROOM} and invites bob and carol, who accept")
    stage.do("alice", f"/create {ROOM} {TOPIC}", "/invite bob", "/invite carol")
    seen = [stage.do(name, f"/accept {ROOM}", "/topic", "/who") for name in ("bob", "carol")]
    stage.check("both know what it is about", all(f"#{ROOM}: {TOPIC}" in printed.splitlines() for printed in seen))
    flock = Flock.hatch(("before", "after"))
    before, after = (f"The door opens with {canary.text}." for canary in flock.canaries)
    bob, carol = (
        Reader(stage.directory, name, "--room", ROOM, file=f"{name}-{ROOM}.out", errors=True)
        for name in ("bob", "carol")
    )
    try:
        stage.do("alice", f"/room {ROOM}", before)
        got = wait_until(lambda: all(("alice", before) in reader.shown() for reader in (bob, carol)))
        stage.check(f"bob and carol read in #{ROOM} what alice says there", got)
        say("alice kicks carol, whose program runs, and says something else")
        stage.do("alice", f"/room {ROOM}", "/kick carol", after)
        stage.check("bob reads it", wait_until(lambda: ("alice", after) in bob.shown()))
        told = wait_until(lambda: f"alice removed you from #{ROOM}." in carol.complaints())
        stage.check("carol is told who has put her out", told)
    finally:
        bob.end()
        carol.end()
    stage.show(bob)
    stage.show(carol)
    come_back(stage)
    found = {name: stage.canaries(name, flock) for name in ("alice", "bob", "carol")}
    stage.check("alice and bob have both messages", found["alice"] == found["bob"] == {"before", "after"})
    stage.check(
        "carol has the first, and the second in none of her files, in no encoding", found["carol"] == {"before"}
    )


def come_back(stage: Stage) -> None:
    """Carol's program starts anew and gets all that there is for it: what it has not by then, it does not get."""
    say("carol comes back online, and reads what is said in #lobby after that")
    stage.send("alice", "Anybody here?")
    carol = Reader(stage.directory, "carol", "--count", "1", file="carol-later.out")
    try:
        carol.finish(time.monotonic() + WAIT_SECONDS)
    finally:
        carol.end()
    stage.show(carol)
    stage.check("carol is up to date", carol.shown() == [("alice", "Anybody here?")])


def direct_messages(stage: Stage) -> None:
    """Alice writes to bob alone, and he answers."""
    say("alice and bob write to each other")
    flock = Flock.hatch(("direct",))
    said, answer = f"Between us two: {flock['direct'].text}.", "Understood."
    stage.do("alice", f"/msg bob {said}")
    stage.do("bob", "/accept @alice", "/room @alice", "/log", f"/msg alice {answer}")
    alice = Reader(stage.directory, "alice", "--room", "@bob", "--count", "2", file="alice-bob.out")
    try:
        alice.finish(time.monotonic() + WAIT_SECONDS)
    finally:
        alice.end()
    stage.show(alice)
    stage.check("both are there, in order", alice.shown() == [("alice", said), ("bob", answer)])
    found = {name for name in ("alice", "bob", "carol") if stage.canaries(name, flock)}
    stage.check("alice and bob have the message, and carol has not", found == {"alice", "bob"})


def file(stage: Stage) -> None:
    """Alice sends a file from a script, and bob saves it in a talk."""
    say("alice sends a file to #lobby, and bob saves it")
    source = _film(stage, "film of Friday.mkv")
    run_client(stage.directory, "alice", "--file", str(source))
    _save(stage, "bob", source)


def _film(stage: Stage, name: str) -> Path:
    """A file to send."""
    source = stage.directory / name
    source.write_bytes(secrets.token_bytes(FILE_BYTES))
    return source


def _save(stage: Stage, name: str, source: Path) -> None:
    """Somebody saves the file that came last, which has to be the one that was sent."""
    target = stage.directory / f"saved-by-{name}"
    target.mkdir()
    stage.do(name, "/log 1", f"/save -1 {target}", "/files")
    _compare(stage, name, source, target)


def _compare(stage: Stage, name: str, source: Path, target: Path) -> None:
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (source, target / source.name)]
    stage.check(f"the file that {name} has saved is the one that was sent, by its SHA-256", hashes[0] == hashes[1])


def window(stage: Stage) -> None:
    """Alice sends a file from a script, and bob saves it in the window, on a screen without a monitor."""
    lacking = why_no_window()
    if lacking:
        say(f"no file goes to a window here: {lacking}")
        return
    from chatserv.testing.demo.saving_window import save_in_window  # noqa: PLC0415 - needs Tk

    say("alice sends a file to #lobby, and bob saves it in his window")
    source, target = _film(stage, "film of Sunday.mkv"), stage.directory / "saved in a window"
    target.mkdir()
    run_client(stage.directory, "alice", "--file", str(source))
    save_in_window(stage.directory, "bob", source.name, target)
    _compare(stage, "bob's window", source, target)


def irc(stage: Stage) -> None:
    """Bob writes and sends a file in irssi, through ``chatserv-irc``; alice has both, letter for letter."""
    said = "Naïve grüne Bäume by irc, #1: 100 % \\o/ 👍"
    say("bob's chatserv-irc runs, and he writes and sends a file to #lobby in an IRC client; alice's program runs, too")
    alice = Reader(stage.directory, "alice", file="alice-irc.out")
    try:
        with IrcPerson(stage.directory, "bob") as bob, _irc_client(stage.directory, bob) as tell:
            tell("#lobby", said)
            wait_until(lambda: any(text and "irc" in text for _, text in alice.shown()))
            source = _film(stage, "film-of-Saturday.mkv")
            tell("*chatserv", f"#lobby file {source}")
            wait_until(lambda: source.name in [record.get("file", {}).get("name") for record in alice.records()])
    finally:
        alice.end()
    read = [text for _, text in alice.shown() if text and "irc" in text]
    print(*(f"   alice reads  {text}" for text in read), sep="\n", flush=True)
    wanted, found = ([hashlib.sha256(text.encode()).hexdigest() for text in texts] for texts in ([said], read))
    stage.check(f"alice reads what he wrote: its SHA-256 is {wanted[0][:16]}…", found == wanted)
    _save(stage, "alice", source)


@contextmanager
def _irc_client(directory: Path, person: IrcPerson) -> Generator[Callable[[str, str], None]]:
    """Gives what says a text to a room or a nick: irssi on a terminal, or a plain connection where there is no irssi.

    Raises `ProgramError` where irssi does not come in.
    """
    if missing(IRSSI):
        say(f"not installed: {IRSSI}; a plain connection speaks IRC in its place")
        yield lambda target, text: _type(person.say, f"PRIVMSG {target} :{text}")
        return
    command = irssi_command(directory, person.port, person.password)
    with closing(PseudoTerminal(directory, command, environment=ENVIRONMENT)) as terminal:
        if not terminal.shows(WELCOME, WAIT_SECONDS):
            raise ProgramError(f"irssi does not come in:\n{terminal.text}")
        print(f"   irssi shows  {WELCOME}", flush=True)
        yield lambda target, text: _type(lambda line: terminal.type(f"{line}\r"), f"/msg {target} {text}")
        _type(lambda line: terminal.type(f"{line}\r"), "/quit")
        terminal.finish(WAIT_SECONDS)


def _type(send: Callable[[str], None], line: str) -> None:
    print(f"   bob types  {line}", flush=True)
    send(line)


def verification(stage: Stage) -> None:
    """Alice and bob look at the safety number that they share."""
    say("alice and bob compare their safety number")
    numbers = [
        _GROUP.findall(stage.do(name, f"/verify {other}")) for name, other in (("alice", "bob"), ("bob", "alice"))
    ]
    good = len(numbers[0]) == _GROUPS and numbers[0] == numbers[1]
    stage.check("the safety number is the same on both sides", good)


SCENES: Final = (newcomer, private_room, direct_messages, file, window, irc, verification)
