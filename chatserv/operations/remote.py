"""Asks the running server, over the socket in its state directory. Standard library alone."""

import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from chatserv.errors import TooLarge
from chatserv.local_errors import NotDone
from chatserv.owners import reason

ANSWER_BYTES: Final = 64 * 2**20  # the longest line that a server answers with
PIECE_BYTES: Final = 65_536


class NoServer(NotDone):
    """Nobody listens there."""


def ask(
    control: Path, operation: str, arguments: Mapping[str, Any], progress: Callable[[str], None]
) -> Mapping[str, Any]:
    """What a server answers: ``result`` and ``code``, or ``error``.

    Args:
        control: The socket.
        operation: What is asked for.
        arguments: Its arguments.
        progress: Gets what the server tells meanwhile.

    Raises:
        NoServer: None runs there.
        NotDone: It is not ours to ask, or it went away.
    """
    with connect(control) as server:
        with suppress(OSError):  # it may have said why before it hung up
            server.sendall(json.dumps({"operation": operation, "arguments": arguments}).encode() + b"\r\n")
        for line in _lines(server):
            answer: dict[str, Any] = json.loads(line)
            if "progress" not in answer:
                return answer
            progress(str(answer["progress"]))
    raise NotDone(f"{control}: the server went away before it answered; whether it was done is not known")


def connect(control: Path) -> socket.socket:
    """A connection to the socket, however long its path is. Raises as `ask`."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        directory = os.open(control.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            server.connect(f"/proc/self/fd/{directory}/{control.name}")
        finally:
            os.close(directory)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        server.close()
        raise NoServer(f"{control.parent}: no server runs there") from None
    except OSError as error:
        server.close()
        raise NotDone(f"{control}: {reason(control, error)}") from None
    return server


def _lines(server: socket.socket) -> Any:
    held = bytearray()
    while True:
        try:
            piece = server.recv(PIECE_BYTES)
        except OSError:
            return
        if not piece:
            return
        held += piece
        if len(held) > ANSWER_BYTES:
            raise TooLarge("the server's answer")
        while b"\r\n" in held:
            line, _end, rest = held.partition(b"\r\n")
            held = bytearray(rest)
            yield bytes(line)
