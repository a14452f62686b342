"""By what a store knows a message again that its sender sends a second time."""

from typing import Final

KEY_BYTES: Final = 31  # never as long as a commit's hash, which stands in the same column
_PLACE: Final = slice(18, 33)  # of an envelope: the end of the room's id, epoch, leaf, generation


def message_key(envelope: bytes, message_id: bytes) -> bytes:
    """Its place in its sender's chain and the client's id.

    Who sends a message again sends the same bytes, so this says no less than the id alone; and what one sender says comes
    in this order, so that a row goes where the last one went in an index of millions, and not anywhere.

    Args:
        envelope: The message, or its header at least.
        message_id: What the client calls it, 16 bytes.

    Returns:
        `KEY_BYTES`: ``room_id[13:]; u32 epoch; u32 leaf; u32 generation; message_id[16]``.
    """
    return envelope[_PLACE] + message_id
