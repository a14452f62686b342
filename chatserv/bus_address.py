"""Where a server of the bus between nodes is."""

from typing import ClassVar, Final
from urllib.parse import unquote, urlsplit

import msgspec

from chatserv.discreet import Discreet

DEFAULT_PORT: Final = 4222


class BusAddress(Discreet, frozen=True):
    """Where a bus server is, and who we are there. A ``token`` stands in place of user and password."""

    shown: ClassVar[tuple[str, ...]] = ("host", "port", "tls")
    host: str
    port: int = DEFAULT_PORT
    tls: bool = False
    user: str = ""
    password: str = ""
    token: str = ""

    @classmethod
    def parse(cls, url: str) -> "BusAddress":
        """Of ``nats://[user:password@|token@]host[:port]``, or ``tls://`` where nothing may be sent in the clear.

        Raises:
            ValueError: It is none; the text holds nothing of it, since it may hold a password.
        """
        try:
            parts = urlsplit(url)
            port = DEFAULT_PORT if parts.port is None else parts.port
        except ValueError:
            raise ValueError("not an address of a bus server") from None
        if (
            parts.scheme not in {"nats", "tls"}
            or not parts.hostname
            or parts.path.strip("/")
            or parts.query
            or not port
        ):
            raise ValueError("not an address of a bus server: nats://HOST:PORT or tls://HOST:PORT")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        who = {"token": user} if user and parts.password is None else {"user": user, "password": password}
        return cls(parts.hostname, port, parts.scheme == "tls", **who)

    @property
    def secret(self) -> bool:
        """Whether something is sent that nobody else may see."""
        return bool(self.user or self.token)

    def beside(self, advertised: str) -> "BusAddress | None":
        """Another server of the same cluster, ``host:port``, where we are the same; None where it is none."""
        try:
            parts = urlsplit(f"//{advertised}")
            host, port = parts.hostname, parts.port
        except ValueError:
            return None
        if not host or not port or parts.username is not None:
            return None
        return msgspec.structs.replace(self, host=host, port=port)

    @property
    def text(self) -> str:
        """As people may read it: three stars for what nobody else may see."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.tls else 'nats'}://{'***@' if self.secret else ''}{host}:{self.port}"
