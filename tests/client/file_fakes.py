"""A room and a client whose files do nothing but note what they are asked for."""

from typing import TYPE_CHECKING, Any

from chatserv.client.file_events import Attachment, FileLimits, OwnFile, OwnFiles, Preview

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

AT_MS = 1_760_000_000_000


def attachment(number: int = 1, **fields: Any) -> Attachment:
    """The file of a message of these tests."""
    given: dict[str, Any] = {"name": "report.pdf", "mime": "application/pdf", "size": 2_100_000} | fields
    return Attachment(bytes([number]) * 16, **given)


class FakeFilesRoom:
    """What a room does with files."""

    def _stored(self, *call: Any) -> "Deferred[int]":
        raise NotImplementedError

    def _note(self, *call: Any) -> None:
        raise NotImplementedError

    def send_file(self, path: str, words: str = "", *, preview: Preview | None = None) -> "Deferred[int]":
        """Sends one."""
        return self._stored("send_file", path, words, *(() if preview is None else (preview,)))

    async def save_file(self, message_id: bytes, directory: str) -> str:
        """Saves one."""
        self._note("save_file", message_id, directory)
        return f"{directory}/report.pdf"

    def pause_file(self, message_id: bytes) -> None:
        """Stops one."""
        self._note("pause_file", message_id)

    def resume_file(self, message_id: bytes) -> None:
        """Lets one go on."""
        self._note("resume_file", message_id)


class FakeFiles:
    """What a client knows of files."""

    file_limits = FileLimits(100_000_000, 30)

    async def files(self) -> OwnFiles:
        """Two at the server, one of them not complete, and not from here."""
        there = OwnFile(b"a" * 16, "plans", "report.pdf", 2_100_000, 2_100_000, AT_MS)
        return OwnFiles((there, OwnFile(b"b" * 16, "", "", 7_000_000, 500_000, AT_MS)), 2_600_000, 1_000_000_000)
