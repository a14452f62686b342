"""Files on their way: how far each is, and how fast it goes."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from chatserv.client import Attachment, ChatError, Client, FileProgress, FileState, progress_text

WINDOW_SECONDS: Final = 3.0  # over which the speed is measured
MAX_TRANSFERS: Final = 100
STEP: Final = 10  # per cent between two lines of those that are told by lines
_OVER: Final = (FileState.DONE, FileState.FAILED)


@dataclass
class _Transfer:
    progress: FileProgress
    points: deque[tuple[float, int]] = field(default_factory=deque)
    told: int = 0  # steps that were told

    def move(self, progress: FileProgress, now: float) -> None:
        if progress.state != self.progress.state:
            self.points.clear()
        self.progress = progress
        self.points.append((now, progress.done))
        while len(self.points) > 2 and now - self.points[0][0] > WINDOW_SECONDS:
            self.points.popleft()

    @property
    def per_second(self) -> float:
        (begin, before), (end, after) = self.points[0], self.points[-1]
        return (after - before) / (end - begin) if end > begin else 0.0


class Transfers:
    """All that are under way, by their message.

    Args:
        seconds: A clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._there: dict[tuple[str, bytes], _Transfer] = {}

    def take(self, progress: FileProgress) -> bool:
        """One has moved; says whether it has taken another step of `STEP` per cent."""
        key = (progress.room, progress.message_id)
        if progress.state in _OVER:
            self._there.pop(key, None)
            return False
        transfer = self._there.get(key)
        if transfer is None:
            transfer = self._there[key] = _Transfer(progress)
            if len(self._there) > MAX_TRANSFERS:
                del self._there[next(iter(self._there))]
        transfer.move(progress, self._seconds())
        steps = progress.done * 100 // (progress.size * STEP) if progress.size else 0
        further, transfer.told = steps > transfer.told, max(steps, transfer.told)
        return further

    def coming(self, room: str) -> list[bytes]:
        """The messages of a room whose files come down."""
        return [
            message_id for (where, message_id), each in self._there.items()
            if where == room and each.progress.direction == "down"
        ]  # fmt: skip

    def text(self, room: str, message_id: bytes) -> str:
        """``▕████▏ 41 % 3.2 MB/s``; empty for one that is not under way."""
        transfer = self._there.get((room, message_id))
        if transfer is None:
            return ""
        progress = transfer.progress
        return progress_text(
            progress.done, progress.size, 0 if progress.state == FileState.PAUSED else transfer.per_second
        )

    def paused(self, room: str, message_id: bytes) -> bool:
        """Whether one stands still because a person wants that."""
        transfer = self._there.get((room, message_id))
        return transfer is not None and transfer.progress.state == FileState.PAUSED


def file_of(client: Client, progress: FileProgress) -> Attachment | None:
    """Which file it is that moves; None for one that is not known any more."""
    try:
        room = client.room(progress.room)
        waiting = (each.file for each in room.waiting() if each.message_id == progress.message_id)
        return next(waiting, None) or room.find(progress.message_id).file
    except ChatError:
        return None
