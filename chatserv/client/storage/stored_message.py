"""A message as it is kept, and what it says by now."""

from dataclasses import replace
from functools import cached_property
from typing import Final

from chatserv.crypto.bodies import Body, Text, decode_body
from chatserv.crypto.file_body import File
from chatserv.discreet import Discreet
from chatserv.errors import Reject

LATEST_MS: Final = 2**53
"""A clock beyond it is nobody's: times are the server's and the senders' word."""


class StoredMessage(Discreet, frozen=True, dict=True):
    """One message.

    Attributes:
        room_id: 16 bytes.
        seq: Its place in the room.
        message_id: 16 bytes, chosen by the sender; it names the message together with them.
        sender: The user, from the roster.
        device_id: The sender's device, from the roster.
        leaf: That device's place in the roster.
        epoch: The epoch that it was sealed in.
        generation: Its number in the sender's chain.
        at_ms: When the server took it.
        sent_ms: When the sender says that it was sent: any number of 64 bits.
        ctype: A `chatserv.crypto.content.ContentType`, or an unknown number.
        body: As it was sent; empty once deleted.
        commit_hash: Of the epoch.
        edited_body: The newest edit's, if there was one.
        deleted: Whether it was taken back.
        identity: The fingerprint of the identity that the device is of, if it is not the one that we went by when the
            message came, nor accepted since; else empty.
        unproved: Whether it came from a file, which had nothing that shows who has said it.
    """

    shown = (
        "room_id", "seq", "message_id", "sender", "device_id", "leaf", "epoch", "generation", "at_ms", "sent_ms", "ctype",
        "commit_hash", "deleted", "identity", "unproved",
    )  # fmt: skip

    room_id: bytes
    seq: int
    message_id: bytes
    sender: str
    device_id: bytes
    leaf: int
    epoch: int
    generation: int
    at_ms: int
    sent_ms: int
    ctype: int
    body: bytes
    commit_hash: bytes
    edited_body: bytes | None = None
    deleted: bool = False
    identity: bytes = b""
    unproved: bool = False

    @cached_property
    def said(self) -> Body | None:
        """What the body says as it was sent; None for what cannot be read here."""
        try:
            return decode_body(self.ctype, self.body)
        except Reject:
            return None


def text_of(message: StoredMessage) -> Text | None:
    """The newest text of a kept message; None for a type that is not known here, and for a deleted one.

    Of a file it is what is said beside it. An edit that does not say what the message answers leaves that as it was.
    """
    if message.deleted:
        return None
    said = message.said
    body = Text(said.words) if isinstance(said, File) else said if isinstance(said, Text) else None
    if message.edited_body is None:
        return body
    try:
        edited = Text.decode(message.edited_body)
    except Reject:
        return None
    return replace(edited, reply_to=edited.reply_to or (None if body is None else body.reply_to))


def file_of(message: StoredMessage) -> File | None:
    """The file that a kept message brings; None where it brings none, and for one that was taken back."""
    return message.said if isinstance(message.said, File) and not message.deleted else None
