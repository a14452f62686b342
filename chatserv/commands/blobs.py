"""Files: sealed bytes that members of a room upload and read, in pieces (docs/protocol.rst 18)."""

from chatserv.blob_models import NewBlob, StoredBlob
from chatserv.commands.access import Access, refusal
from chatserv.commands.context import Context
from chatserv.commands.uploads import HOUR_MS, Upload, Uploads
from chatserv.crypto.room_state import Role
from chatserv.domain.hub import LiveSession
from chatserv.errors import Forbidden, NotFound, StorageFull, TooLarge
from chatserv.wire import messages
from chatserv.wire.fields import LIST_PAGE


def _uploads(context: Context) -> Uploads:
    """Raises `Forbidden`: this server takes no files."""
    if context.uploads is None:
        raise Forbidden("blob: no files here")
    return context.uploads


def _require(context: Context, session: LiveSession, upload: Upload, *, muted_may: bool = True) -> None:
    """Raises what a member of the blob's room, with this device in it, is not told."""
    refused = refusal(context, session, Access.DEVICE, upload.blob, muted_may=muted_may)
    if refused is not None:
        raise refused


def _told(label: int, blob: StoredBlob) -> messages.Blob:
    return messages.Blob(label, blob.blob_id, blob.size, blob.received, blob.whole, blob.expires_ms)


async def open_blob(context: Context, session: LiveSession, command: messages.OpenBlob) -> messages.Blob:
    """Begins a blob, or says how far it is; where the session may send in its room (the table looks at that).

    Raises:
        Forbidden: This server takes no files.
        TooLarge: Above ``limits.blob_bytes``.
        BadMessage, Quota, StorageFull: As of `chatserv.blob_ports.BlobStore.open_blob`; or the disk is too full.
    """
    uploads, limits = _uploads(context), context.config.limits
    if not limits.blob_bytes:
        raise Forbidden("blob: no files here")
    if command.size > limits.blob_bytes:
        raise TooLarge(f"blob: {command.size} bytes")
    if not await uploads.files.has_place(command.size, limits.blob_disk_share):
        raise StorageFull("blob: the disk")
    now_ms = context.now_ms()
    expires_ms = now_ms + round(limits.blob_open_hours * HOUR_MS)
    new = NewBlob(command.id, session.name, command.room, command.size, command.hash, now_ms, expires_ms)
    upload = await uploads.begin(new)
    return _told(command.label, upload.told)


async def put_chunk(context: Context, session: LiveSession, command: messages.PutChunk) -> messages.Blob:
    """Takes the next piece of an own blob. Raises as `Uploads.put`, and what sending in its room raises."""
    uploads = _uploads(context)
    upload = await uploads.find(command.id)
    if upload.blob.owner != session.name:
        raise NotFound("blob: of somebody else")
    _require(context, session, upload, muted_may=False)
    return _told(command.label, await uploads.put(upload, command.offset, command.data))


async def read_blob(context: Context, session: LiveSession, command: messages.ReadBlob) -> messages.BlobData:
    """A piece of a blob that is whole, for members of its room; when chat leaves place for it.

    Raises `NotFound` where it is not whole, or its bytes are not all there.
    """
    uploads = _uploads(context)
    upload = await uploads.find(command.id, whole=True)
    _require(context, session, upload)
    size = upload.blob.size
    if not upload.blob.whole:
        raise NotFound("blob: not whole")
    wanted = max(0, min(command.limit, size - command.offset))
    await session.outbox.writable()
    data = await uploads.files.read(command.id, command.offset, wanted) if wanted else b""
    if len(data) < wanted:
        raise NotFound("blob: bytes are missing")
    await session.outbox.writable()
    return messages.BlobData(command.label, command.offset, size, data)


async def drop_blob(context: Context, session: LiveSession, command: messages.DropBlob) -> messages.Ok:
    """Ends an own blob, or one of a room where the session's user is a moderator or owner. Raises `Forbidden`.

    Whoever has a message taken back says whose it was: its author has named the blob, which may be anybody's.
    """
    uploads = _uploads(context)
    upload = await uploads.find(command.id, whole=True)
    if upload.blob.owner != session.name:
        _require(context, session, upload)
        record = context.registry.get(upload.blob.room)
        role = None if record is None else record.role(session.name)
        if role is None or role < Role.MODERATOR:
            raise Forbidden("blob: of somebody else")
    if command.owner not in {"", upload.blob.owner}:
        raise Forbidden("blob: not of whom it should be")
    await uploads.drop([command.id])
    return messages.Ok(command.label)


async def list_blobs(context: Context, session: LiveSession, command: messages.ListBlobs) -> messages.BlobList:
    """A page of the own blobs, and how much of their bound all of them take."""
    quota = context.config.limits.blob_account_bytes if context.uploads is not None else 0
    found = await context.store.blobs(session.name, command.after, LIST_PAGE + 1)
    blobs = tuple(
        messages.BlobInfo(each.blob_id, each.room, each.size, each.received, each.created_ms, each.expires_ms)
        for each in found[:LIST_PAGE]
    )
    used = await context.store.blob_bytes(session.name)
    return messages.BlobList(command.label, blobs, used, quota, more=len(found) > LIST_PAGE)
