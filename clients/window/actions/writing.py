"""What a person types or pastes: where it goes."""

import re
from collections.abc import Sequence
from typing import Final

from chatserv.client import translate
from clients.shared.paste import pasted_text
from clients.window.actions.registry import PersonActions
from clients.window.dialogs.dialog import tell
from clients.window.timeline.entries import LOUD

VERIFY: Final = re.compile(r"\s*/verify\s+@?(\S+)\s*")
_ENDS: Final = frozenset({"/quit", "/exit"})


class Writing:
    """Takes lines to the room that a person sees, or nowhere.

    Args:
        actions: What lines may be besides messages and commands.
    """

    def __init__(self, actions: PersonActions) -> None:
        self._actions, self._doing, self._context = actions, actions.doing, actions.doing.context

    def _refuse(self, why: str) -> None:
        self._doing.presenter.say(why, style=LOUD)

    def send(self, line: str) -> bool:
        """Sends a line, or obeys it; says whether it was taken. One that is not stays where it was typed."""
        talk = self._context.talk
        if talk is None or self._context.client is None:
            self._refuse(translate("Not connected: nothing was sent."))
            return False
        if talk.waits and line.strip() not in _ENDS:
            self._refuse(translate("A command that may switch rooms is still running: nothing was sent."))
            return False
        self._doing.presenter.newest()
        taken = self._actions.messages.send_as_wanted(line)
        if taken is not False:
            self._context.layout.chat.go_to_end()
        if taken is not None:
            return taken
        asked = VERIFY.fullmatch(line)
        if asked is not None:
            self._actions.people.verify(asked[1])  # a dialog shows the code better than lines do
        else:
            talk.line_typed(line)
        return True

    def paste(self, data: str, before: str, after: str) -> str:
        """What goes into the field of what was pasted; where that is nothing, it is said why."""
        found = pasted_text(data, before, after)
        if found.refusal:
            tell(self._context.root, translate("Paste"), found.refusal)
        return found.text

    def complete(self, prefix: str) -> Sequence[str]:
        """What a line that begins so may become."""
        talk = self._context.talk
        return [] if talk is None or self._context.client is None else talk.slash.complete(prefix)
