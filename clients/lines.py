"""How a message looks on a line: for people, sanitised, or as JSON for programs."""

import json
from datetime import datetime

from chatserv.client import MessageReceived, clean_line, isolate, translate


def readable(message: MessageReceived, *, room: bool = False) -> str:
    """``[HH:MM] <name> text`` in local time; nothing in it can move the cursor or forge a second line."""
    try:
        clock = datetime.fromtimestamp(message.at_ms / 1000).astimezone().strftime("%H:%M")
    except (OverflowError, OSError, ValueError):
        clock = "--:--"  # the server's word, and no time at all
    text = translate("(a kind of message that this version does not know)") if message.text is None else message.text
    where = f"#{clean_line(message.room)} " if room else ""
    return f"[{clock}] {where}<{isolate(clean_line(message.sender))}> {isolate(clean_line(text))}"


def as_json(message: MessageReceived) -> str:
    """One JSON object (ASCII, so that no terminal takes orders from it)."""
    return json.dumps(
        {
            "room": message.room,
            "seq": message.seq,
            "at": message.at_ms,
            "sender": message.sender,
            "id": message.message_id.hex(),
            "own": message.own,
            "text": message.text,
        }
    )
