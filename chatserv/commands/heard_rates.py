"""What somebody has done on other nodes counts here too: commits, joins, and turns in rooms with slow mode.

Handlers count what is asked of this node, also what comes to nothing; what others have stored is counted as it is delivered.
"""

from collections.abc import Sequence
from typing import Final

from chatserv.commands.context import Context
from chatserv.crypto.room_state import Role
from chatserv.models import CommitDraft, Event

MAX_OWN: Final = 10_000  # events of this node that are stored and not delivered yet; of one more, it is counted twice


class HeardRates:
    """Counts. It has to hear of events before the rooms do.

    Args:
        context: The world of the commands.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._own: dict[tuple[bytes, int], None] = {}

    def own(self, events: Sequence[Event]) -> None:
        """These are this node's."""
        self._own.update(((event.room_id, event.seq), None) for event in events)
        while len(self._own) > MAX_OWN:
            del self._own[next(iter(self._own))]

    def deliver(self, events: Sequence[Event]) -> None:
        """They are about to be delivered."""
        for event in events:
            key = event.room_id, event.seq
            if key in self._own:
                del self._own[key]
            elif event.change is not None:
                self._count_commit(event.change)
            else:
                self._count_message(event)

    def _count_commit(self, change: CommitDraft) -> None:
        context, record = self._context, self._context.registry.get(change.room_id)
        context.rates.commits.take((change.device_id, change.room_id))
        if record is not None and record.state.member(change.sender) is None:
            context.rates.joins.take((change.account_id, change.room_id))

    def _count_message(self, event: Event) -> None:
        record = self._context.registry.get(event.room_id)
        if record is not None and record.state.policy.slow_seconds and record.role(event.sender) == Role.MEMBER:
            self._context.rates.messages.take((event.room_id, event.sender))
