"""What came of writing or reading a history file."""

from dataclasses import dataclass
from typing import Final

from chatserv.errors import ChatError
from chatserv.i18n import _
from chatserv.sanitize import clean_line, isolate

MAX_TOLD: Final = 10
"""Lines that a person is told the reasons of."""


@dataclass(frozen=True)
class Exported:
    """What was written: ``messages`` in so many ``rooms``; ``unproved`` of them cannot be proved to others."""

    messages: int
    unproved: int
    rooms: int


@dataclass(frozen=True)
class RefusedLine:
    """A line that was not taken: its ``number`` from 1, and why, in English."""

    number: int
    reason: str


@dataclass(frozen=True)
class Imported:
    """What came of a file.

    Attributes:
        messages: New ones.
        known: That were here already.
        unproved: Of the new ones, those without a proof: they cannot be shared, and are shown as such.
        changes: Edits, deletions and signs that were taken, or were here already.
        elsewhere: Lines of rooms that this device has never been in, and changes of messages that it does not keep.
        refused: Lines that are damaged or forged, the first hundred of them.
        refusals: How many those are in all.
        left_out: Of a history that a device has shared, lines without a proof: they are not taken.
        whole: False where the file ends early.
    """

    messages: int = 0
    known: int = 0
    unproved: int = 0
    changes: int = 0
    elsewhere: int = 0
    refused: tuple[RefusedLine, ...] = ()
    refusals: int = 0
    left_out: int = 0
    whole: bool = False

    def told(self) -> list[str]:
        """What a person is told of it, in their language; the first lines that were refused by their numbers."""
        counts = (
            (self.messages, _("Messages imported: {count}.")),
            (self.known, _("Messages that were here already: {count}.")),
            (self.unproved, _("Imported without proof of who wrote them, and marked: {count}.")),
            (
                self.elsewhere,
                _("Left out, as they belong to rooms or messages that this device does not have: {count}."),
            ),
            (self.left_out, _("Left out, as nothing proves who wrote them: {count}.")),
            (self.refusals, _("Left out, as they are damaged or forged: {count}.")),
        )
        lines = [said.format(count=count) for number, (count, said) in enumerate(counts) if count or not number]
        for each in self.refused[:MAX_TOLD]:
            lines.append(
                _("Line {number}: {reason}").format(number=each.number, reason=isolate(clean_line(each.reason)))
            )
        return lines if self.whole else [*lines, _("The file ends early: there was more in it once.")]


@dataclass(frozen=True, slots=True)
class HistoryReceived:
    """Another device has shared what it keeps, and this one has read it.

    Either one of ours did (``client.devices.share_history``), or an owner's or a moderator's in a room of theirs
    (`RoomHandle.share_history`).

    Attributes:
        device: What our device is called; empty for a room's.
        imported: What came of it; None where it could not be had.
        error: Why not, then.
        room: Which one it is the past of; empty for what our own device has shared.
        sender: Who has shared it; likewise.
        room_id: Likewise.
    """

    device: str
    imported: Imported | None
    error: ChatError | None = None
    room: str = ""
    sender: str = ""
    room_id: bytes = b""
