"""The table of drills: what happens, by which rule nothing is lost, and how that rule is switched off."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeVar

from chatserv.testing.cluster import Nodes
from chatserv.testing.processes import TWISTD
from chatserv.testing.unlimited import unlimited
from tests.drills import rules
from tests.drills.people import Household, Wanderers
from tests.faults.rows import RowFailed, check

SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "security": {"registration": "open"},
    "monitoring": {"enabled": False},
    "limits": unlimited(),
}
PEOPLE: Final = 6
RATE: Final = 150.0
LEAST_RATE: Final = 30.0  # acknowledged messages a second, without which nothing is proven
LAST_SECONDS: Final = 0.3
PATIENCE_SECONDS: Final = 120.0  # what has not come by then does not come
BRIEF_SECONDS: Final = 12.0  # likewise where a rule is off, and nothing is to come
T = TypeVar("T")


@dataclass
class Scene:
    """Where a drill is played.

    Attributes:
        nodes: They run.
        crowd: Light clients, in a room of their own.
        household: Real ones; None where a rule is off.
        short: Whether this is the run in small.
        patience: How long is waited for what has to come, in seconds.
        back: How long people were without what they wanted, after each thing that happened; the drill fills it.
    """

    nodes: Nodes
    crowd: Wanderers
    household: Household | None
    short: bool
    patience: float
    back: list[float] = field(default_factory=list)

    def pick(self, short: T, long: T) -> T:
        """One of two sizes."""
        return short if self.short else long

    @contextmanager
    def talking(self) -> Iterator[None]:
        """Everybody talks while this lasts; it begins when the talk flows."""
        with ExitStack() as stack:
            stack.enter_context(self.crowd.talking(RATE))
            if self.household is not None:
                stack.enter_context(self.household.talking())
            self.flowing()
            yield

    def flowing(self) -> None:
        """Waits until the talk flows."""
        self.crowd.flowing(LEAST_RATE, patience=self.patience)

    def last_word(self) -> None:
        """One person says something while all others are silent: nothing else shows elsewhere that it is missing."""
        _, *others = self.crowd.people
        for person in others:
            person.muted = True
        with self.crowd.talking(RATE):
            time.sleep(LAST_SECONDS)
        for person in others:
            person.muted = False

    def settled(self) -> float:
        """Waits until everybody was shown what was acknowledged; how long that took, in seconds. Fails the drill."""
        began = time.monotonic()
        self.crowd.settle(self.patience)
        return time.monotonic() - began

    def all_back(self, since: float) -> None:
        """Waits until everybody is at some node again, and notes how long after ``since`` (monotonic) that was."""
        self.crowd.all_back(self.patience)
        self.back.append(time.monotonic() - since)


@dataclass(frozen=True)
class Drill:
    """One.

    Attributes:
        name: One word.
        title: What happens.
        rule: By which nothing is lost, in words.
        play: Lets it happen; gives what there is to tell beside what the oracle counts.
        off: The switch of the rule: a name of `chatserv.testing`'s programs that break it (`rules.RULES`), or what the nodes
            are made with.
        last: Whether nothing can be played after it on the same nodes.
    """

    name: str
    title: str
    rule: str
    play: Callable[[Scene], str]
    off: str | dict[str, Any]
    last: bool = False


DRILLS: Final[dict[str, Drill]] = {}


def drill(
    name: str, title: str, rule: str, off: str | dict[str, Any], *, last: bool = False
) -> Callable[[Callable[[Scene], str]], Callable[[Scene], str]]:
    """Puts a function into the table."""

    def put(play: Callable[[Scene], str]) -> Callable[[Scene], str]:
        DRILLS[name] = Drill(name, title, rule, play, off, last)
        return play

    return put


@contextmanager
def scene(*, short: bool, off: Drill | None = None) -> Iterator[Scene]:
    """Nodes and people; where a drill is given, its rule is off, and real programs are left out."""
    switch = None if off is None else off.off
    program = (*rules.COMMAND, switch) if isinstance(switch, str) else TWISTD
    made: dict[str, Any] = {"settings": SETTINGS, "ways": True, "standby": True, "program": program}
    if isinstance(switch, dict):
        made |= switch
        made["settings"] = {
            name: {**SETTINGS.get(name, {}), **made["settings"].get(name, {})} for name in SETTINGS | made["settings"]
        }
    with (
        tempfile.TemporaryDirectory(prefix="chatserv-drill-") as name,
        Nodes(Path(name), **made) as nodes,
        ExitStack() as stack,
    ):
        household = None
        if off is None:
            household = Household(nodes)
            stack.callback(household.leave)
        crowd = stack.enter_context(Wanderers(nodes, PEOPLE))
        yield Scene(nodes, crowd, household, short, PATIENCE_SECONDS if off is None else BRIEF_SECONDS)


def played(each: Drill, here: Scene) -> str:
    """Plays a drill; its figure. Raises `RowFailed` where anything was lost, doubled or reordered, or anybody alarmed."""
    acknowledged, here.back = here.crowd.count(), []
    alarms = here.household.alarms() if here.household is not None else None
    told = each.play(here)
    here.crowd.rate = 0.0
    here.settled()
    judgement = here.crowd.judge()
    lost, doubled, reordered = judgement.lost, judgement.doubled, judgement.reordered
    new = []
    if here.household is not None and alarms is not None:
        verdict = here.household.settle(here.patience)
        lost, doubled = lost + verdict.lost, doubled + verdict.doubled
        reordered += not verdict.order_equal
        new = list((here.household.alarms() - alarms).elements())
    figure = (
        f"{told}{here.crowd.count() - acknowledged} acknowledged, {lost} lost, {doubled} doubled, {reordered} reordered, "
        f"{len(new)} false alarms, {_back(here.back)}"
    )
    check(judgement.good and not (lost or doubled or reordered or new), f"{figure}: {judgement}; {new[:3]}")
    return figure


def _back(seconds: list[float]) -> str:
    if not seconds:
        return "nobody away"
    return f"back after {median(seconds):.1f} s" + (f", {max(seconds):.1f} s at most" if len(seconds) > 1 else "")


def must_fail(each: Drill, *, short: bool) -> str:
    """Plays a drill with its rule off; what it failed by. Raises `RowFailed` where it passes."""
    try:
        with scene(short=short, off=each) as here:
            figure = played(each, here)
    except RowFailed as error:
        return str(error)
    raise RowFailed(f"it passes without its rule: {figure}")
