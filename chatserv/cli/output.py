"""What the command prints. Names, reasons and whatever else came from people cannot move the cursor, hide or reorder."""

import json
import sys
from typing import Any

from chatserv.operations.registry import Operation, Result
from chatserv.streams import escape, say


def safe(data: Any) -> Any:
    """The same data with every text in it fit for one place on a terminal."""
    if isinstance(data, str):
        return _safe_text(data)
    if isinstance(data, dict):
        return {key: safe(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [safe(each) for each in data]
    return data


def _safe_text(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    from chatserv.sanitize import isolate  # noqa: PLC0415 - most texts do without

    return isolate(escape(text))


def print_result(operation: Operation, result: Result, *, as_json: bool) -> None:
    """Prints what an operation gave, for programs or for people."""
    if as_json:
        say(sys.stdout, json.dumps(result.data) + "\n")
    else:
        say(sys.stdout, "".join(f"{line}\n" for line in operation.show(safe(result.data))))


def print_progress(line: str) -> None:
    """Tells of progress, beside the result."""
    say(sys.stderr, f"{safe(line)}\n")


def print_error(code: str, text: str, *, as_json: bool) -> None:
    """Tells why something was not done: a line for people, and with JSON an object as well."""
    if as_json:
        say(sys.stdout, json.dumps({"error": {"code": code, "text": text}}) + "\n")
    say(sys.stderr, f"chatserv: {safe(text)}\n")
