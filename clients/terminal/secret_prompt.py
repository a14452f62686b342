"""Asks for something secret: what is typed stands nowhere, neither on the screen nor among the lines of before."""

from collections.abc import Callable

from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import ConditionalContainer, Dimension, FormattedTextControl, Window
from twisted.internet.defer import Deferred

from chatserv.client import SlashError, translate
from clients.shared.paste import MAX_LINE_CHARACTERS
from clients.terminal.areas import pieces

QUESTION_ROWS = 5


class SecretPrompt:
    """A prompt of its own, without the line editor: that would keep what is erased, for Ctrl-Y.

    Args:
        changed: Is called where a question begins, and where it is over.

    Attributes:
        container: The part of the screen.
        window: What the keys go to while it asks.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._question, self._typed = "", ""
        self._answer: Deferred[str] | None = None
        control = FormattedTextControl(
            lambda: pieces([("class:question", self._question)]), focusable=True, key_bindings=self._bindings()
        )
        height = Dimension(min=1, max=QUESTION_ROWS)
        self.window = Window(control, height=height, wrap_lines=True, dont_extend_height=True)
        self.container = ConditionalContainer(self.window, filter=Condition(lambda: self.asking))

    @property
    def asking(self) -> bool:
        """Whether a question waits."""
        return self._answer is not None

    async def ask(self, question: str) -> str:
        """What the person enters; Ctrl-C, Ctrl-D or nothing at all is no answer.

        Args:
            question: What is asked, clean.

        Raises:
            SlashError: Nothing was entered, or another question waits.
        """
        if self._answer is not None:
            raise SlashError(translate("Answer the question before this one first."))
        answer: Deferred[str] = Deferred()
        self._question, self._typed, self._answer = question, "", answer
        self._changed()
        entered = await answer
        if not entered:
            raise SlashError(translate("Nothing entered."))
        return entered

    def _over(self, entered: str) -> None:
        answer, self._answer = self._answer, None
        self._question = self._typed = ""
        self._changed()
        if answer is not None:
            answer.callback(entered)

    def _type(self, text: str) -> None:
        self._typed = (self._typed + text)[:MAX_LINE_CHARACTERS]

    def _bindings(self) -> KeyBindings:
        made = KeyBindings()

        @made.add(Keys.Any)
        def _typed(event: KeyPressEvent) -> None:
            if len(event.key_sequence[0].key) == 1:
                self._type(event.data)

        @made.add("escape", Keys.Any)
        def _with_alt(_event: KeyPressEvent) -> None:
            """Nothing: the key alone would be typed otherwise."""

        @made.add(Keys.BracketedPaste)
        def _pasted(event: KeyPressEvent) -> None:
            self._type("".join(event.data.splitlines()[:1]))

        @made.add("backspace")
        def _erased(_event: KeyPressEvent) -> None:
            self._typed = self._typed[:-1]

        @made.add("c-u")
        def _cleared(_event: KeyPressEvent) -> None:
            self._typed = ""

        @made.add("enter")
        def _entered(_event: KeyPressEvent) -> None:
            self._over(self._typed)

        @made.add("c-c")
        @made.add("c-d")
        def _left(_event: KeyPressEvent) -> None:
            self._over("")

        return made
