"""Blobs that the server is to drop: remembered until it has heard of it."""

from chatserv.client.connection.requests import Requests
from chatserv.client.state.context import ClientContext, Interrupted
from chatserv.errors import ChatError
from chatserv.wire import messages


class Drops:
    """Drops blobs of ours, and of those whom we moderate.

    Args:
        context: What the client's parts share.
        requests: Tells the server.
    """

    def __init__(self, context: ClientContext, requests: Requests) -> None:
        self._context, self._requests = context, requests
        self._table = context.vault.files.drops

    def add(self, blob_id: bytes, owner: str) -> None:
        """The server is to drop it, if it is this user's, when what is under way now is stored."""
        self._table.add(blob_id, owner)
        self._context.later(0, self.go)

    def go(self) -> None:
        """Tells the server what it has not heard."""
        self._context.spawn(self._run(), "drop files")

    async def _run(self) -> None:
        for blob_id, owner in self._table.all():
            try:
                await self._requests.ask(messages.DropBlob, id=blob_id, owner=owner)
            except Interrupted:
                return
            except ChatError as error:
                if error.retryable:
                    return
            self._table.done(blob_id, owner)
