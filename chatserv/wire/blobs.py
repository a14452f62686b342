"""Files at the server: sealed bytes under an id, uploaded in pieces and read in pieces (docs/protocol.rst 18)."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from chatserv.errors import WireError
from chatserv.i18n import N_
from chatserv.wire.fields import LIST_PAGE, Command, Hash, Id, IdOrNone, Name, Reply

CHUNK_BYTES: Final = 32_768  # of a blob in one message: under the line limit, with room for others in the record
MAX_BLOB_BYTES: Final = 2**40

BlobSize = Annotated[int, Meta(ge=1, le=MAX_BLOB_BYTES)]
Offset = Annotated[int, Meta(ge=0, le=MAX_BLOB_BYTES)]
Chunk = Annotated[bytes, Meta(min_length=1, max_length=CHUNK_BYTES)]


class BadBlob(WireError):
    """A blob whose bytes do not have the hash that it was begun with: the server has dropped it."""

    code = "bad_blob"
    text = N_("What arrived at the server is not the file that was announced; it was dropped.")


class OpenBlob(Command, frozen=True, tag="blob_open"):
    """Begins a blob in a room, or asks how far it is: the same again resumes it. Answered by `Blob`.

    ``size``, ``hash``: of all of its sealed bytes.
    """

    room: Id
    id: Id
    size: BlobSize
    hash: Hash


class PutChunk(Command, frozen=True, tag="blob_chunk"):
    """The next piece of a blob that was begun. Answered by `Blob`; a piece that is there already is not written again."""

    id: Id
    offset: Offset
    data: Chunk

    def __repr__(self) -> str:
        return f"PutChunk(label={self.label}, id={self.id.hex()}, offset={self.offset}, {len(self.data)} bytes)"


class ReadBlob(Command, frozen=True, tag="blob_read"):
    """Asks for a piece of a blob that is whole. Answered by `BlobData`."""

    id: Id
    offset: Offset
    limit: Annotated[int, Meta(ge=1, le=CHUNK_BYTES)] = CHUNK_BYTES


class DropBlob(Command, frozen=True, tag="blob_drop"):
    """Ends a blob: its owner, or a moderator of its room. ``owner``: whose it has to be. Answered by `Ok`."""

    id: Id
    owner: Name = ""


class ListBlobs(Command, frozen=True, tag="blob_list"):
    """Asks for the own blobs whose ids come after ``after``. Answered by `BlobList`."""

    after: IdOrNone = b""


class Blob(Reply, frozen=True, tag="blob"):
    """How far a blob is: the next piece begins at ``received``. ``whole``: all is there, and has the hash."""

    id: Id
    size: BlobSize
    received: Offset
    whole: bool
    expires: int


class BlobData(Reply, frozen=True, tag="blob_data"):
    """A piece of a blob of ``size`` bytes; empty behind its end."""

    offset: Offset
    size: BlobSize
    data: Annotated[bytes, Meta(max_length=CHUNK_BYTES)]

    def __repr__(self) -> str:
        return f"BlobData(label={self.label}, offset={self.offset}, size={self.size}, {len(self.data)} bytes)"


class BlobInfo(msgspec.Struct, frozen=True):
    """An own blob; it is whole where ``received`` is ``size``."""

    id: Id
    room: Id
    size: BlobSize
    received: Offset
    created: int
    expires: int


class BlobList(Reply, frozen=True, tag="blob_list"):
    """Own blobs in order of id, and how many of ``quota`` bytes all of them count for. ``more``: there are others."""

    blobs: Annotated[tuple[BlobInfo, ...], Meta(max_length=LIST_PAGE)]
    used: int
    quota: int
    more: bool = False


BlobCommand = OpenBlob | PutChunk | ReadBlob | DropBlob | ListBlobs
BlobReply = Blob | BlobData | BlobList
