"""The play of ``make prove-blind``: three people, and a canary in each thing that the server must not know."""

import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from chatserv.private_files import write_private
from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.blindness.files import (
    IN_FILES,
    IRC,
    NAME,
    OF_A_WINDOW,
    SECRETS_OF_FILES,
    TERMINAL,
    TYPE,
    WINDOW,
    Canaried,
    called,
)
from chatserv.testing.blindness.searching import Searcher
from chatserv.testing.irc_person import IrcPerson
from chatserv.testing.processes import (
    ProgramError,
    ServerProgram,
    child_environment,
    client_command,
    run_client,
)

READING_SECONDS: Final = 240.0
PACE_SECONDS: Final = 0.1

PASSWORD: Final = "password"  # noqa: S105 - the name of a canary
PASSPHRASE: Final = "passphrase"  # noqa: S105 - likewise
DEVICE_NAME: Final = "device name"
SECRETS: Final = (
    "room name",
    "room topic",
    "new topic",
    "message",
    "edit",
    "action",
    "reply and mention",
    "reaction",
    "direct message",
    PASSWORD,
    PASSPHRASE,
    DEVICE_NAME,
    "message by IRC",
    *SECRETS_OF_FILES,
)
FOR_NOBODY: Final = frozenset({PASSWORD, PASSPHRASE})
BY_DESIGN: Final = ("name of a public room", "topic of a public room")
_PORT: Final = re.compile(r":[0-9]+/")
_CODE: Final = re.compile(r"\b(?:[0-9A-Z]{5}-){7}[0-9A-Z]{5}\b")
READER: Final = {
    "direct message": "bob",
    DEVICE_NAME: "alice",
    **dict.fromkeys(IN_FILES, "bob"),
}  # carol reads everything else that is meant for anybody


class Play:
    """Alice, Bob and Carol, each with a stdio client, on a server that is reached through proxies.

    Args:
        server: The server; it runs.
        port: Where Alice and Bob connect.
        plain_port: Where Carol connects, without TLS.
        flock: A canary for each of `SECRETS`; without those of `OF_A_WINDOW` there is no window.
        control: A canary for each of `BY_DESIGN`: what is said in the clear, to show that the search finds what is there.
        sealed: Whether Bob's profile, which is stolen in the end, is sealed, or left unsealed.

    Attributes:
        unread: Names of the canaries that have not come to whom they are meant for: those say nothing about the server.
        code: Alice's recovery code, as it was printed.
    """

    def __init__(
        self, server: ServerProgram, port: int, plain_port: int, flock: Flock, control: Flock, *, sealed: bool
    ) -> None:
        self._server, self._port, self._plain_port = server, port, plain_port
        self._flock, self._control = flock, control
        self._directory = server.directory
        self.unread = set(flock.names) - FOR_NOBODY
        self.code = ""
        # A letter and its accent are two characters as typed, and one in the form that keys are made from.
        password = f"{flock[PASSWORD].text} cafe\u0301\n"
        write_private(self._directory / "password", password.encode())
        passphrase = self._directory / "passphrase"
        write_private(passphrase, f"{flock[PASSPHRASE].text}\n".encode())
        self._seals = {"bob": ("--passphrase-file", str(passphrase))} if sealed else {}

    @contextmanager
    def performed(self) -> Iterator[None]:
        """Everything from the first registration on; inside of the ``with`` Carol's program is still connected.

        Raises:
            ProgramError: A program does not do what it should.
        """
        self._register()
        shown = self._directory / "carol.out"
        with shown.open("wb") as output, self._follow(output) as carol:
            try:
                self._make_room()
                self._wait_for_readers(carol, "room name", "room topic")
                self._talk()
                self._send_files()
                self._talk_by_irc(carol)
                self._second_device()
                self._wait_for_readers(carol, *self._flock.names)
                yield
            finally:
                carol.kill()  # what it has kept is in its files

    def _register(self) -> None:
        run_client(self._directory, "alice", self._by_way_of(self._port, self._server.link()), "--send")
        for name, port, how in (("bob", self._port, ()), ("carol", self._plain_port, ("--no-tls",))):
            link = run_client(self._directory, "alice", "--invite").strip()
            run_client(self._directory, name, self._by_way_of(port, link), "--send", *how, *self._seals.get(name, ()))

    @staticmethod
    def _by_way_of(port: int, link: str) -> str:
        """The link with another port."""
        return _PORT.sub(f":{port}/", link, count=1)

    def _follow(self, output: BinaryIO) -> "subprocess.Popen[bytes]":
        """Carol's program, which reads all the time."""
        room = self._flock["room name"].text
        arguments = ("--no-tls", "--follow", "--accept-invites", "--timeout", f"{READING_SECONDS:g}", "--room", room)
        command = client_command(self._directory, "carol", *arguments)
        return subprocess.Popen(
            command,
            cwd=self._directory,
            env=child_environment(self._directory),
            stdin=subprocess.DEVNULL,
            stdout=output,
        )

    def _make_room(self) -> None:
        public, topic = (canary.text for canary in self._control.canaries)
        self._do("alice", f"/create-public {public} About {topic}", "/invite carol")  # her node has it, too
        room, topic = self._flock["room name"].text, self._flock["room topic"].text
        self._do("alice", f"/create {room} About {topic}", "/invite bob", "/invite carol")

    def _talk(self) -> None:
        text = {canary.name: canary.text for canary in self._flock.canaries}
        room = text["room name"]
        self._do(
            "alice",
            f"/room {room}",
            f"We meet at {text['message']} at noon.",
            "This was said too early.",
            f"/edit -1 No, this is what was meant: {text['edit']}.",
            f"/me goes to {text['action']} now",
            f"/topic Now about {text['new topic']}",
            f"/msg bob Between us: {text['direct message']}.",
        )
        self._do(
            "bob",
            f"/accept {room}",
            f"/room {room}",
            f"/react -1 {text['reaction']}",
            f"/reply -1 @alice: see {text['reply and mention']}!",
            "/accept @alice",
            "/room @alice",
            "/log",
        )

    def _send_files(self) -> None:
        """Alice sends a file with canaries all over it from a terminal, and a picture from her window; bob saves both."""
        room, file = self._flock["room name"].text, Canaried(self._flock, TERMINAL)
        self._do("alice", f"/room {room}", f"/file {file.write(self._directory)} {file.words}")
        self._save()
        if OF_A_WINDOW.isdisjoint(self._flock.names):
            return
        from chatserv.testing.blindness.sending import send_in_window  # noqa: PLC0415 - needs Tk

        file = Canaried(self._flock, WINDOW)
        kind = f"image/{file.text(TYPE)}"
        send_in_window(self._directory, "alice", room, file.write(self._directory), file.words, kind)
        self._save()

    def _save(self) -> None:
        """Bob saves the file that came last."""
        saved = self._directory / "saved"
        saved.mkdir(exist_ok=True)
        self._do("bob", f"/room {self._flock['room name'].text}", f"/save -1 {saved}")

    def _talk_by_irc(self, carol: "subprocess.Popen[bytes]") -> None:
        """Alice says something in an IRC client, which hears it when the server has stored it, and sends a file from it."""
        text, room = self._flock["message by IRC"].text, self._flock["room name"].text
        file = Canaried(self._flock, IRC)
        with IrcPerson(self._directory, "alice") as alice:
            alice.say(f"PRIVMSG #{room} :From elsewhere: {text}.")
            alice.until(f"PRIVMSG #{room} :From elsewhere: {text}.")
            alice.say(f"PRIVMSG *chatserv :#{room} file {file.write(self._directory)} {file.words}")
            self._wait_for_readers(carol, called(NAME, IRC))
        self._save()

    def _second_device(self) -> None:
        """Alice makes a recovery code, and a second device by it: her backup has names of rooms, her devices have names."""
        self.code = _CODE.findall(run_client(self._directory, "alice", "--command", "/recovery"))[-1]
        written = self._directory / "code"
        write_private(written, f"{self.code}\n".encode())
        link = self._by_way_of(self._port, self._server.link())
        arguments = (link, "--user", "alice", "--recovery-file", str(written))
        run_client(self._directory, "tablet", *arguments, "--command", "/list")
        with self._running("alice"), self._running("tablet"):
            self._do("tablet", f"/devices rename {self._flock[DEVICE_NAME].text}")
            deadline = time.monotonic() + READING_SECONDS
            while DEVICE_NAME in self.unread and time.monotonic() < deadline:
                self._do("alice", "/devices")
                self._look()

    @contextmanager
    def _running(self, name: str) -> Iterator[None]:
        """A program of somebody that runs meanwhile."""
        command = client_command(self._directory, name, "--follow")
        environment = child_environment(self._directory)
        nothing = subprocess.DEVNULL
        with subprocess.Popen(
            command, cwd=self._directory, env=environment, stdin=nothing, stdout=nothing, stderr=nothing
        ) as program:
            try:
                yield
            finally:
                program.terminate()

    def _do(self, name: str, *lines: str) -> None:
        commands = [part for line in lines for part in ("--command", line)]
        printed = run_client(self._directory, name, *commands, *self._seals.get(name, ()))
        with (self._directory / f"{name}.out").open("a") as output:
            output.write(printed)

    def _wait_for_readers(self, carol: "subprocess.Popen[bytes]", *names: str) -> None:
        """Waits until these canaries came to whom they are meant for; not for ever, as `unread` tells of the others."""
        deadline = time.monotonic() + READING_SECONDS
        while time.monotonic() < deadline:
            self._look()
            if self.unread.isdisjoint(names):
                return
            if carol.poll() is not None:
                raise ProgramError(f"carol's program ended with {carol.returncode}")
            time.sleep(PACE_SECONDS)

    def _look(self) -> None:
        for reader in ("alice", "bob", "carol"):
            found = {find.canary for find in Searcher(self._flock).files(self._belongings(reader))}
            self.unread -= {name for name in found if READER.get(name, "carol") == reader}

    @property
    def stolen(self) -> tuple[Path, ...]:
        """All files of Bob's profile."""
        return tuple(file for file in (self._directory / "profiles" / "bob").rglob("*") if file.is_file())

    def _belongings(self, name: str) -> Iterable[Path]:
        """What a person's program has printed and kept."""
        kept = (self._directory / "profiles" / name).glob("client.db*")
        saved = (self._directory / "saved").glob("*") if name == "bob" else ()
        return [file for file in (*kept, *saved, self._directory / f"{name}.out") if file.exists()]
