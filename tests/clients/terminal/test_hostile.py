"""What others say cannot do anything to the terminal: the real renderer, compared on a screen with harmless texts."""

import asyncio
import io
import re
import sys
from collections.abc import Callable
from typing import Any, Final, cast

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Alarm, Client, Profile, WaitingMessage, clean_line
from chatserv.client.events import (
    Announced,
    Reacted,
    RoomChanged,
    RoomOffered,
    RoomTitled,
    SendFailed,
    Status,
    StatusChanged,
)
from chatserv.errors import Muted
from clients.shared.arguments import parse_arguments
from clients.terminal.conversation import Conversation
from tests.client.slash_fakes import message
from tests.clients.program_fakes import StartedClient
from tests.clients.terminal.drawing import Drawing, drawn

CORPUS: Final = (
    "\x1b[2J\x1b[H",  # clears
    "\x1b[10;10Hhere\x1b[5A\x1b[3D",  # moves
    "\x1b]0;title\x07\x1b]2;title\x1b\\",  # titles
    "\x1b]1;icon\x07",
    "\x1b]52;c;aGVsbG8=\x07",  # the clipboard
    "\x1b]8;;http://x/\x07link\x1b]8;;\x07",  # links
    "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004l",  # modes
    "\x1bc\x1b7\x1b8\x1bD\x1bM\x1bE\x1b#8",  # reset, save, scroll, fill
    "\x1b(0lqqk\x0e\x0f",  # other character sets
    "\x1bP+q544e\x1b\\\x1b_x\x1b\\\x1b^y\x1b\\\x1bX",  # DCS, APC, PM, SOS
    "\x1b[6n\x1b[c\x1b[>c\x1b[5i\x05",  # asks for answers, prints
    "\x1b[31;1mred\x1b[0m",
    "\x9b2J\x9b31m\x9d0;title\x9c\x90\x98\x9e\x9f\x84\x85\x8d",  # C1
    "\u202eevil\u202c\u2066x\u2069\u200f\u200e",  # bidi
    "a\u200bb\u200cc\u200dd\ufeffe\u2060",  # zero width
    "Z" + "\u0300\u0316\u0489" * 300,  # combining
    "\u0300leading",
    "\ud800lone\udfff",
    "👩\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 🇪🇸" * 10,
    "部屋" * 60,
    "a\tb\tc\x0b\x0c\x08\x08\x08\x7f\x00",
    "one\ntwo\r\nthree\rfour\x85five\u2028six\u2029seven",
    "\r\x1b[K[00:00] <admin> forged\n[00:00] <admin> forged",
    "שלום \u202b abc",
    "%s {0} {user} \\x1b",
    "[ZeroWidthEscape]\x1b]0;x\x07 class:code fg:red",
    "x" * 8000,
    "\x1b" * 8000,
    "\a\a\a",
)
# All that prompt-toolkit and we may write; see SteadyOutput and Vt100_Output.
ALLOWED: Final = re.compile(r"\x1b\[(\?(1|7|12|25|2004)[hl]|[0-9;]*m|[0-9]*[ABCDJK])|[\r\n\b]")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
Tell = Callable[["Scene", str], None]


class Scene:
    """A conversation of alice on a terminal in memory.

    Args:
        drawing: The terminal.
    """

    def __init__(self, drawing: Drawing) -> None:
        self.drawing, self.reactor = drawing, MemoryReactorClock()
        self.seq = 0
        scene = self

        class Told(StartedClient):
            """Hands itself to the scene."""

            def start(self, token: bytes | None = None) -> None:
                """Connects."""
                super().start(token)
                scene.client = self
                self.tell(StatusChanged(Status.ONLINE))

        self.client: StartedClient
        self.conversation = Conversation(
            self.reactor,
            parse_arguments(["--notify", "none"]),
            cast(Profile, None),
            drawing.open,
            cast(type[Client], Told),
        )

    def say(self, said: str = "x", **fields: Any) -> None:
        """A message comes."""
        self.seq += 1
        self.client.tell(message(self.seq, said, **fields))


def text(scene: Scene, said: str) -> None:
    """Is said."""
    scene.say(said)
    scene.say(said, action=True, mentioned=True)


def sender(scene: Scene, said: str) -> None:
    """Says it."""
    scene.say(sender=said)
    scene.say(sender=said, action=True)


def quoted(scene: Scene, said: str) -> None:
    """Is answered."""
    scene.client.there["lobby"].kept = [message(1, said, said)]
    scene.say("yes", reply_to=b"\1" * 16)


def topic(scene: Scene, said: str) -> None:
    """Is what a room is about."""
    scene.client.tell(RoomTitled("lobby", "lobby", said, said))
    scene.client.there["plans"].topic = said
    scene.conversation.room_wanted(2)
    scene.conversation.room_wanted(1)
    scene.conversation.line_typed("/topic")


def reaction(scene: Scene, said: str) -> None:
    """Is put to a message."""
    scene.client.there["lobby"].kept = [message(1, said)]
    scene.client.tell(Reacted("lobby", b"\1" * 16, said, said, on=True))


def announcement(scene: Scene, said: str) -> None:
    """Is announced."""
    scene.client.tell(Announced(said, 0))


def error(scene: Scene, said: str) -> None:
    """Stands in an error, an alarm or a refusal."""
    scene.client.tell(Alarm("log_forked", said))
    scene.client.tell(Alarm(said, said))
    scene.client.tell(SendFailed(b"\3" * 16, Muted(said)))


def people(scene: Scene, said: str) -> None:
    """Is the name of somebody who comes, and of a room that is offered."""
    scene.client.tell(RoomChanged("lobby", said, (("joined", (said,)), ("kicked", (said, "bob")))))
    scene.client.tell(RoomOffered(said, said))
    scene.client.tell(RoomOffered(f"@{said}", said))


def room(scene: Scene, said: str) -> None:
    """Is the name of a room: in the bar, in the prompt, in a header and in notices."""
    scene.client.add(said)
    scene.conversation._look()
    scene.say(room=said, mentioned=True)
    number = scene.conversation._rooms.number(said)
    assert number is not None
    scene.conversation.room_wanted(number)


def back(scene: Scene, said: str) -> None:
    """The room goes again."""
    del scene.client.there[said]
    scene.conversation._look()


def own(scene: Scene, said: str) -> None:
    """Waits above the prompt, having been pasted and not sent."""
    scene.client.there["lobby"].texts = [WaitingMessage(b"x" * 16, said, False, None, 0, "failed", Muted(said))]
    scene.conversation._screen.refresh()


def clean_lines(said: str) -> str:
    """Each line by itself."""
    return "\n".join(clean_line(line.expandtabs(4)) for line in re.split("\r?\n", said))


def snapshot(drawing: Drawing) -> tuple[object, ...]:
    """All that a terminal shows and knows."""
    screen = drawing.screen
    cells = tuple(
        tuple((screen.buffer[y][x].data, screen.buffer[y][x].fg, screen.buffer[y][x].reverse) for x in range(80))
        for y in range(24)
    )
    modes = tuple(sorted(screen.mode))
    cursor = (screen.cursor.x, screen.cursor.y, screen.cursor.hidden)
    return screen.title, screen.icon_name, modes, cursor, screen.charset, screen.margins, cells


class HostileTests(SynchronousTestCase):
    """Texts of others on the way to the screen."""

    def setUp(self) -> None:
        """Nobody reads standard error."""
        self.patch(sys, "stderr", io.StringIO())

    def play(self, tell: Tell, texts: list[str], undo: Tell | None) -> tuple[list[tuple[object, ...]], str]:
        """What the terminal shows after each text, and all that was written to it."""
        seen = []

        async def whole(drawing: Drawing) -> None:
            scene = Scene(drawing)
            scene.conversation.start(None)
            await drawing.settle()
            for said in texts:
                tell(scene, said)
                scene.reactor.advance(10)
                await drawing.settle()
                seen.append(snapshot(drawing))
                if undo is not None:
                    undo(scene, said)
            await drawing.leave()
            await asyncio.sleep(0)

        return seen, drawn(whole).raw

    def check(self, tell: Tell, undo: Tell | None = None, clean: Callable[[str], str] = clean_line) -> None:
        """The screen is as if the harmless text had been said, and nothing but what we write ourselves was written."""
        harmless = [clean(said) for said in CORPUS]
        hostile_seen, raw = self.play(tell, list(CORPUS), undo)
        harmless_seen, expected = self.play(tell, harmless, undo)
        for said, got, wanted in zip(CORPUS, hostile_seen, harmless_seen, strict=True):
            self.assertEqual(got, wanted, ascii(said)[:60])
        for written in (raw, expected):
            self.assertEqual(CONTROL.findall(ALLOWED.sub("", written)), [])
        self.assertEqual(len(set(map(str, hostile_seen))), len(CORPUS))

    def test_text(self) -> None:
        """As a message, whose lines stay lines."""
        self.check(text, clean=clean_lines)

    def test_sender(self) -> None:
        """As a name."""
        self.check(sender)

    def test_quoted(self) -> None:
        """As what is answered."""
        self.check(quoted)

    def test_topic(self) -> None:
        """As a topic."""
        self.check(topic)

    def test_reaction(self) -> None:
        """As a reaction."""
        self.check(reaction)

    def test_announcement(self) -> None:
        """As an announcement."""
        self.check(announcement)

    def test_error(self) -> None:
        """As the detail of an error."""
        self.check(error)

    def test_people(self) -> None:
        """As the name of who comes and goes."""
        self.check(people)

    def test_room(self) -> None:
        """As the name of a room."""
        self.check(room, back)

    def test_own(self) -> None:
        """As a message of ours that waits."""
        self.check(own)

    def test_detector(self) -> None:
        """The comparison sees what a terminal obeys."""

        async def whole(drawing: Drawing) -> None:
            drawing.wire.write("\x1b]2;title\x07")
            self.assertEqual(snapshot(drawing)[0], "title")

        raw = drawn(whole).raw
        self.assertEqual(CONTROL.findall(ALLOWED.sub("", raw)), ["\x1b", "\x07"])
