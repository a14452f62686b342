"""Files in a room: sent, stopped on their way, saved, forgotten."""

from chatserv.client.file_events import Preview
from chatserv.client.outbound.pending import FAILED
from chatserv.client.outbound.sent import Sent
from chatserv.client.room_talk import RoomTalk
from chatserv.errors import NotFound


class RoomFiles(RoomTalk):
    """A room to send files to, and to get them from; made as `RoomTalk` is."""

    def send_file(self, path: str, words: str = "", *, preview: Preview | None = None) -> Sent:
        """Sends a file; fires with its ``seq`` when its message is stored, which is said when all of it is at the server.

        It goes on after lost connections and restarts, until it is there, `discard` gives it up, or it is refused: then it
        fails with what the server says. How far it is `FileProgress` tells. Chat on the same connection goes first.

        Args:
            path: A regular file, which is read at once, or when the files before it are sealed; links are not followed.
            words: What is said beside it; none are needed.
            preview: A small picture of it, for a picture.

        Raises:
            FileInvalid: It cannot be sent: no regular file, a link, a device; or the preview is too large.
            NoFiles, TooLarge: The server takes none, or none of this size (`Client.file_limits`).
            Quota: Too many wait already.
            NotMember, TextInvalid: As `send`.
        """
        self._require_agreed()
        asked = None if self._asker is None else self._asker.request
        return self._sent(self._engine.files.uploads.send(self._room, path, words, preview, asked))

    async def save_file(self, message_id: bytes, directory: str) -> str:
        """Gets the file of a message and saves it, under a safe name and over nothing that is there. Returns its path.

        What came of it is kept, sealed, and is not fetched again. It waits for the connection where there is none.
        Cancelled, it ends when its thread is done with the piece at hand: nothing of the file is there then, or all of it.

        Raises:
            NotFound: The message is not here, or brings no file.
            FileGone: The server does not have it any more.
            FileDamaged: What it has is not what the sender said.
            LocalFileError: It cannot be saved there.
            Interrupted: The program ends; another try goes on where this one was.
        """
        self._require_agreed()
        return await self._engine.files.save(self._room, message_id, directory)

    def pause_file(self, message_id: bytes) -> None:
        """Stops a file on its way, up or down, also over restarts. Raises `NotFound` where it is not on its way."""
        self._engine.files.pause(self._room, message_id, on=True)

    def resume_file(self, message_id: bytes) -> None:
        """Lets it go on. Raises `NotFound` where it is not on its way."""
        self._engine.files.pause(self._room, message_id, on=False)

    def forget_file(self, message_id: bytes) -> None:
        """Forgets what is kept here of a message's file; the message stays. Raises `NotFound` where it brings none."""
        self._require_agreed()
        self._engine.files.forget(self._room, message_id)

    def discard(self, message_id: bytes) -> None:
        """As for texts; of a file, whatever is at the server goes too."""
        if self._engine.files.uploads.discard(message_id):
            self._given_up(message_id)
        else:
            super().discard(message_id)

    def resend(self, message_id: bytes) -> Sent:
        """As for texts; of a file, it is read again, where this run has sent it. Raises also as `send_file`."""
        waiting, uploads = self._engine.outbox.waiting, self._engine.files.uploads
        message = waiting.get(message_id)
        if message is None or message.file is None:
            return super().resend(message_id)
        if message.state != FAILED or message_id not in uploads.sent_from:
            raise NotFound("file")
        path, preview = uploads.sent_from[message_id]
        sent = self.send_file(path, message.text, preview=preview)
        waiting.drop(message_id)
        return sent
