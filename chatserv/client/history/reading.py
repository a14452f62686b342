"""Reads a history file on another device of its user: each line is verified, and those that do not stand are named."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from chatserv.client.history.lines import (
    VERSION,
    CertificateLine,
    ChangeLine,
    End,
    Head,
    HistoryInvalid,
    Line,
    MessageLine,
    RoomLine,
    body_of,
    decode_line,
    numbered,
)
from chatserv.client.history_results import Imported, RefusedLine
from chatserv.client.inbound.content_handler import ContentHandler
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms
from chatserv.client.storage.history import HistoryTable
from chatserv.client.storage.proofs import KeptProof
from chatserv.client.storage.stored_message import LATEST_MS, StoredMessage
from chatserv.client.verification.proofs import ProofVerifier, Proven
from chatserv.crypto.bodies import Body, Edit, Reaction, Text
from chatserv.crypto.content import ContentType
from chatserv.crypto.e2e.proof import Proof
from chatserv.errors import Reject
from chatserv.i18n import _
from chatserv.local_errors import LocalFileError
from chatserv.owners import system_text

BATCH_LINES: Final = 200  # in one transaction
BATCH_SECONDS: Final = 0.01  # likewise
MAX_NAMED: Final = 100
"""Lines that were refused and are told with their reasons; further ones are counted."""
_BROUGHT: Final = "history brought "
_NO_MESSAGES: Final = frozenset(
    {*(ContentType.EDIT, ContentType.DELETE, ContentType.REACTION, ContentType.RECEIPT)}
    | {ContentType.HISTORY, ContentType.LOG_EVIDENCE, ContentType.ROOM_NAME, ContentType.OWN}
)


class HistoryReader:
    """Reads one file.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        contents: Takes what changes a message.
        proven: Whether what has no proof is left out.
        sharer: Whose history it is; None: our own.
        newcomer_to: The one room of which lines are taken, those from before our time there and what has changed them; what
            is here already stays as it is. None: of all rooms, at any time.
    """

    def __init__(
        self,
        context: ClientContext,
        rooms: Rooms,
        contents: ContentHandler,
        *,
        proven: bool = False,
        sharer: str | None = None,
        newcomer_to: bytes | None = None,
    ) -> None:
        self._proven_only = proven
        self._sharer, self._newcomer_to = context.user if sharer is None else sharer, newcomer_to
        self._context, self._rooms, self._contents = context, rooms, contents
        self._archive, self._table = self._context.vault.archive, HistoryTable(self._context.vault.database)
        self._verifier = ProofVerifier(self._context.server_id, self._context.log.facts)
        self._found = Imported()
        self._room: Room | None = None
        self._touched: set[bytes] = set()
        # A read that was cut short, maybe before what changes this message.
        cut = context.vault.facts.get(self._brought)
        self._new = set[bytes]() if cut is None else {cut}
        self._newest = b""

    @property
    def _brought(self) -> str:
        """The name under which it is kept which message was brought to the room last."""
        return _BROUGHT + (self._newcomer_to or b"").hex()

    async def read(self, path: Path) -> Imported:
        """Takes what stands of a file; what was refused is in the result, and the rest is in the archive.

        Raises:
            LocalFileError: It cannot be read.
            HistoryInvalid: It is another account's, or no history at all.
        """
        try:
            with os.fdopen(_regular(path), "rb") as file:
                return await self.take(file)
        except OSError as error:
            raise LocalFileError(f"{path}: {system_text(error)}", file=path) from None

    async def take(self, file: IO[bytes]) -> Imported:
        """As `read`, of an open file. Raises `HistoryInvalid`, and what the file raises."""
        await self._take_all(numbered(file))
        for room_id in self._touched:
            self._mark_read(room_id)
        self._context.vault.facts.delete(self._brought)
        return self._found

    async def _take_all(self, lines: Iterator[tuple[int, bytes]]) -> None:
        self._check_head(next(lines, (1, b""))[1])
        more = True
        while more:
            until = self._context.seconds() + BATCH_SECONDS
            with self._context.vault.transaction():
                more = False
                for _count, (number, data) in zip(range(BATCH_LINES), lines, strict=False):
                    self._take_line(number, data)
                    more = True
                    if self._context.seconds() > until:
                        break
                if self._newcomer_to is not None and self._newest:
                    self._context.vault.facts.put(self._brought, self._newest)
            await self._context.pause(0)  # others have their turn

    def _check_head(self, data: bytes) -> None:
        try:
            head = decode_line(data)
        except Reject as error:
            raise HistoryInvalid(error.detail) from None
        if not isinstance(head, Head) or head.version != VERSION:
            raise HistoryInvalid("history: another format, or a newer version")
        if (head.server, head.user) != (self._context.server_id.hex(), self._sharer):
            raise HistoryInvalid("history: of another account")

    def _take_line(self, number: int, data: bytes) -> None:
        try:
            with self._context.vault.transaction():
                self._take(decode_line(data))
        except Reject as error:
            found = self._found
            named = (*found.refused, RefusedLine(number, error.detail)) if found.refusals < MAX_NAMED else found.refused
            self._found = replace(found, refused=named, refusals=found.refusals + 1)

    def _take(self, line: Line) -> None:
        if self._found.whole:
            raise Reject("history: behind the end")
        match line:
            case Head():
                raise Reject("history: a second beginning")
            case CertificateLine(certificate, identity):
                self._verifier.learn(certificate, identity)
            case RoomLine(room_id):
                room = self._rooms.get(room_id)
                known = room is not None and room.row is not None and not room.offered and not room.of_devices
                self._room = room if known and self._newcomer_to in {None, room_id} else None
            case End():
                self._found = replace(self._found, whole=True)
            case MessageLine() | ChangeLine():
                if self._proven_only and line.proof is None:
                    self._found = replace(self._found, left_out=self._found.left_out + 1)
                elif self._room is None:
                    self._found = replace(self._found, elsewhere=self._found.elsewhere + 1)
                elif isinstance(line, MessageLine):
                    self._take_message(self._room, line)
                else:
                    self._take_change(self._room, line)

    # -- what was said -------------------------------------------------------------------------------------------------

    def _take_message(self, room: Room, line: MessageLine) -> None:
        if line.ctype in _NO_MESSAGES:
            raise Reject(f"history: content of type {line.ctype} is no message")
        proven = self._proven(room, line)
        body = line.body if proven is None else proven.content.body
        said = body_of(line.ctype, body) if body else None
        if line.text != (said.text if isinstance(said, Text) else None) or (line.deleted and body):
            raise Reject("history: the text is not what was signed")
        if proven is not None and proven.content.message_id != line.message_id:
            raise Reject("history: the id is not the one that was signed")
        message = self._message(room, line, line.message_id, body, proven)
        kept = None if proven is None else _kept(line, proven)
        found = self._found
        self._touched.add(room.room_id)
        if self._newcomer_to is not None and self._passes_over(room, line):
            return
        if self._archive.add(message, kept):
            self._newest = line.message_id
            self._new.add(line.message_id)
            new = replace(found, messages=found.messages + 1, unproved=found.unproved + (proven is None))
            self._found = new
        else:
            self._found = replace(found, known=found.known + 1)
            if kept is not None:
                self._table.prove(message, kept)

    def _passes_over(self, room: Room, line: MessageLine) -> bool:
        """Whether a newcomer has the message, or was there when it was said: the server brings such ones, not a member."""
        found = self._found
        if self._archive.by_id(room.room_id, line.message_id) is not None:
            self._found = replace(found, known=found.known + 1)
        elif room.row is None or line.seq > room.row.since:
            self._found = replace(found, elsewhere=found.elsewhere + 1)
        else:
            return False
        return True

    def _take_change(self, room: Room, line: ChangeLine) -> None:
        proven = self._proven(room, line)
        body = line.body if proven is None else proven.content.body
        said = body_of(line.ctype, body)
        if said is None or getattr(said, "target", None) != line.target or not line.tells(said):
            raise Reject("history: the change is not what was signed")
        target = self._archive.by_id(room.room_id, line.target)
        if target is None:
            self._found = replace(self._found, elsewhere=self._found.elsewhere + 1)
            return
        if self._newcomer_to is not None and line.target not in self._new:
            return  # an older change would undo a newer one
        if proven is None:
            self._take_unproved(target, line, said)
        else:
            message = self._message(room, line, proven.content.message_id, body, proven)
            self._contents.take(room, message, proven.proof)
            if line.ctype == ContentType.DELETE:
                self._table.prove(target, _kept(line, proven))
        self._found = replace(self._found, changes=self._found.changes + 1)

    def _take_unproved(self, target: StoredMessage, line: ChangeLine, said: Body) -> None:
        """Nothing that is proved, or came here by itself, is changed by it."""
        if not target.unproved or target.deleted:
            return
        if isinstance(said, Edit) and line.sender == target.sender:
            self._archive.mark_edited(target.room_id, line.target, said.text.encode(), line.seq)
        elif isinstance(said, Reaction):
            self._archive.react(target.room_id, line.target, line.sender, said.emoji, said.on)

    # -- who said it ---------------------------------------------------------------------------------------------------

    def _proven(self, room: Room, line: MessageLine | ChangeLine) -> Proven | None:
        if line.shareable is (line.proof is None):
            raise Reject("history: shareable is what has a proof")
        if line.proof is None:
            return None
        proven = self._verifier.verify(Proof.decode(line.proof), room.room_id)
        if proven.sender != line.sender or proven.content.ctype != line.ctype or line.body:
            raise Reject("history: not what the sender has signed")
        return proven

    def _message(
        self, room: Room, line: MessageLine | ChangeLine, message_id: bytes, body: bytes, proven: Proven | None
    ) -> StoredMessage:
        other = b""
        if proven is not None and self._context.pins.other(line.sender, proven.device.identity_fingerprint):
            other = proven.device.identity_fingerprint
        header = None if proven is None else proven.proof.header
        sent_ms = line.sent_ms if isinstance(line, MessageLine) else 0
        return StoredMessage(
            room_id=room.room_id,
            seq=line.seq,
            message_id=message_id,
            sender=line.sender,
            device_id=bytes(16) if proven is None else proven.device.device_id,
            leaf=0 if header is None else header.leaf,
            epoch=0 if header is None else header.epoch,
            generation=0 if header is None else header.generation,
            at_ms=min(line.at_ms, LATEST_MS),
            sent_ms=sent_ms if proven is None else min(proven.content.sent_ms, LATEST_MS),
            ctype=line.ctype,
            body=body,
            commit_hash=bytes(32) if proven is None else proven.proof.commit_hash,
            identity=other,
            deleted=isinstance(line, MessageLine) and line.deleted,
            unproved=proven is None,
        )

    def _mark_read(self, room_id: bytes) -> None:
        """What was said before this device came is not news here; what is unread on our others stays so."""
        room = self._rooms.get(room_id)
        if room is not None and room.row is not None and room.row.read < room.row.since:
            room.row = replace(room.row, read=room.row.since)
            self._context.vault.rooms.set_read(room_id, room.row.since)
            self._rooms.told_read(room)


def _kept(line: MessageLine | ChangeLine, proven: Proven) -> KeptProof:
    return KeptProof(line.seq, min(line.at_ms, LATEST_MS), line.sender, line.ctype, proven.proof)


def _regular(path: Path) -> int:
    if "\0" in str(path):
        raise OSError(0, _("not a file"))
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, _("not a file"))
    return descriptor
