"""When the store is asked what is missing: while the bus is away, when it comes back, and while a node is not heard.

A node that is not heard any more may have died between a commit and what it says of it; or it lives, and the servers of the
bus do not hear each other. So the store is asked as if there were no bus, until it is heard or that was long enough.

Else the store is asked seldom: what the bus loses in between is seen by the numbers of what comes next, or by those in the
beats that each node sends once a second. Once in a while it is asked all the same: whoever reaches the bus can keep messages
back and say old beats again, and two nodes may have been given two buses. Pure: time and timers come in.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from chatserv.commands.effects import Effects, Timer
from chatserv.errors import WireError

MISSING_SECONDS: Final = 2.5  # without a beat: the node may have died, or be cut off
MISSED_SECONDS: Final = 600.0  # that the store is asked for one that has not said that it leaves
LOOK_SECONDS: Final = 0.25  # the least time from one look at the beats to the next
RETRY_SECONDS: Final = 0.5  # after a poll that the store refused
QUIET_SECONDS: Final = 30.0  # without a poll
MAX_NODES: Final = 256  # whose beats are followed
STRANGERS: Final = b""  # in the place of a node's id: those of another version
STRANGE_SECONDS: Final = 10.0  # that the store is asked for them, from the last thing on that they have said


class Polling:
    """Asks when it is time, one poll after the other.

    Args:
        effects: Time, timers, and who runs a poll.
        poll: Asks and reads; raises `WireError` where the store cannot be asked, and is called again then.
        seconds: From one poll to the next while the bus is away, asked each time.
    """

    def __init__(self, effects: Effects, poll: Callable[[], Awaitable[None]], seconds: Callable[[], float]) -> None:
        self._effects, self._poll, self._seconds = effects, poll, seconds
        self._away = True
        self._asked_at = effects.awake()
        self._nodes: dict[bytes, tuple[float, bool]] = {}  # when it was heard, and whether it leaves
        self._missed: dict[bytes, float] = {}  # since when
        self._polling = self._again = self._stopped = False
        self._next: Timer | None = None
        self._look: Timer | None = None

    def start(self) -> None:
        """From now on; the bus is away until `bus_back`."""
        self._look_at_nodes()
        self.ask()

    def stop(self) -> None:
        """Nothing more is asked."""
        self._stopped = True
        for timer in (self._next, self._look):
            if timer is not None:
                timer.cancel()
        self._next = self._look = None

    def bus_back(self) -> None:
        """Subscriptions stand again: once, for what was said before."""
        self._away = False
        self.ask()

    def bus_away(self) -> None:
        """Nothing is heard: until it is back, again and again. Nobody's beat is missed for that."""
        self._away = True
        self._nodes.clear()
        self.ask()

    def heard(self, node: bytes, *, leaves: bool = False) -> None:
        """A beat of another node; of one more than `MAX_NODES` it is not noticed when it dies.

        ``leaves``: it does so soon, as it says, and when it is not heard any more the store is asked once.
        """
        self._missed.pop(node, None)
        if node in self._nodes or len(self._nodes) < MAX_NODES:
            self._nodes[node] = self._effects.awake(), leaves

    def said_farewell(self, node: bytes) -> None:
        """A node ends on purpose, and has said all that it had to."""
        self._nodes.pop(node, None)
        self._missed.pop(node, None)

    def cannot_hear(self) -> None:
        """A node says what this one does not understand: the store is asked as if there were no bus, until it ends that."""
        known, now = STRANGERS in self._missed, self._effects.awake()
        if known or len(self._missed) < MAX_NODES:
            self._missed[STRANGERS] = now - MISSED_SECONDS + STRANGE_SECONDS
        if not known:
            self.ask()

    def ask(self) -> None:
        """Asks now, or once more when a poll that is under way has ended: what it was told may be older."""
        if self._stopped:
            return
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._asked_at = self._effects.awake()
        if self._polling:
            self._again = True
        else:
            self._polling = True
            self._effects.spawn(self._run())

    async def _run(self) -> None:
        refused = True
        try:
            await self._poll()
            refused = False
        except WireError:
            pass  # once more, in a while
        finally:
            self._polling = False
            self._go_on(refused=refused)

    def _go_on(self, *, refused: bool) -> None:
        again, self._again = self._again, False
        if again:
            self.ask()
        elif (refused or self._away or self._missed) and not self._stopped:
            self._next = self._effects.later(RETRY_SECONDS if refused else self._seconds(), self._due)

    def _due(self) -> None:
        self._next = None
        self.ask()

    def _look_at_nodes(self) -> None:
        now = self._effects.awake()
        missing = [node for node, (at, _) in self._nodes.items() if now - at >= MISSING_SECONDS]
        self._missed = {node: at for node, at in self._missed.items() if now - at < MISSED_SECONDS}
        for node in missing:
            _, leaves = self._nodes.pop(node)
            if not leaves and len(self._missed) < MAX_NODES:
                self._missed[node] = now
        if missing or now - self._asked_at >= QUIET_SECONDS:
            self.ask()
        first = min((at for at, _ in self._nodes.values()), default=now)  # who is missed next; else whoever comes now
        wait = min(first + MISSING_SECONDS, self._asked_at + QUIET_SECONDS) - now
        self._look = self._effects.later(max(wait, LOOK_SECONDS), self._look_at_nodes)
