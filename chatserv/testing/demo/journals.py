"""What clients note of each message that they send, and what has to hold of all of it: nothing is known but these notes.

A message is one of three: acknowledged, refused, or unknown where the connection ended between. An acknowledged one is
shown to every member exactly once, a refused one to nobody, an unknown one once or not at all.
"""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, TextIO

from chatserv.testing.demo.oracle import compare

Shown = tuple[int, str, bytes]
"""What a reader was shown: seq, sender, and the id that the sender gave the message."""


class Journal:
    """What one client has sent and read, in the order in which it did; appended to a file as JSON lines.

    Args:
        who: The sender's name.
        path: The file; without, the journal is in memory alone.
    """

    def __init__(self, who: str, path: Path | None = None) -> None:
        self.who = who
        self.sent: list[bytes] = []
        self.acknowledged: dict[bytes, int] = {}
        self.refused: set[bytes] = set()
        self.stale_reads = 0
        self._file: TextIO | None = None if path is None else path.open("a", buffering=1)

    @property
    def unknown(self) -> set[bytes]:
        """Messages of which nobody has told this client what became of them."""
        return set(self.sent) - self.acknowledged.keys() - self.refused

    def send(self, message_id: bytes) -> None:
        """A new message is about to leave."""
        self.sent.append(message_id)
        self._note("send", message_id)

    def acknowledge(self, message_id: bytes, seq: int) -> None:
        """The server says that it is stored there; it may say so more than once."""
        first = self.acknowledged.setdefault(message_id, seq)
        self._note("ok", message_id, seq)
        if first != seq:
            self.acknowledged[message_id] = -1  # at two places: no reader can agree

    def refuse(self, message_id: bytes, code: str) -> None:
        """The server says that it is not stored, and this client gives it up."""
        self.refused.add(message_id)
        self._note("fail", message_id, code)

    def lose_sight(self) -> None:
        """The connection is gone: what is under way is unknown from here on."""
        self._note("unknown", b"", len(self.unknown))

    def read(self, head: int) -> None:
        """The server says how far the room goes: at least to what it has acknowledged to this client."""
        self.stale_reads += head < max(self.acknowledged.values(), default=0)
        self._note("read", b"", head)

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()

    def _note(self, op: str, message_id: bytes, result: object = None) -> None:
        if self._file is not None:
            line = {"t": round(time.monotonic(), 6), "op": op, "id": message_id.hex(), "result": result}
            self._file.write(json.dumps(line) + "\n")


@dataclass(frozen=True)
class Judgement:
    """What is wrong, counted over all readers; all zero where the server has kept its promise.

    Attributes:
        lost: Acknowledged messages that a reader was not shown.
        doubled: Copies too many.
        ghosts: Messages that were refused, and shown all the same.
        phantoms: Messages that nobody has sent, or in another's name.
        gaps: Places that a reader was not shown.
        moved: Messages that have another place here than there, or than was acknowledged.
        reordered: Readers with another order than that of the places, of the others or of a writer.
        stale_reads: Times that a client was told of a shorter room than it had been before.
    """

    lost: int = 0
    doubled: int = 0
    ghosts: int = 0
    phantoms: int = 0
    gaps: int = 0
    moved: int = 0
    reordered: int = 0
    stale_reads: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return self == _GOOD

    def __str__(self) -> str:
        counts = {each.name: getattr(self, each.name) for each in fields(self)}
        return ", ".join(
            f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count or name in _SAID
        )


_GOOD: Final = Judgement()
_SAID: Final = ("lost", "doubled", "reordered")


@dataclass
class _Counts:
    lost: int = 0
    doubled: int = 0
    ghosts: int = 0
    phantoms: int = 0
    gaps: int = 0
    moved: int = 0
    places: dict[int, bytes] = field(default_factory=dict)


def judge(journals: Sequence[Journal], readers: Mapping[str, Sequence[Shown]]) -> Judgement:
    """Compares what was noted with what was shown.

    Args:
        journals: Of everybody who may have sent something.
        readers: By reader, what was shown, from the same place on for everybody and in the order in which it was shown.
    """
    senders = {message_id: each.who for each in journals for message_id in each.sent}
    acknowledged = {message_id: seq for each in journals for message_id, seq in each.acknowledged.items()}
    refused = {message_id for each in journals for message_id in each.refused} - acknowledged.keys()
    counts = _Counts()
    for shown in readers.values():
        _count(counts, shown, senders, acknowledged, refused)
    known = {
        name: [(seq, who, message_id) for seq, who, message_id in shown if senders.get(message_id) == who]
        for name, shown in readers.items()
    }
    orders = {name: [(who, message_id.hex()) for _, who, message_id in shown] for name, shown in known.items()}
    written = {each.who: [message_id.hex() for message_id in each.sent] for each in journals}
    reordered = sum(
        [seq for seq, _, _ in shown] != sorted(seq for seq, _, _ in shown)
        or not compare(written, {name: orders[name]}).order_equal
        for name, shown in known.items()
    )
    reordered += not reordered and not compare(written, orders).order_equal
    return Judgement(
        counts.lost, counts.doubled, counts.ghosts, counts.phantoms, counts.gaps, counts.moved, reordered,
        sum(each.stale_reads for each in journals),
    )  # fmt: skip


def _count(
    counts: _Counts,
    shown: Sequence[Shown],
    senders: Mapping[bytes, str],
    acknowledged: Mapping[bytes, int],
    refused: set[bytes],
) -> None:
    """Adds what is wrong with what one reader was shown."""
    copies = Counter(message_id for _, _, message_id in shown)
    counts.lost += len(acknowledged.keys() - copies.keys())
    counts.doubled += copies.total() - len(copies)
    counts.ghosts += len(refused & copies.keys())
    counts.phantoms += sum(senders.get(message_id) != who for _, who, message_id in shown)
    seqs = {seq for seq, _, _ in shown}
    counts.gaps += max(seqs) - min(seqs) + 1 - len(seqs) if seqs else 0
    for seq, _, message_id in shown:
        here = counts.places.setdefault(seq, message_id) == message_id
        counts.moved += not here or acknowledged.get(message_id, seq) != seq
