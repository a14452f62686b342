"""Files of all rooms, for programs: what the server takes and has of ours, and how much is kept here."""

from chatserv.client.client_life import ClientLife
from chatserv.client.file_events import FileLimits, OwnFiles


class ClientFiles(ClientLife):
    """A client that is asked for files; its arguments are those of `ClientLife`."""

    @property
    def file_limits(self) -> FileLimits:
        """What the server takes, and how long it keeps it: what it has said last. A size of 0: it takes none."""
        return self.engine.files.limits

    async def files(self) -> OwnFiles:
        """Our files at the server, in no order that says anything, with their names as far as this device knows them."""
        return await self.engine.files.own()

    @property
    def file_cache_limit(self) -> int:
        """How many bytes of received files this device keeps, sealed; those not used for longest go first."""
        return self.engine.files.cache_limit

    def set_file_cache_limit(self, size: int) -> None:
        """Keeps so many bytes from now on, whichever program runs. Raises `ValueError` below 0, and above 2**50."""
        if not 0 <= size <= 2**50:
            raise ValueError("files: 0 to 2**50 bytes")
        self.engine.files.set_cache_limit(size)
