"""How many passwords may be tried, and whose turn it is (docs/protocol.rst 4.8).

A proof that holds costs nothing; one that does not counts, in two ways. For an account from one network: beyond the bound
the next is refused. For an account from everywhere: beyond the bound the next waits its turn, since a refusal would let
anybody keep its person out; and networks that the account has logged in from neither count there nor wait. In the line
those come first from where fewest proofs have failed: who guesses needs a fresh network for each try to stay before
somebody who has the password.

A name that nobody has is counted like any other, so that nothing can be told from what happens.
"""

from bisect import insort
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct, field

from chatserv.commands.effects import Effects, Promise, Timer
from chatserv.domain.anteroom import block_of, network_of
from chatserv.domain.rates import Rates
from chatserv.errors import Busy, RateLimited
from chatserv.live_settings import LiveSettings

K = TypeVar("K")
V = TypeVar("V")


class _Waiter(Struct, eq=False):
    """A proof that waits. ``failed``: how many from its network have; ``alive``: whether its connection is still there."""

    network: str
    block: str
    failed: int
    alive: Callable[[], bool]
    promise: Promise
    crowded_out: bool = False

    def wake(self) -> None:
        """Lets it go on."""
        self.promise.callback(None)


class _Line(Struct, eq=False):
    """Who waits to try a password of one account, the next one first; and the timer of that."""

    waiters: list[_Waiter] = field(default_factory=list)
    timer: Timer | None = None


class PasswordGate:
    """All tries.

    Args:
        settings: ``password_*``.
        effects: Time, timers and promises.
    """

    def __init__(self, settings: LiveSettings, effects: Effects) -> None:
        self._settings, self._effects = settings, effects
        self._failures = Rates(effects.seconds, settings.limits.counters)
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # failures that count, and when that was so
        self._failed: OrderedDict[tuple[str, str], int] = OrderedDict()  # by user and network, however long ago
        self._lines: dict[str, _Line] = {}

    @property
    def waiting(self) -> int:
        """How many proofs wait."""
        return sum(len(line.waiters) for line in self._lines.values())

    def check(self, user: str, host: str) -> None:
        """Raises `RateLimited` where too many proofs for this user have failed that came from there."""
        limits = self._settings.limits
        wait = self._failures.wait((user, network_of(host)), limits.password_tries, limits.password_tries_seconds)
        if wait > 0:
            raise RateLimited("passwords: too many tries from there", after_seconds=wait)

    async def turn(self, user: str, host: str, *, familiar: bool, alive: Callable[[], bool]) -> None:
        """Returns when a proof may be tried, which has to be done at once, and told to `tried`.

        Args:
            user: Whose password.
            host: Where the proof comes from.
            familiar: The account has logged in from that network.
            alive: Whether whoever waits is still there.

        Raises:
            RateLimited: As `check`.
            Busy: Too many wait, or somebody of the same network does.
        """
        self.check(user, host)
        if familiar or (user not in self._lines and self._delay(user) <= 0):
            return
        network = network_of(host)
        failed = self._failed.get((user, network), 0)
        waiter = _Waiter(network, block_of(host), failed, alive, self._effects.promise())
        self._stand_in_line(user, waiter)
        await waiter.promise
        if waiter.crowded_out:
            raise self._too_many()
        self.check(user, host)

    def tried(self, user: str, host: str, *, familiar: bool, held: bool) -> None:
        """A proof was tried, and held or not."""
        if held:
            return
        key = (user, network_of(host))
        self._failures.take(key)
        if not familiar:
            _note(self._failed, key, self._failed.get(key, 0) + 1, self._settings.limits.counters)
            _note(self._levels, user, (self._level(user) + 1, self._effects.seconds()), self._settings.limits.counters)

    def _level(self, user: str) -> float:
        """How many failures count for the user now: each is forgotten after its share of the time."""
        level, at = self._levels.get(user, (0.0, 0.0))
        return max(0.0, level - (self._effects.seconds() - at) / self._settings.limits.password_turn_seconds)

    def _delay(self, user: str) -> float:
        """How many seconds until one more may fail within the bound; 0 or less: now."""
        above = self._level(user) + 1 - self._settings.limits.password_tries_account
        return above * self._settings.limits.password_turn_seconds

    # -- the line ------------------------------------------------------------------------------------------------------

    def _stand_in_line(self, user: str, waiter: _Waiter) -> None:
        """One of a network, behind those from where no more have failed; in a full line somebody may have to go."""
        line = self._lines.get(user)
        waiters = [] if line is None else line.waiters
        waiters[:] = [each for each in waiters if each.alive()]
        if any(each.network == waiter.network for each in waiters):
            raise self._too_many()
        if len(waiters) >= self._settings.limits.password_waiting:
            yielding = self._who_yields(waiters, waiter)
            waiters.remove(yielding)
            yielding.crowded_out = True
            self._effects.later(0, yielding.wake)  # not from here: what it does then may come back here
        elif self.waiting >= self._settings.limits.unauthenticated_connections:
            raise self._too_many()
        line = self._lines.setdefault(user, _Line())
        line.waiters = waiters
        insort(line.waiters, waiter, key=lambda each: each.failed)
        if line.timer is None:
            self._wake_later(user, line)

    def _who_yields(self, waiters: list[_Waiter], newcomer: _Waiter) -> _Waiter:
        """The last of a full line, if more have failed from there; else the newest of the block that has most in it.

        Raises:
            Busy: No block has more in it than the newcomer's would have.
        """
        if waiters[-1].failed > newcomer.failed:
            return waiters[-1]
        blocks = Counter(each.block for each in waiters)
        fullest, most = blocks.most_common(1)[0]
        if most <= blocks[newcomer.block] + 1:
            raise self._too_many()
        return next(each for each in reversed(waiters) if each.block == fullest)

    def _too_many(self) -> Busy:
        return Busy("passwords: too many wait", after_seconds=self._settings.limits.password_turn_seconds)

    def _wake_later(self, user: str, line: _Line) -> None:
        line.timer = self._effects.later(max(0.0, self._delay(user)), lambda: self._wake(user, line))

    def _wake(self, user: str, line: _Line) -> None:
        """Lets the next one try whose connection is still there, if it is time."""
        line.timer = None
        line.waiters = [each for each in line.waiters if each.alive()]
        if line.waiters and self._delay(user) <= 0:
            line.waiters.pop(0).wake()  # which tries, and tells `tried`, before this returns
        if line.waiters:
            self._wake_later(user, line)
        else:
            self._lines.pop(user, None)


def _note(table: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    """Keeps a value in a table of ``most`` entries; the one that was noted longest ago goes."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > most:
        table.popitem(last=False)
