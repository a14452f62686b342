"""Who is on which node: each tells of its own, and what was missed is asked for. Pure: time comes in.

Each change has a number of its node. Who misses one, or hears of a node for the first time, asks it for everybody that it
has, in pages. A node that is not heard for a while is gone, with all of them; but while the bus is away nobody is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct, field

from chatserv.backplane.bus_messages import MAX_GUESTS, MAX_SHOWN, Presence
from chatserv.backplane.nats import MAX_PAYLOAD
from chatserv.bus_models import GuestShown, PersonShown, Shown
from chatserv.commands.effects import Effects, Timer
from chatserv.domain.elsewhere import MAX_PEOPLE

GONE_SECONDS: Final = 5.0  # without a word
ASK_SECONDS: Final = 1.0  # between two requests to one node, and between two answers to all
ANSWER_SECONDS: Final = 0.05  # in which others ask, too
CALM_BEATS: Final = 5  # after so many a node says that nothing has changed
MAX_NODES: Final = 256  # that are known
PAGE_BYTES: Final = MAX_PAYLOAD // 2  # of the people in one message
PERSON_BYTES: Final = 16  # that one takes beside name and devices


class PresenceSink(Protocol):
    """What is done with it, on this node."""

    def own(self) -> tuple[Sequence[PersonShown], Sequence[GuestShown]]:
        """Who is here, without rooms."""
        ...

    def changed(self, node: bytes, shown: Shown) -> None:
        """So it is on that node from now on."""
        ...

    def everybody(self, node: bytes, people: Mapping[str, PersonShown], waiting: Sequence[GuestShown]) -> None:
        """Nobody else is on that node."""
        ...


class _Pages(Struct, eq=False):
    """Everybody on a node, as far as it was told."""

    number: int
    following: int = 0
    people: dict[str, PersonShown] = field(default_factory=dict)
    guests: list[GuestShown] = field(default_factory=list)


class _Node(Struct, eq=False):
    """Another node. ``number``: up to which change nothing was missed; None: everything."""

    heard: float
    number: int | None = None
    asked: float = float("-inf")
    pages: _Pages | None = None

    def knows(self, number: int) -> bool:
        """Whether what has this number is known already."""
        return self.number is not None and number <= self.number


def _parts(people: Sequence[PersonShown]) -> Iterable[list[PersonShown]]:
    """People as the bus takes them at once."""
    part, size = list[PersonShown](), 0
    for each in people:
        weight = PERSON_BYTES + len(each.name.encode()) + sum(2 + len(device) for device in each.devices)
        if part and (size + weight > PAGE_BYTES or len(part) == MAX_SHOWN):
            yield part
            part, size = [], 0
        part.append(each)
        size += weight
    if part:
        yield part


class PresenceFeed:
    """What this node tells, and hears.

    Args:
        effects: Time and timers.
        node_id: This node's.
        say: Tells the others; that may be lost.
    """

    def __init__(self, effects: Effects, node_id: bytes, say: Callable[[Presence], None]) -> None:
        self._effects, self._id, self._say = effects, node_id, say
        self.sink: PresenceSink | None = None
        self._nodes: dict[bytes, _Node] = {}
        self._number = self._calm = 0
        self._away = True
        self._answered = float("-inf")
        self._answering: Timer | None = None

    # -- this node

    def show(self, shown: Shown) -> None:
        """Somebody's status here has changed, or a guest's."""
        self._number += 1
        self._calm = 0
        if isinstance(shown, PersonShown):
            self._say(Presence(self._id, self._number, people=(shown,)))
        else:
            self._say(Presence(self._id, self._number, guests=(shown,)))

    def beat(self) -> None:
        """A second has passed."""
        self._calm += 1
        if self._calm >= CALM_BEATS:
            self._calm = 0
            self._say(Presence(self._id, self._number))
        now = self._effects.awake()
        gone = [] if self._away else [each for each, node in self._nodes.items() if now - node.heard >= GONE_SECONDS]
        for node_id in gone:
            del self._nodes[node_id]
            if self.sink is not None:
                self.sink.everybody(node_id, {}, ())

    def bus_back(self) -> None:
        """The others are heard, and hear: who was not heard meanwhile may be there all the same."""
        self._away = False
        now = self._effects.awake()
        for node in self._nodes.values():
            node.heard = now
        self._say(Presence(self._id, self._number, asks=b""))

    def bus_away(self) -> None:
        """Nobody is heard: everybody stays as they are."""
        self._away = True

    def stop(self) -> None:
        """Nobody is here any more, and nobody asks."""
        if self._answering is not None:
            self._answering.cancel()
            self._answering = None
        self._number += 1
        self._say(Presence(self._id, self._number, pages=1))

    def _answer_soon(self) -> None:
        if self._answering is None:
            wait = max(ANSWER_SECONDS, self._answered + ASK_SECONDS - self._effects.awake())
            self._answering = self._effects.later(wait, self._answer)

    def _answer(self) -> None:
        self._answering, self._answered = None, self._effects.awake()
        for page in self._pages():
            self._say(page)

    def _pages(self) -> Iterable[Presence]:
        people, guests = self.sink.own() if self.sink is not None else ((), ())
        parts = list(_parts(people))
        pages = max(1, len(parts), -(-len(guests) // MAX_GUESTS))
        for page in range(pages):
            some = tuple(parts[page]) if page < len(parts) else ()
            few = tuple(guests[page * MAX_GUESTS : (page + 1) * MAX_GUESTS])
            yield Presence(self._id, self._number, some, few, page, pages)

    # -- the others

    def heard(self, node_id: bytes) -> None:
        """A node lives."""
        node = self._nodes.get(node_id)
        if node is not None:
            node.heard = self._effects.awake()

    def hear(self, message: Presence) -> None:
        """A node has said something; of one more than `MAX_NODES` nothing is known."""
        if message.node not in self._nodes and len(self._nodes) >= MAX_NODES:
            return
        now = self._effects.awake()
        node = self._nodes.setdefault(message.node, _Node(now))
        node.heard = now
        if message.asks is not None:
            if message.asks in {b"", self._id}:
                self._answer_soon()
        elif node.knows(message.number):
            pass  # said again
        elif message.pages:
            self._take_page(message, node)
        else:
            self._take_change(message, node)

    def _take_change(self, message: Presence, node: _Node) -> None:
        shown: tuple[Shown, ...] = (*message.people, *message.guests)
        if self.sink is not None:
            for each in shown:
                self.sink.changed(message.node, each)
        if shown and node.number is not None and message.number == node.number + 1:
            node.number = message.number
        else:
            self._ask(message.node, node)

    def _take_page(self, message: Presence, node: _Node) -> None:
        if message.page == 0:
            node.pages = _Pages(message.number)
        pages = node.pages
        if pages is None or (pages.number, pages.following) != (message.number, message.page):
            return  # one was lost: it is asked for again, when the next change comes or none
        pages.following += 1
        pages.people.update((each.name, each) for each in message.people)
        pages.guests.extend(message.guests)
        if len(pages.people) > MAX_PEOPLE:
            node.pages = None
        elif pages.following == message.pages:
            node.pages, node.number = None, message.number
            if self.sink is not None:
                self.sink.everybody(message.node, pages.people, pages.guests)

    def _ask(self, node_id: bytes, node: _Node) -> None:
        now = self._effects.awake()
        if now - node.asked >= ASK_SECONDS:
            node.asked = now
            self._say(Presence(self._id, self._number, asks=node_id))
