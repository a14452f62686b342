"""A session bus that takes notifications, and nothing else."""

import socket
import threading
from pathlib import Path
from typing import Any, Final, Self

from jeepney import HeaderFields, Message, MessageType, Parser, new_error, new_method_return

SECONDS: Final = 120.0


class NotificationBus:
    """Listens on a socket of its own, in a thread.

    Args:
        path: Of the socket.
        refuses: Whether it knows of no notifications.
    """

    def __init__(self, path: Path, *, refuses: bool = False) -> None:
        self.path, self._refuses = path, refuses
        self.shown: list[tuple[Any, ...]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        self._socket.listen()
        self._socket.settimeout(0.1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    @property
    def address(self) -> str:
        """As ``DBUS_SESSION_BUS_ADDRESS`` has it."""
        return f"unix:path={self.path},guid=0"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(SECONDS)
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _address = self._socket.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(SECONDS)
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        authenticated = b""
        while b"BEGIN\r\n" not in authenticated:
            data = connection.recv(4096)
            if not data:
                return
            authenticated += data
            if b"AUTH EXTERNAL" in data:
                connection.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
        parser = Parser()
        data = authenticated.partition(b"BEGIN\r\n")[2]
        serial = 0
        while True:
            parser.add_data(data)
            while (message := parser.get_next_message()) is not None:
                serial += 1
                connection.sendall(self._answer(message).serialise(serial))
            data = connection.recv(4096)
            if not data:
                return

    def _answer(self, message: Message) -> Message:
        if message.header.fields[HeaderFields.member] == "Hello":
            return new_method_return(message, "s", (":1.7",))
        assert message.header.message_type is MessageType.method_call
        if self._refuses:
            return new_error(message, "org.freedesktop.DBus.Error.ServiceUnknown", "s", ("nobody",))
        self.shown.append(message.body)
        return new_method_return(message, "u", (len(self.shown),))
