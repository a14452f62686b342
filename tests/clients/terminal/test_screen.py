"""The interface on a terminal in memory."""

import asyncio
import os
import signal
from typing import cast

from prompt_toolkit.buffer import Buffer
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import SlashError
from clients.shared.paste import MAX_LINE_CHARACTERS
from clients.terminal.drafts import MAX_DRAFTS, Drafts
from clients.terminal.layout import INPUT_ROWS
from clients.terminal.line_history import MAX_REMEMBERED, LineHistory
from clients.terminal.screen import MAX_BATCH
from clients.terminal.styles import colour_depth
from tests.clients.terminal.drawing import COLUMNS, ROWS, Drawing, play

BRACKETED_PASTE = 2004 << 5  # as pyte counts private modes
PASTE = "\x1b[200~{}\x1b[201~"


class InterfaceTests(SynchronousTestCase):
    """`clients.terminal.screen.TerminalScreen`."""

    def test_prompt(self) -> None:
        """Prompt and bar stand below the lines; a typed line goes away with Return; at the end lines alone are left."""

        async def scene(drawing: Drawing) -> None:
            self.assertEqual(drawing.rows, ["#lobby>", "bar of 80"])
            drawing.interface.write([("", "one")])
            await drawing.keys("hello")
            self.assertEqual(drawing.rows, ["one", "#lobby> hello", "bar of 80"])
            self.assertEqual((drawing.screen.cursor.y, drawing.screen.cursor.x), (1, 13))
            await drawing.keys("\r")
            self.assertEqual(drawing.rows, ["one", "#lobby>", "bar of 80"])
            await drawing.keys("  \r")
            drawing.interface.write([("", "two")])

        drawing = play(scene)
        self.assertEqual((drawing.rows, drawing.talker.calls), (["one", "two"], ["hello"]))

    def test_left_behind_a_line(self) -> None:
        """Where a line is printed just before the end, the terminal does not go on marking what is pasted."""

        async def scene(drawing: Drawing) -> None:
            self.assertIn(BRACKETED_PASTE, drawing.screen.mode)
            drawing.interface.write([("", "the last line")])

        self.assertNotIn(BRACKETED_PASTE, play(scene).screen.mode)

    def test_notices(self) -> None:
        """What waits to be done stands above the prompt, broken at spaces, and goes when it is done."""

        async def scene(drawing: Drawing) -> None:
            drawing.talker.notes = [[("", "to do: " + "word " * 20 + "end")]]
            drawing.interface.refresh()
            await drawing.settle()
            self.assertEqual(drawing.rows[-3:], ["        word word word word word word end", "#lobby>", "bar of 80"])
            drawing.talker.notes = []
            drawing.interface.refresh()
            await drawing.settle()
            self.assertEqual(drawing.rows, ["#lobby>", "bar of 80"])

        play(scene)

    def test_secret(self) -> None:
        """What is typed for a question stands nowhere, and what was typed before it is there again."""
        answers: list[object] = []

        async def scene(drawing: Drawing) -> None:
            await drawing.keys("a draft")
            Deferred.fromCoroutine(drawing.interface.ask_secret("Password: ")).addBoth(answers.append)
            Deferred.fromCoroutine(drawing.interface.ask_secret("Another: ")).addBoth(answers.append)
            await drawing.settle()
            self.assertEqual(drawing.rows, ["Password:", "bar of 80"])
            await drawing.keys("hunterr\x7f2 \t\x1b1\x1b[A\x01" + PASTE.format("pasted\n"))
            drawing.interface.write([("", "one")])
            await drawing.settle()
            self.assertEqual(drawing.rows, ["one", "Password:", "bar of 80"])
            await drawing.keys("\r")
            self.assertEqual(drawing.rows, ["one", "#lobby> a draft", "bar of 80"])
            await drawing.keys("\x19\x1b[A\x1b[A\x12hunter")  # neither Ctrl-Y, nor the arrows, nor Ctrl-R have it
            self.assertNotIn("hunter2", drawing.wire.getvalue())
            await drawing.keys("\x03")

        drawing = play(scene)
        refused, entered = answers
        self.assertEqual(entered, "hunter2 pasted")
        self.assertIsInstance(cast(Failure, refused).value, SlashError)
        self.assertNotIn("pasted", drawing.wire.getvalue())
        self.assertEqual(drawing.talker.calls, [])

    def test_secret_not_entered(self) -> None:
        """Ctrl-C, Ctrl-D, and Return alone are no answer; so much is taken."""
        answers: list[object] = []

        async def scene(drawing: Drawing) -> None:
            for keys in ("hunter2\x03", "hunter2\x04", "\r", "hunter2\x15\r", "x" * (MAX_LINE_CHARACTERS + 1) + "\r"):
                Deferred.fromCoroutine(drawing.interface.ask_secret("Password: ")).addBoth(answers.append)
                await drawing.settle()
                await drawing.keys(keys)

        drawing = play(scene)
        *refused, most = answers
        self.assertEqual(most, "x" * MAX_LINE_CHARACTERS)
        for each in refused:
            self.assertEqual(cast(SlashError, cast(Failure, each).value).explain(), "Nothing entered.")
        self.assertEqual((len(answers), drawing.talker.calls), (5, []))

    def test_scrollback(self) -> None:
        """What scrolls away is in the terminal's own scrollback, each line once and in order."""

        async def scene(drawing: Drawing) -> None:
            for number in range(100):
                drawing.interface.write([("", f"line {number}")])
                if number % 7 == 0:
                    await drawing.settle()

        drawing = play(scene)
        history = ["".join(row[at].data for at in range(COLUMNS)).rstrip() for row in drawing.screen.history.top]
        lines = [line for line in (*history, *drawing.rows) if line.startswith("line")]
        self.assertEqual(lines, [f"line {number}" for number in range(100)])

    def test_one_write(self) -> None:
        """Lines of one turn of the reactor are one write, with the prompt below them, so that nothing flickers."""

        async def scene(drawing: Drawing) -> None:
            before = drawing.wire.writes
            for number in range(20):
                drawing.interface.write([("", f"line {number}")])
            await drawing.settle()
            self.assertEqual(drawing.wire.writes, before + 1)

        play(scene)

    def test_burst(self) -> None:
        """5,000 lines are written in batches, each once."""

        async def scene(drawing: Drawing) -> None:
            for number in range(5000):
                drawing.interface.write(
                    [("class:time", "[12:34] "), ("class:sender-1", "<bob>"), ("", f" line {number}")]
                )
                self.assertLess(len(drawing.interface._lines), MAX_BATCH)
            await drawing.settle()
            self.assertEqual(drawing.raw.count("<bob>"), 5000)
            self.assertIn("line 4999", drawing.rows[-3])

        play(scene)

    def test_waiting(self) -> None:
        """Lines of the area above the prompt come and go, and leave no gap."""

        async def scene(drawing: Drawing) -> None:
            drawing.interface.write([("", "one")])
            drawing.talker.above = [[("class:waiting", "… two")], [("class:waiting", "… " + "x" * 200)]]
            drawing.interface.refresh()
            await drawing.settle()
            rows = drawing.rows
            self.assertEqual(rows[:2] + rows[3:], ["one", "… two", "#lobby>", "bar of 80"])
            self.assertLessEqual(len(rows[2]), COLUMNS)
            drawing.talker.above = []
            drawing.interface.refresh()
            await drawing.settle()
            self.assertEqual(drawing.rows, ["one", "#lobby>", "bar of 80"])

        play(scene)

    def test_rooms(self) -> None:
        """Alt with a digit and Alt-A ask for rooms; 0 is the tenth; what is typed stays."""

        async def scene(drawing: Drawing) -> None:
            await drawing.keys("dr")
            for key in "1290aA":
                await drawing.keys(f"\x1b{key}")
            self.assertEqual(drawing.rows, ["#lobby> dr", "bar of 80"])

        self.assertEqual(play(scene).talker.calls, [1, 2, 9, 10, "active", "active"])

    def test_drafts(self) -> None:
        """What is typed stays with the room that it was typed for, with the cursor; undoing brings no other room's back."""

        async def scene(drawing: Drawing) -> None:
            async def enter(room: str) -> None:
                drawing.talker.room = room
                drawing.interface.enter(room)
                await drawing.settle()

            await enter("#lobby")
            await drawing.keys("not for bob\x02\x02\x02")
            await enter("@bob")
            self.assertEqual(drawing.rows, ["@bob>", "bar of 80"])
            await drawing.keys("\x1f")  # undo
            self.assertEqual(drawing.rows, ["@bob>", "bar of 80"])
            await drawing.keys("hi bob")
            await enter("@bob")
            self.assertEqual(drawing.rows[0], "@bob> hi bob")
            await enter("#lobby")
            await drawing.keys("X\r")
            await enter("@bob")
            await drawing.keys("\r")
            await enter("#lobby")
            self.assertEqual(drawing.rows, ["#lobby>", "bar of 80"])

        self.assertEqual(play(scene).talker.calls, ["not for Xbob", "hi bob"])

    def test_drafts_of_commands(self) -> None:
        """A command that leads elsewhere is no draft; what is typed while it is under way is for the room where it leads."""

        async def scene(drawing: Drawing) -> None:
            talker = drawing.talker

            def go(line: str) -> None:
                talker.calls.append(line)
                if line == "/room #plans":
                    talker.room = "#plans"
                    drawing.interface.enter("#plans")

            talker.line_typed = go  # type: ignore[method-assign]
            drawing.interface.enter("#plans")
            await drawing.keys("for plans")
            drawing.interface.enter("#lobby")
            await drawing.keys("/room #plans\r")
            self.assertEqual(drawing.rows[0], "#plans> for plans")
            await drawing.keys("\x15/join #garden\r")
            talker.switching = True
            await drawing.keys("ahead")
            talker.switching, talker.room = False, "#garden"
            drawing.interface.enter("#garden")
            await drawing.settle()
            self.assertEqual(drawing.rows[0], "#garden> ahead")
            talker.room = "#lobby"
            drawing.interface.enter("#lobby")
            await drawing.settle()
            self.assertEqual(drawing.rows[0], "#lobby>")

        self.assertEqual(play(scene).talker.calls, ["/room #plans", "/join #garden"])

    def test_draft_after_drawing(self) -> None:
        """The draft of a room where a command leads is shown, also where the room was drawn before it was put there."""

        async def scene(drawing: Drawing) -> None:
            drawing.talker.line_typed = lambda _: drawing.interface.enter("#plans")  # type: ignore[method-assign,assignment]
            drawing.interface.enter("#plans")
            await drawing.keys("for plans")
            drawing.interface.enter("#lobby")
            drawing.late = []
            await drawing.keys("/room #plans\r")
            (restored,) = drawing.late
            restored()
            await drawing.settle()
            self.assertEqual(drawing.rows[0], "#lobby> for plans")

        play(scene)

    def test_many_drafts(self) -> None:
        """So many rooms have one; with one more the first is gone."""
        buffer = Buffer()
        drafts = Drafts(buffer, lambda: False, lambda function: function())
        for room in range(MAX_DRAFTS + 1):
            drafts.enter(room)
            buffer.insert_text(f"for {room}")
        for room in (0, 1, MAX_DRAFTS):
            drafts.enter(room)
            self.assertEqual(buffer.text, f"for {room}" if room else "")

    def test_suspended(self) -> None:
        """Ctrl-Z takes the prompt away and gives paste back while the job stands still, and draws anew behind it."""
        stopped: list[tuple[int, int, list[str]]] = []

        async def scene(drawing: Drawing) -> None:
            pasting = 2004 << 5
            self.patch(os, "kill", lambda pid, number: stopped.append((pid, number, drawing.rows)))
            drawing.interface.write([("", "one")])
            await drawing.keys("dr")
            await drawing.keys("\x1a")
            self.assertIn("\x1b[?2004l", drawing.raw)
            self.assertIn(pasting, drawing.screen.mode)
            self.assertEqual(drawing.rows, ["one", "#lobby> dr", "bar of 80"])
            drawing.interface.write([("", "two")])
            await drawing.keys("aft")
            self.assertEqual(drawing.rows, ["one", "two", "#lobby> draft", "bar of 80"])

        play(scene)
        self.assertEqual(stopped, [(0, signal.SIGTSTP, ["one"])])

    def test_leaving(self) -> None:
        """Ctrl-D leaves where nothing is typed, or deletes; Ctrl-C clears the line, and twice on an empty one leaves."""

        async def scene(drawing: Drawing) -> None:
            await drawing.keys("ab\x02\x04")
            self.assertEqual((drawing.rows[0], drawing.talker.calls), ("#lobby> a", []))
            await drawing.keys("\x03")
            self.assertEqual((drawing.rows[0], drawing.talker.calls), ("#lobby>", []))
            await drawing.keys("\x03")
            self.assertEqual((drawing.rows[0], drawing.talker.calls), ("Press Ctrl-C again to quit.", []))
            await drawing.keys("x\x03")
            self.assertEqual(drawing.rows, ["#lobby>", "bar of 80"])
            await drawing.keys("\x03")
            await drawing.keys("\x03")
            await drawing.keys("\x04")

        self.assertEqual(play(scene).talker.calls, ["interrupted", "leave"])

    def test_history(self) -> None:
        """The arrow keys bring back what was typed, and Ctrl-R finds it."""

        async def scene(drawing: Drawing) -> None:
            for line in ("first line", "second line", "third"):
                await drawing.keys(line + "\r")
            await drawing.keys("\x1b[A\x1b[A")
            self.assertEqual(drawing.rows[0], "#lobby> second line")
            await drawing.keys("\x03")
            await drawing.keys("\x12FIR")
            self.assertEqual(drawing.rows[:2], ["#lobby> first line", "Search: FIR"])
            await drawing.keys("\r")
            await drawing.keys("\r")
            self.assertEqual(drawing.talker.calls[3:], ["first line"])
            await drawing.keys("\x12sec\x03")
            self.assertEqual(drawing.rows, ["#lobby>", "bar of 80"])

        play(scene)

    def test_completion(self) -> None:
        """Tab takes what is common, shows what there is, then goes through; a key ends it."""

        async def scene(drawing: Drawing) -> None:
            drawing.talker.words = ["bob ", "bobby "]
            await drawing.keys("hi b\t")
            self.assertEqual(drawing.rows[:2], ["#lobby> hi bob", " bob  bobby"])
            await drawing.keys("\t\t")
            self.assertEqual(drawing.rows[0], "#lobby> hi bobby")
            await drawing.keys("\x1b[Z")
            self.assertEqual(drawing.rows[0], "#lobby> hi bob")
            await drawing.keys("x")
            self.assertEqual(drawing.rows, ["#lobby> hi bob x", "bar of 80"])

        play(scene)

    def test_many_candidates(self) -> None:
        """Of many candidates a few are shown at a time, the others are counted."""

        async def scene(drawing: Drawing) -> None:
            drawing.talker.words = [f"u{number:02}" for number in range(20)]
            await drawing.keys("u\t")
            self.assertEqual(drawing.rows[1], " u00  u01  u02  u03  u04  u05  u06  u07  +12")
            await drawing.keys("\t" * 9)
            self.assertTrue(drawing.rows[1].startswith(" u08  u09"))

        play(scene)

    def test_paste(self) -> None:
        """What is pasted stands in the line, or in lines, where it can be changed; Return sends it as one message."""

        async def scene(drawing: Drawing) -> None:
            await drawing.keys("a" + PASTE.format("b\n") + "c")
            self.assertEqual(drawing.rows[0], "#lobby> abc")
            await drawing.keys(PASTE.format("1\r\r\t2\r/quit"))
            self.assertEqual(
                drawing.rows,
                [
                    "4 lines: Return sends them as one message", "#lobby> abc1", "│", "│     2", "│ /quit", "bar of 80"
                ],
            )  # fmt: skip
            await drawing.keys("!\x1b[A\x7f3")  # up, and another letter in the place of the 2
            self.assertEqual(drawing.talker.calls, [])
            await drawing.keys("\r")
            self.assertEqual(drawing.rows, ["#lobby>", "bar of 80"])
            await drawing.keys(PASTE.format("/quit\ry"))
            self.assertEqual(drawing.rows[1:3], ["#lobby> //quit", "│ y"])
            await drawing.keys("\x03")
            self.assertEqual(drawing.rows, ["#lobby>", "bar of 80"])

        self.assertEqual(play(scene).talker.calls, ["abc1\n\n\t3\n/quit!"])

    def test_paste_too_long(self) -> None:
        """Of what is too long for a message nothing is taken, and what was typed before stays; it is said why."""

        async def scene(drawing: Drawing) -> None:
            await drawing.keys("draft" + PASTE.format("x\r" * MAX_LINE_CHARACTERS))
            self.assertIn("too long for a message", drawing.rows[0])
            self.assertEqual(drawing.rows[1], "#lobby> draft")
            await drawing.keys("s\r")

        self.assertEqual(play(scene).talker.calls, ["drafts"])

    def test_several_lines(self) -> None:
        """Alt with Return, or Escape and Return, goes on in another line; on a narrow screen too; Up brings all back."""

        async def scene(drawing: Drawing) -> None:
            drawing.columns = 30
            drawing.interface.app.renderer.erase()
            await drawing.keys("one\x1b\r" + "two " * 10 + "\x1b\nthree")
            rows = drawing.rows
            self.assertEqual(rows[0], "3 lines: Return sends them as")
            self.assertEqual(rows[1:3], ["#lobby> one", "│ two" + " two" * 6])
            self.assertEqual(rows[-2:], ["│ three", "bar of 30"])
            await drawing.keys("\r")
            await drawing.keys("next\r")
            await drawing.keys("\x1b[A\x1b[A")
            self.assertEqual(drawing.rows[-2], "│ three")
            await drawing.keys("!\x1b[A\x1b[A\x1b[A")  # past its first line: what was typed before it
            self.assertEqual(drawing.rows[1], "#lobby> one")
            await drawing.keys("\x1b[B\x1b[B\x1b[B\r")

        text = "one\n" + "two " * 10 + "\nthree"
        self.assertEqual(play(scene).talker.calls[:2], [text, "next"])

    def test_draft_of_several_lines(self) -> None:
        """It stays with its room whole."""

        async def scene(drawing: Drawing) -> None:
            drawing.interface.enter("#lobby")
            await drawing.keys("one\x1b\rtwo")
            drawing.interface.enter("@bob")
            await drawing.settle()
            self.assertEqual(drawing.rows, ["#lobby>", "bar of 80"])
            drawing.interface.enter("#lobby")
            await drawing.settle()
            await drawing.keys("!\r")

        self.assertEqual(play(scene).talker.calls, ["one\ntwo!"])

    def test_given_back(self) -> None:
        """What was refused stands where it was typed, but not in the place of what is typed by then."""

        async def scene(drawing: Drawing) -> None:
            drawing.talker.line_typed = drawing.interface.give_back  # type: ignore[method-assign,assignment]
            await drawing.keys("one\x1b\rtwo\r")
            self.assertEqual(drawing.rows[1:3], ["#lobby> one", "│ two"])
            await drawing.keys("\x03new")
            drawing.interface.give_back("old")
            await drawing.settle()
            self.assertEqual(drawing.rows[0], "#lobby> new")

        play(scene)

    def test_completion_in_lines(self) -> None:
        """Tab completes the word at the cursor in whichever line it stands."""

        async def scene(drawing: Drawing) -> None:
            drawing.talker.words = ["bobby "]
            await drawing.keys("one\x1b\rb\t\r")

        self.assertEqual(play(scene).talker.calls, ["one\nbobby "])

    def test_forged_lines(self) -> None:
        """However a line is padded, only its own beginning stands at the left edge; a link stays in one piece."""
        link = "chatserv://chat.example:5000/?invite=" + "A" * 52 + "#" + "B" * 52

        async def scene(drawing: Drawing) -> None:
            for filler in (" ", ".", "\u2003"):
                forged = f"[08:53] <bob> ok{filler * 64}[12:00]{filler}<alice>{filler}yes, send it"
                drawing.interface.write([("class:time", forged[:8]), ("", forged[8:])])
            drawing.interface.write([("class:link", link)])
            await drawing.keys("")
            *said, first, second, _, _ = drawing.rows
            self.assertEqual([row[:8] for row in said if row[:8] != " " * 8], ["[08:53] "] * 3)
            self.assertGreaterEqual(len(said), 6)
            self.assertEqual(first + second, link)

        play(scene)

    def test_paste_stays_on(self) -> None:
        """A paste is told from typing even while lines are printed; at the end the terminal is as it was."""

        async def scene(drawing: Drawing) -> None:
            for _ in range(3):
                drawing.interface.write([("", "x")])
                await drawing.settle()
            self.assertNotIn("\x1b[?2004l", drawing.raw)
            self.assertIn(2004 << 5, drawing.screen.mode)

        drawing = play(scene)
        self.assertNotIn(2004 << 5, drawing.screen.mode)
        self.assertFalse(drawing.screen.cursor.hidden)

    def test_long_lines(self) -> None:
        """A long line goes on indented; a long typed one takes some rows and no more."""

        async def scene(drawing: Drawing) -> None:
            drawing.interface.write([("", "x" * 100)])
            await drawing.keys("y" * 1000)
            self.assertEqual(drawing.rows[:2], ["x" * 80, " " * 8 + "x" * 20])
            self.assertEqual(len(drawing.rows), 2 + INPUT_ROWS + 1)
            self.assertLess(len(drawing.rows), ROWS)

        play(scene)

    def test_too_long(self) -> None:
        """A line holds as many characters as a message may have, and none more."""

        async def scene(drawing: Drawing) -> None:
            await drawing.keys("y" * MAX_LINE_CHARACTERS)
            self.assertNotIn("too long", drawing.rows[0])
            await drawing.keys("z")
            self.assertIn("too long", drawing.rows[0])
            await drawing.keys("\r")

        self.assertEqual(play(scene).talker.calls, ["y" * MAX_LINE_CHARACTERS])

    def test_colours(self) -> None:
        """Colours go where ``NO_COLOR`` has a value; what is said stays."""

        async def scene(drawing: Drawing) -> None:
            drawing.interface.write([("class:sender-1", "<bob>"), ("class:code", "██")])
            await drawing.settle()
            self.assertIn("<bob>██", drawing.rows)

        self.assertRegex(play(scene).raw, r"\x1b\[[0-9;]*38;5;")
        without = play(scene, colour_depth({"NO_COLOR": "1"})).raw
        self.assertNotRegex(without, r"\x1b\[[0-9;]*[34][0-8]")
        self.assertIsNone(colour_depth({"NO_COLOR": ""}))

    def test_bell(self) -> None:
        """It rings when it is told to, and not any more after the end."""

        async def scene(drawing: Drawing) -> None:
            drawing.interface.bell()
            await drawing.settle()
            await drawing.leave()
            drawing.interface.bell()
            drawing.interface.write([("", "late")])
            drawing.interface.refresh()
            await asyncio.sleep(0.01)

        drawing = play(scene)
        self.assertEqual((drawing.raw.count("\a"), drawing.rows), (1, []))

    def test_terminal_gone(self) -> None:
        """A terminal that is closed ends the talk."""

        async def scene(drawing: Drawing) -> None:
            drawing._input.close()
            await drawing.settle()

        (error,) = play(scene).talker.calls
        self.assertIsInstance(error, EOFError)

    def test_remembered(self) -> None:
        """So many lines are remembered, the last ones."""
        kept = LineHistory()
        for number in range(MAX_REMEMBERED + 1):
            kept.append_string(str(number))

        async def loaded() -> list[str]:
            return [line async for line in kept.load()]

        self.assertEqual(kept.get_strings(), [str(number) for number in range(1, MAX_REMEMBERED + 1)])
        self.assertEqual(asyncio.run(loaded()), kept.get_strings()[::-1])
