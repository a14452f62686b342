"""Whether a restored server mends what its backup lacks, and when that is over."""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct, field

from chatserv.commands.effects import Effects, Timer
from chatserv.crypto.log_leaves import Leaf, TreeHead
from chatserv.crypto.restored import Restored, restored_to_sign
from chatserv.crypto.suite import sha256
from chatserv.domain.hub import LiveSession
from chatserv.errors import Forbidden, Quota, ReadOnly, WireError
from chatserv.live_settings import LiveSettings
from chatserv.mending_models import MendingState, OfferLimits
from chatserv.models import LeafDraft

STAGED_BYTES: Final = 16 * 2**20  # of statements that wait for their leaves
SPAN: Final = 1_000_000  # so far beyond the last place of a room something may be offered

Report = dict[str, Any]
"""What a mending has put back and left undone, as plain data."""


class Staged(Struct):
    """Leaves on their way, of one session at a time. ``first``: how many the log has."""

    session: LiveSession
    signed: bytes
    head: TreeHead
    first: int
    at: float
    leaves: list[bytes] = field(default_factory=list)
    statements: dict[bytes, bytes] = field(default_factory=dict)
    size: int = 0

    @property
    def next(self) -> int:
        """The index of the leaf that is wanted next."""
        return self.first + len(self.leaves)

    def keep(self, statement: bytes) -> None:
        """Keeps what may have been signed behind a leaf. Raises `Quota`."""
        self.size += len(statement)
        if self.size > STAGED_BYTES:
            raise Quota("offer: statements that wait for their leaves")
        self.statements[sha256(statement)] = statement

    def drafts(self) -> Iterator[LeafDraft]:
        """The leaves with their statements, as far as these are there."""
        for leaf in self.leaves:
            yield LeafDraft(leaf, self.statements.get(Leaf.decode(leaf).statement, b""))


class Mending:
    """Begins with the server and ends by itself, some time after the last offer that brought something new; and in any case
    some time after it began, since a single member who offers a little now and then would keep all others from writing.

    Args:
        settings: How long that is, and how much may be offered.
        effects: Timers.

    Attributes:
        active: Nothing else is stored meanwhile.
        restored: The last restore; None where there was none.
        statement: The same, signed; empty where there was none.
        staged: Leaves of the log that are on their way.
        finishing: What was offered is being decided: nothing more is taken.
        work: Decides and puts back what was offered, and ends the sessions.
    """

    work: Callable[[], Awaitable[Report]]

    def __init__(self, settings: LiveSettings, effects: Effects) -> None:
        self._settings, self._effects = settings, effects
        self.active = False
        self.restored: Restored | None = None
        self.statement = b""
        self._report: Report = {}
        self.finishing = False
        self.staged: Staged | None = None
        self._timer: Timer | None = None
        self._until = float("inf")

    def take_in(
        self,
        state: MendingState,
        server_id: bytes,
        sign: Callable[[bytes], bytes],
        work: Callable[[], Awaitable[Report]],
    ) -> None:
        """Takes in how the store stands, before anybody can log in. ``sign``: by the server's key, at once."""
        self.work = work
        self.active = state.mending
        if state.restored:
            self.restored = Restored.decode(state.restored)
            self.statement = state.restored + sign(restored_to_sign(self.restored, server_id))
        self._report = json.loads(state.report) if state.report else {}

    @property
    def limits(self) -> OfferLimits:
        """How much may be offered."""
        limits = self._settings.limits
        return OfferLimits(limits.mending_bytes, limits.mending_bytes_per_account, SPAN)

    @property
    def retry_seconds(self) -> float:
        """When whoever wants something stored may try again."""
        return min(self._settings.limits.mending_quiet_seconds, self._settings.limits.retry_seconds)

    def begin(self) -> None:
        """The server is up: from now on it waits for offers, where something is to be mended."""
        if self.active:
            self._until = self._effects.seconds() + self._settings.limits.mending_seconds
            self.came()

    def require(self) -> None:
        """Raises `Forbidden` where nothing is mended, and `ReadOnly` where it is being decided what was offered."""
        if not self.active:
            raise Forbidden("offer: nothing is being mended", by="server")
        if self.finishing:
            raise ReadOnly("offer: too late", after_seconds=self.retry_seconds)

    def came(self) -> None:
        """Something new was offered."""
        if self._timer is not None:
            self._timer.cancel()
        self._wait(min(self._settings.limits.mending_quiet_seconds, self._until - self._effects.seconds()))

    def _wait(self, seconds: float) -> None:
        self._timer = self._effects.later(max(0.0, seconds), self._quiet)

    def _quiet(self) -> None:
        self._timer = None
        self._effects.spawn(self._end())

    async def _end(self) -> None:
        with suppress(WireError):
            await self.finish()

    async def finish(self) -> Report:
        """Ends it now, and says what is missing; where nothing is mended, what the last mending has said."""
        if self.active and not self.finishing:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self.finishing = True
            try:
                self._report = await self.work()
                self.active = False
            except BaseException:  # a disk that is full, or a fault of ours: once more, a while later
                self._wait(self._settings.limits.mending_quiet_seconds)
                raise
            finally:
                self.finishing = False
        return self._report

    def status(self) -> Report | None:
        """The last restore, whether it is being mended, and the last report; None where there was none."""
        if self.restored is None:
            return None
        said = {"backup_ms": self.restored.backup_ms, "restored_ms": self.restored.at_ms, "mending": self.active}
        return said | ({} if self.active else {"report": self._report})
