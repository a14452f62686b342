"""Writes one's own history to a file that only its user may read."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from chatserv.client.history.lines import (
    VERSION,
    CertificateLine,
    ChangeLine,
    End,
    Head,
    Line,
    MessageLine,
    RoomLine,
    body_of,
    encode_line,
)
from chatserv.client.history_results import Exported
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms
from chatserv.client.storage.history import HistoryTable, KeptMessage
from chatserv.client.storage.proofs import KeptProof
from chatserv.client.verification.proofs import ProofVerifier
from chatserv.crypto.bodies import Edit, Reaction, Text, decode_body
from chatserv.crypto.content import ContentType
from chatserv.errors import Reject
from chatserv.i18n import _
from chatserv.owners import system_text
from chatserv.private_files import FILE_MODE, PrivateFileError, sync_directory

PAGE: Final = 50  # messages between two turns of the reactor


class HistoryWriter:
    """Writes one file.

    Args:
        context: Has the archive.
        rooms: For names.
        newest: How many messages of each room at most, the newest; None: all.
        proven: Whether what has no proof is left out.
    """

    def __init__(
        self, context: ClientContext, rooms: Rooms, newest: int | None = None, *, proven: bool = False
    ) -> None:
        self._context, self._rooms = context, rooms
        self._newest, self._proven = newest, proven
        self._table = HistoryTable(context.vault.database)
        self._verifier = ProofVerifier(self._context.server_id, self._context.log.facts)
        self._messages = self._unproved = 0

    async def write(self, path: Path, rooms: list[Room]) -> Exported:
        """Writes what is kept of these rooms. Raises `PrivateFileError`; half a file does not stay.

        Args:
            path: A file that is not there yet.
            rooms: In their order.
        """
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
        except FileExistsError:
            raise PrivateFileError(f"{path}: {_('exists already: choose another name')}", file=path) from None
        except (OSError, ValueError) as error:  # ValueError: a null byte
            raise PrivateFileError(f"{path}: {system_text(error)}", file=path) from None
        whole = False
        try:
            with os.fdopen(descriptor, "wb") as file:
                found = await self.fill(file.write, rooms)
                file.flush()
                os.fsync(descriptor)
            sync_directory(path.parent)
            whole = True
        except OSError as error:
            raise PrivateFileError(f"{path}: {system_text(error)}", file=path) from None
        finally:
            if not whole:
                with suppress(OSError):
                    path.unlink()
        return found

    async def fill(self, write: Callable[[bytes], object], rooms: list[Room]) -> Exported:
        """Gives it line by line to ``write``. Raises what that raises."""
        context, count = self._context, 0
        write(encode_line(Head(VERSION, context.server_id.hex(), context.user, context.now_ms())))
        for room in rooms:
            seq = 0 if self._newest is None else self._table.newest(room.room_id, self._newest)
            position = -1
            while page := self._table.page(room.room_id, seq, position, PAGE):
                if position < 0:
                    count += 1
                    write(encode_line(RoomLine(room.room_id, self._rooms.name(room))))
                for kept in page:
                    for line in self._lines(kept):
                        write(encode_line(line))
                seq, position = page[-1].message.seq, page[-1].position
                await context.pause(0)
        write(encode_line(End(self._messages)))
        return Exported(self._messages, self._unproved, count)

    # -- one message ---------------------------------------------------------------------------------------------------

    def _lines(self, kept: KeptMessage) -> Iterator[Line]:
        message = kept.message
        proofs = []
        for each in kept.proofs:
            certificate = self._certificate(each)
            if certificate is not None:
                yield from certificate
                proofs.append(each)
        own = next((each for each in proofs if each.ctype == message.ctype and not message.deleted), None)
        if own is None and self._proven:
            self._unproved += not message.deleted
            return
        body = b"" if message.deleted else message.body
        yield MessageLine(
            message.seq,
            message.at_ms,
            message.sender,
            message.message_id,
            message.ctype,
            shareable=own is not None,
            text=_text(message.ctype, body),
            deleted=message.deleted,
            proof=None if own is None else own.proof.encode(),
            body=body if own is None else b"",
            sent_ms=min(message.sent_ms, 2**53),
        )
        self._messages += 1
        self._unproved += own is None
        for each in proofs:
            if each is not own:
                yield _change(message.message_id, each)
        if not self._proven:
            yield from self._unproved_changes(kept, proofs)

    def _certificate(self, kept: KeptProof) -> tuple[Line, ...] | None:
        """The line that has to stand before a proof, if any; None where the proof does not stand."""
        cert_hash, known = kept.proof.cert_hash, self._verifier.knows(kept.proof.cert_hash)
        stored = None if known else self._context.vault.certificates.get(cert_hash)
        try:
            if stored is not None:
                self._verifier.learn(stored.certificate, stored.identity_spki)
            self._verifier.verify(kept.proof, kept.proof.header.room_id)
        except Reject:
            return None
        return () if stored is None else (CertificateLine(stored.certificate, stored.identity_spki),)

    def _unproved_changes(self, kept: KeptMessage, proofs: list[KeptProof]) -> Iterator[Line]:
        """An edit and signs from before there were proofs."""
        message, target = kept.message, kept.message.message_id
        if message.edited_body is not None and not any(each.ctype == ContentType.EDIT for each in proofs):
            body, text = target + message.edited_body, _text(ContentType.TEXT, message.edited_body)
            edit = int(ContentType.EDIT)
            yield ChangeLine(kept.edited_seq, 0, message.sender, target, edit, shareable=False, text=text, body=body)
        proved = {(each.sender, each.detail) for each in proofs if each.ctype == ContentType.REACTION}
        for user, emoji in kept.signs:
            if (user, emoji) not in proved:
                sign, body = int(ContentType.REACTION), Reaction(target, emoji).encode()
                yield ChangeLine(0, 0, user, target, sign, shareable=False, emoji=emoji, body=body)


def _text(ctype: int, data: bytes) -> str | None:
    body = body_of(ctype, data)
    return body.text if isinstance(body, Text) else None


def _change(target: bytes, kept: KeptProof) -> ChangeLine:
    body = decode_body(kept.ctype, kept.said)
    return ChangeLine(
        kept.seq,
        kept.at_ms,
        kept.sender,
        target,
        kept.ctype,
        shareable=True,
        text=body.text.text if isinstance(body, Edit) else None,
        emoji=body.emoji if isinstance(body, Reaction) else None,
        on=not isinstance(body, Reaction) or body.on,
        proof=kept.proof.encode(),
    )
