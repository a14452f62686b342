"""What irctest starts in place of an IRC server. It runs in irctest's Python, without anything of ours: see `host`."""

import os
import subprocess
from typing import Any, ClassVar

from irctest.basecontrollers import BaseServerController, NotImplementedByController
from irctest.specifications import Capabilities


class ChatservController(BaseServerController):  # type: ignore[misc]
    """One server after the other, all in one process."""

    software_name = "chatserv"
    supported_sasl_mechanisms: ClassVar = {"PLAIN"}
    supports_sts = False
    extban_mute_char = "m"
    capabilities = frozenset(
        {
            Capabilities.ACCOUNT_TAG,
            Capabilities.AWAY_NOTIFY,
            Capabilities.BATCH,
            Capabilities.ECHO_MESSAGE,
            Capabilities.EXTENDED_JOIN,
            Capabilities.LABELED_RESPONSE,
            Capabilities.MESSAGE_REDACTION,
            Capabilities.MESSAGE_TAGS,
            Capabilities.MULTILINE,
            Capabilities.READ_MARKER,
            Capabilities.MULTI_PREFIX,
            Capabilities.SERVER_TIME,
        }
    )
    _host: "subprocess.Popen[bytes] | None" = None

    def run(self, hostname: str, port: int, *, password: str | None, ssl: bool, **rest: Any) -> None:
        """Opens a fresh server on that port."""
        del rest["run_services"]  # accounts are the server's own
        if ssl or any(rest.values()):
            raise NotImplementedByController("TLS, faketime, websocket")
        self.hostname, self.port = hostname, port
        self._say(f"open {port} {password or '-'}")
        self.port_open = True

    def wait_for_services(self) -> None:
        """Accounts are the server's own."""

    def registerUser(  # noqa: N802 - irctest's word
        self,
        case: Any,  # noqa: ARG002 - likewise
        username: str,
        password: str | None = None,
    ) -> None:
        """Makes an account; `password` is what its gateway asks for."""
        self._say(f"register {username} {password}")

    def check_is_alive(self) -> None:
        """It is, or `_say` would have raised."""

    def kill_proc(self) -> None:
        """Closes it; the process stays for the next one."""

    def kill(self) -> None:
        """Closes it."""
        if self.port_open:
            self._say("close")
            self.port_open = False
        super().kill()

    @classmethod
    def _say(cls, order: str) -> None:
        if cls._host is None:
            command = [os.environ["CHATSERV_PYTHON"], "-m", "tests.irctest.host"]
            root = os.environ["CHATSERV_ROOT"]
            cls._host = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert cls._host.stdin is not None
        assert cls._host.stdout is not None
        cls._host.stdin.write(f"{order}\n".encode())
        cls._host.stdin.flush()
        answer = cls._host.stdout.readline().strip()
        if answer != b"ok":
            raise RuntimeError(f"the host answers {answer!r} to {order!r}")


def get_irctest_controller_class() -> "type[ChatservController]":
    """For irctest."""
    return ChatservController
