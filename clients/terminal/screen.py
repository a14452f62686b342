"""The screen of a person: lines go into the terminal's own scrollback; below them stands the prompt."""

import asyncio
import os
import signal
from collections.abc import Callable, Hashable
from typing import Final

from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.widgets import SearchToolbar
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from chatserv.client import is_blank, translate
from clients.shared.paste import MAX_LINE_CHARACTERS, pasted_text
from clients.shared.wrapping import LEAST_COLUMNS
from clients.terminal.areas import pieces
from clients.terminal.completion import Completion
from clients.terminal.drafts import Drafts
from clients.terminal.layout import Areas, lay_out
from clients.terminal.line_history import LineHistory
from clients.terminal.protocols import Talker
from clients.terminal.resizing import ResizableApplication
from clients.terminal.secret_prompt import SecretPrompt
from clients.terminal.steady_output import SteadyOutput
from clients.terminal.styled_lines import Line, fitted
from clients.terminal.styles import STYLE

MAX_BATCH: Final = 500  # lines that are written together


class TerminalScreen:
    """Draws, and takes keys.

    Args:
        talker: Does what is asked for.
        input: Where keys come from.
        output: The terminal.
        later: Calls a function in the next turn of the reactor.
        bindings: Says which key does what.
        depth: How many colours; by default what the terminal's kind has.
        breaks: Whether the terminal breaks rows anew when it gets narrower.
    """

    def __init__(
        self,
        talker: Talker,
        input: Input,  # noqa: A002 - prompt-toolkit's word
        output: SteadyOutput,
        later: Callable[[Callable[[], None]], object],
        bindings: "Callable[[TerminalScreen], KeyBindings]",
        depth: ColorDepth | None = None,
        *,
        breaks: bool = True,
    ) -> None:
        self._talker, self._output, self._later = talker, output, later
        self._lines: list[Line] = []
        self._flushing = self._left = False
        self._over: Deferred[None] | None = None
        self._hint = ""
        self._completion = Completion(talker.candidates)
        self._secret = SecretPrompt(self._focus)
        self._buffer = Buffer(
            multiline=False, history=LineHistory(), accept_handler=self._accept, on_text_changed=self._changed
        )
        self._drafts = Drafts(self._buffer, lambda: talker.switching, self._next)
        self._search = SearchToolbar(
            forward_search_prompt=lambda: translate("Search forward: "),
            backward_search_prompt=lambda: translate("Search: "),
            ignore_case=True,
        )
        layout, self._typed = lay_out(talker, self._buffer, self._search, self._secret, self._areas())
        self.app = ResizableApplication(
            breaks=breaks,
            layout=layout,
            key_bindings=bindings(self),
            style=STYLE,
            color_depth=depth,
            input=input,
            output=output,
            erase_when_done=True,
            after_render=self._rendered,
        )
        self.app.ttimeoutlen = 0.1

    def _areas(self) -> Areas:
        bar = lambda: [self._talker.bar(self._output.get_size().columns)]  # noqa: E731 - as the others, and it has no name
        return Areas(self._notices, self._question, self._completion.shown, bar)

    def _notices(self) -> list[Line]:
        width = max(self._output.get_size().columns, LEAST_COLUMNS)
        return [row for line in self._talker.notices() for row in fitted(line, width)]

    def _question(self) -> list[Line]:
        lines, text = self._buffer.document.line_count, self._hint
        if not text and lines > 1:
            text = translate("{count} lines: Return sends them as one message").format(count=lines)
        return [[("class:question", text)]] if text else []

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Draws from now on."""
        running = asyncio.ensure_future(self.app.run_async(handle_sigint=False, set_exception_handler=False))
        self._over = Deferred.fromFuture(running)
        self._over.addErrback(self._broken)

    def _broken(self, failure: Failure) -> None:
        self._left = True
        self._output.leave()
        self._talker.broken(failure.value)

    def leave(self) -> "Deferred[None]":
        """Takes the prompt away, and gives the terminal back as it was."""
        self._flush()
        self._left = True
        self._output.leave()
        if self.app.is_running and not self.app.is_done:
            self.app.exit()
        return succeed(None) if self._over is None else self._over

    # -- lines ---------------------------------------------------------------------------------------------------------

    def write(self, line: Line) -> None:
        """Prints a line above the prompt, together with all others of this turn of the reactor."""
        self._lines.append(line)
        if len(self._lines) >= MAX_BATCH:
            self._flush()
        elif not self._flushing:
            self._flushing = True
            self._later(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        lines, self._lines = self._lines, []
        if not lines or self._left:
            return
        if self.app.is_running:
            self._make_room()
        text: StyleAndTextTuples = []
        width = max(self._output.get_size().columns, LEAST_COLUMNS)
        for row in (row for line in lines for row in fitted(line, width)):
            text += [*pieces(row), ("", "\n")]
        print_formatted_text(self._output, text, STYLE, color_depth=self.app.color_depth)
        self.app.invalidate()

    def _make_room(self) -> None:
        """Takes the prompt away until it is drawn again; the terminal sees both at once."""
        self._output.hold()
        self.app.renderer.erase(leave_alternate_screen=False)

    def _rendered(self, app: "Application[None]") -> None:
        screen, size = app.renderer.last_rendered_screen, self._output.get_size()
        wanted = app.layout.container.preferred_height(size.columns, size.rows).preferred
        if screen is not None and screen.height > max(wanted, 1):  # it would not get smaller by itself
            self._make_room()
            app.invalidate()
        else:
            self._output.release()

    def _next(self, change: Callable[[], None]) -> None:
        """Changes the line in the next turn, and draws it: what was to be drawn meanwhile may have been drawn before."""

        def changed() -> None:
            change()
            self.refresh()

        self._later(changed)

    def refresh(self) -> None:
        """Something around the prompt has changed."""
        if not self._left:
            self.app.invalidate()

    def bell(self) -> None:
        """Rings."""
        if not self._left:
            self._output.bell()

    # -- rooms ---------------------------------------------------------------------------------------------------------

    def enter(self, room: Hashable) -> None:
        """Another room is the current one, with a line of its own."""
        self._drafts.enter(room)
        self._hint = ""
        self._completion.forget()
        self.refresh()

    # -- what keys do (clients.terminal.key_bindings) ------------------------------------------------------------------

    @property
    def secret(self) -> bool:
        """Whether something secret is asked for."""
        return self._secret.asking

    async def ask_secret(self, question: str) -> str:
        """Asks for something that stands nowhere; what was typed before stays. Raises `SlashError`."""
        return await self._secret.ask(question)

    def _focus(self) -> None:
        self.app.layout.focus(self._secret.window if self._secret.asking else self._typed)
        self.refresh()

    @property
    def empty(self) -> bool:
        """Whether nothing is typed."""
        return not self._buffer.text

    def break_line(self) -> None:
        """Alt-Return: what is typed goes on in another line."""
        self._buffer.insert_text("\n")

    def paste(self, data: str) -> None:
        """Text was pasted: it stands in the line, or in lines, and Return sends it as one message."""
        document = self._buffer.document
        found = pasted_text(data, document.text_before_cursor, document.text_after_cursor)
        self._buffer.insert_text(found.text)
        self._hint = found.refusal

    def give_back(self, text: str) -> None:
        """What was sent is refused and can be changed: it stands where it was typed, if nothing else does by now."""
        self._next(lambda: self._drafts.put(Document(text)) if self.empty else None)

    def clear_line(self) -> None:
        """Ctrl-C: the line goes; where it is empty, the second time ends the talk."""
        said = translate("Press Ctrl-C again to quit.")
        if not self.empty:
            self._drafts.put()
        elif self._hint == said:
            self._talker.interrupted()
        else:
            self._hint = said

    def complete(self, step: int) -> None:
        """The Tab key."""
        before = self._buffer.document.text_before_cursor
        after = self._buffer.document.text_after_cursor
        line = before.rpartition("\n")[2]
        made = before[: len(before) - len(line)] + self._completion.tab(line, step)
        kept, index = self._completion.candidates, self._completion.index
        if made != before:
            self._buffer.set_document(self._buffer.document.__class__(made + after, len(made)))
        self._completion.candidates, self._completion.index = kept, index

    def go(self, number: int) -> None:
        """Alt with a digit."""
        self._talker.room_wanted(number)

    def go_active(self) -> None:
        """Alt-A."""
        self._talker.active_room_wanted()

    def suspend(self) -> None:
        """Ctrl-Z: the shell has the terminal until it gives it back; then everything is drawn anew."""
        self._flush()
        self._output.leave()
        # The whole job, as the terminal itself would (termios(3), SUSP); nothing where no shell could wake it.
        stopping = asyncio.ensure_future(run_in_terminal(lambda: os.kill(0, signal.SIGTSTP)))
        stopping.add_done_callback(lambda _done: self._output.come_back())

    def leave_asked(self) -> None:
        """Ctrl-D."""
        self._talker.leave()

    def _changed(self, buffer: Buffer) -> None:
        self._hint = ""
        self._drafts.changed()
        if len(buffer.text) > MAX_LINE_CHARACTERS:  # what is pasted where the terminal does not say that it is
            buffer.text = buffer.text[:MAX_LINE_CHARACTERS]
            self._hint = translate("The line is too long; what was too much is gone.")
        self._completion.candidates, self._completion.index = [], None

    def _accept(self, buffer: Buffer) -> bool:  # noqa: ARG002 - prompt-toolkit's signature
        self._completion.forget()
        self._drafts.accept(self._take)
        return False

    def _take(self, line: str) -> None:
        if not is_blank(line):
            self._talker.line_typed(line)
