"""Files: sealed bytes that members of a room upload and read."""

from chatserv.commands.context import Context
from chatserv.domain.hub import LiveSession
from chatserv.errors import Forbidden
from chatserv.wire import messages


async def open_blob(context: Context, session: LiveSession, command: messages.OpenBlob) -> messages.Blob:  # noqa: ARG001
    """Raises `Forbidden`: this server takes no files."""
    raise Forbidden("blob: no files here")


async def put_chunk(context: Context, session: LiveSession, command: messages.PutChunk) -> messages.Blob:  # noqa: ARG001
    """Raises `Forbidden`: this server takes no files."""
    raise Forbidden("blob: no files here")


async def read_blob(context: Context, session: LiveSession, command: messages.ReadBlob) -> messages.BlobData:  # noqa: ARG001
    """Raises `Forbidden`: this server takes no files."""
    raise Forbidden("blob: no files here")


async def drop_blob(context: Context, session: LiveSession, command: messages.DropBlob) -> messages.Ok:  # noqa: ARG001
    """Raises `Forbidden`: this server takes no files."""
    raise Forbidden("blob: no files here")


async def list_blobs(context: Context, session: LiveSession, command: messages.ListBlobs) -> messages.BlobList:  # noqa: ARG001
    """None: this server takes no files."""
    return messages.BlobList(command.label, (), 0, 0)
