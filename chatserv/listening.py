"""Where a server listens, read from Twisted's endpoint strings. Pure; nothing is bound here."""

from msgspec import Struct
from msgspec.structs import replace

EVERY_ADDRESS = "0.0.0.0"  # nosec B104  # noqa: S104 - a server is there to be reached
POSITIONAL_BACKLOG = 4  # tcp:PORT:INTERFACE:BACKLOG and unix:PATH:MODE:BACKLOG, without names
ANY_ADDRESS = frozenset({"", EVERY_ADDRESS, "::"})


class Listener(Struct, frozen=True):
    """One endpoint.

    Attributes:
        kind: ``tcp`` (with ``host``, empty for every address, and ``port``), ``unix`` (with ``path``), or another one of
            Twisted's, which takes over what somebody else has bound.
        locked: Whether Twisted keeps a lock beside the socket of ``path``.
        index: Of ``systemd``, the how-manieth of the sockets that it hands over, from 0.
        fronted: Whether it speaks to a proxy in front of it alone, which people reach (``haproxy:``).
    """

    kind: str
    host: str = ""
    port: int = 0
    path: str = ""
    locked: bool = False
    index: int = 0
    fronted: bool = False

    @property
    def text(self) -> str:
        """How people are told of it: ``127.0.0.1:5000``, ``[::1]:5000``, ``unix:/run/chat``."""
        if self.kind == "tcp":
            return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host or EVERY_ADDRESS}:{self.port}"
        return f"systemd: socket {self.index}" if self.kind == "systemd" else f"{self.kind}:{self.path}"


def parse_listener(description: str) -> Listener:
    r"""Reads what Twisted has accepted as an endpoint string, with its escapes: ``tcp6:5000:interface=\:\:1``."""
    words, named = _split(description)
    kind, *rest = words
    if kind == "haproxy":
        return replace(parse_listener(description.partition(":")[2]), fronted=True)
    if kind in {"tcp", "tcp6", "ssl"}:
        port = named.get("port", rest[0] if rest else "0")
        return Listener("tcp", named.get("interface", "::" if kind == "tcp6" else ""), int(port))
    if kind == "unix":
        path = named.get("address", rest[0] if rest else "")
        return Listener("unix", path=path, locked=named.get("lockfile", "1") != "0")
    index = named.get("index", "")
    return Listener(kind, index=int(index) if index.isdecimal() else 0)


def with_backlog(description: str, backlog: int) -> str:
    """The endpoint string with so many connections that wait to be accepted, where it says nothing of that itself."""
    words, named = _split(description)
    words = words[words[0] == "haproxy" :]
    asks = words[0] in {"tcp", "tcp6", "ssl", "unix"} and "backlog" not in named
    return f"{description}:backlog={backlog}" if asks and len(words) < POSITIONAL_BACKLOG else description


def _split(description: str) -> tuple[list[str], dict[str, str]]:
    """The parts between colons: those without a name, and those of the form ``name=value``."""
    words: list[str] = []
    named: dict[str, str] = {}
    name: str | None = None
    part, characters = "", iter(description + ":")
    for character in characters:
        if character == "\\":
            part += next(characters, "")
        elif character == ":":
            if name is None:
                words.append(part)
            else:
                named[name] = part
            name, part = None, ""
        elif character == "=" and name is None:
            name, part = part, ""
        else:
            part += character
    return words, named
