"""The settings: frozen structs, each bound with its source. `chatserv.settings_loading` reads them."""

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from chatserv.cluster_settings import Cluster
from chatserv.domain.bans import parse_network
from chatserv.errors import BadMessage
from chatserv.limits import Limits
from chatserv.listening import ANY_ADDRESS, EVERY_ADDRESS, Listener, parse_listener
from chatserv.settings_file import shown
from chatserv.settings_words import Impossible, require
from chatserv.units import is_loopback, is_postgres_url, split_address, without_password
from chatserv.wire.link import MAX_LINK_ADDRESSES, Address, LinkInvalid, checked_host, is_host, parse_addresses

Port = Annotated[int, Meta(ge=1, le=65535)]
LEAST_AGE_SECONDS: Final = 3600.0
LEAST_BYTES: Final = 16 * 2**20
Text = Annotated[str, Meta(max_length=4096)]


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the server listens.

    ``listen`` holds Twisted endpoint strings and, when given, replaces ``host`` and ``port``. ``listen_plain`` is an
    address for plain TCP, for programs of the same machine. ``advertise`` is the host that links name, or several addresses
    with commas between; empty: find out.
    """

    host: Annotated[str, Meta(min_length=1, max_length=253)] = EVERY_ADDRESS  # where to listen; 0.0.0.0 is all of IPv4
    port: Port = 5000  # the port there
    max_connections: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000  # sessions after login
    listen: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=4096)], ...], Meta(max_length=64)
    ] = ()  # Twisted endpoint strings, in the place of host and port
    listen_plain: Text = ""  # an address for plain TCP, for programs of the same machine: 127.0.0.1:5001
    allow_plain_network: bool = False  # plain TCP for other machines too: names, times and sizes travel without TLS
    advertise: Text = ""  # the host that links name, or "HOST:PORT, HOST:PORT"; empty: find out
    trusted_networks: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...], Meta(max_length=64)
    ] = ()  # no bounds of one network go for these: a school, a proxy; loopback is one of them anyway

    def __post_init__(self) -> None:
        hint = 'write a name, or a whole address such as "127.0.0.1" or "::1"; "0.0.0.0" and "::" are every address'
        require(is_host(self.host), "host", f"{shown(self.host)} cannot be listened on", hint)
        hint = (
            f'write a name or an address that others reach, such as "chat.example.org" or "192.0.2.1:5000", or several with '
            f"commas between, {MAX_LINK_ADDRESSES} at most"
        )
        try:
            leads = all(host not in ANY_ADDRESS for host, _ in _addresses(self.advertise, self.port))
        except LinkInvalid:
            leads = False
        require(leads, "advertise", f"{shown(self.advertise)} leads nowhere", hint)
        for network in self.trusted_networks:
            try:
                parse_network(network)
            except BadMessage:
                hint = 'write an address or a network, such as "192.0.2.0/24" or "2001:db8::/32"'
                raise Impossible("trusted_networks", f"{shown(network)} is none", hint) from None
        try:
            plain = self.plain_address
        except ValueError as error:
            raise Impossible("listen_plain", f"{shown(self.listen_plain)} is not an address", str(error)) from None
        if plain is not None and not self.allow_plain_network:
            hint = 'use "127.0.0.1:5001"; allow_plain_network = true sends everything unencrypted over the network'
            require(
                is_loopback(plain[0]), "listen_plain", f"{shown(plain[0])} can be reached from other machines", hint
            )

    @property
    def plain_address(self) -> tuple[str, int] | None:
        """Host and port of the plain TCP listener; None: there is none."""
        return split_address(self.listen_plain) if self.listen_plain else None

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The TLS listeners."""
        return tuple(map(parse_listener, self.listen)) or (Listener("tcp", self.host, self.port),)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All that links name, each once; where no port is said, that of the first TCP listener, else ``port``."""
        ports = (listener.port for listener in self.listeners if listener.port)
        return tuple(dict.fromkeys(_addresses(self.advertise, next(ports, self.port)))) if self.advertise else ()


def _addresses(text: str, port: int) -> list[Address]:
    """Those of ``server.advertise``; none for an empty text. Raises `LinkInvalid`."""
    if not text or is_host(text):  # an IPv6 address alone may stand without brackets
        return [(checked_host(text), port)] if text else []
    return parse_addresses(",".join(part.strip() for part in text.split(",")), port)


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The certificate of TLS, as files in PEM: the full chain, and its key. Empty: one of the server's own.

    Relative paths are below the state directory.
    """

    certificate: Text = ""  # in PEM, its chain behind it; empty: one of our own
    key: Text = ""  # of the certificate, in PEM

    def __post_init__(self) -> None:
        for name, other in (("certificate", "key"), ("key", "certificate")):
            hint = f"name both files, or neither for a certificate of the server's own: tls.{name}"
            require(bool(getattr(self, name)) or not getattr(self, other), name, f"missing beside tls.{other}", hint)


class Security(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sizes of the one cipher suite, in bits, and who may make an account."""

    rsa_key_size: Literal[3072] = 3072  # the suite's (docs/protocol.rst 2.2); 2048 is raised to it, with a warning
    aes_key_size: Literal[256] = 256  # the suite's
    registration: Literal["invite", "open", "closed"] = "invite"  # who may make an account


class Logging(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is logged and where. A relative ``file`` is under the state directory; ``max_size`` is in bytes."""

    level: Literal["DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL"] = (
        "INFO"  # what is less than this is not logged
    )
    file: Annotated[str, Meta(min_length=1, max_length=1024)] = (
        "logs/server.log"  # a relative path is under the state directory; the other logs stand beside it
    )
    max_size: Annotated[int, Meta(ge=1024, le=2**40)] = 10 * 2**20  # 10 MB x 10 files
    keep_files: Annotated[int, Meta(ge=1, le=1000)] = 10  # old files of each log
    journal: Literal["none", "server", "all"] = "server"  # where systemd's journal takes what is printed

    def __post_init__(self) -> None:
        name = self.file.rpartition("/")[2]
        require(
            name not in ("", ".", ".."), "file", f"{shown(self.file)} is a directory", 'name a file: "logs/server.log"'
        )
        taken = name in ("connections.log", "monitor.log", "audit.log", "crash.log")
        require(not taken, "file", f"{name} is another log of the server", 'use another name, such as "server.log"')


class Monitoring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The child that samples the machine every ``interval`` seconds; silent for ``silence_seconds``, it is replaced.

    It ends a server whose reactor stands still for ``stuck_seconds``, for whoever starts it again.
    """

    enabled: bool = True  # whether there is a monitor child
    interval: Annotated[float, Meta(ge=0.1, le=86_400)] = 10.0  # seconds between two samples
    show_python_processes: bool = False  # with the samples, each Python process of the machine
    silence_seconds: Annotated[float, Meta(ge=0.3, le=3600)] = 10.0  # after which the child is replaced
    restart_backoff_min_seconds: Annotated[float, Meta(ge=0.01, le=3600)] = (
        0.5  # the wait before a child that has ended is replaced
    )
    restart_backoff_max_seconds: Annotated[float, Meta(ge=0.01, le=3600)] = 60.0  # which doubles up to this
    stuck_seconds: Annotated[float, Meta(ge=3, le=86_400)] = 30.0  # as deploy/chatserv.service has it for systemd

    def __post_init__(self) -> None:
        beats = 3 * self.beat_seconds
        require(self.silence_seconds >= beats, "silence_seconds", "shorter than 3 beats", f"write at least {beats:g}")
        low, high = self.restart_backoff_min_seconds, self.restart_backoff_max_seconds
        require(low <= high, "restart_backoff_min_seconds", "above the maximum", f"write at most {high:g}")

    @property
    def beat_seconds(self) -> float:
        """The longest that a healthy child stays silent."""
        return min(self.interval, 2.0)


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where ``/metrics`` and ``/health`` are; ``listen`` empty: nowhere."""

    listen: Text = ""  # "127.0.0.1:9464", or "unix:" and a path, in the state directory where it is relative
    allow_network: bool = False  # lets it be an address that other machines reach

    def __post_init__(self) -> None:
        try:
            address = self.address
        except ValueError as error:
            raise Impossible("listen", f"{shown(self.listen)} is not an address", str(error)) from None
        if isinstance(address, tuple) and not self.allow_network:
            hint = 'use "127.0.0.1:9464"; allow_network = true shows everybody who reaches it how the server is doing'
            require(is_loopback(address[0]), "listen", f"{shown(address[0])} can be reached from other machines", hint)

    @property
    def address(self) -> tuple[str, int] | str:
        """Host and port, or the path of a UNIX socket; empty: there is none. Raises ValueError."""
        kind, _, path = self.listen.partition(":")
        if kind == "unix" and not path:
            raise ValueError('write a path, such as "unix:/run/chatserv/metrics"')
        return path if kind == "unix" else split_address(self.listen) if self.listen else ""

    def listeners(self, state: Path) -> list[Listener]:
        """The listener, if there is one."""
        address = self.address
        if isinstance(address, tuple):
            return [Listener("tcp", *address)]
        return [Listener("unix", path=str(state / address), locked=True)] if address else []


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long messages are kept, for all rooms; changes of rooms stay. 0: for ever, and however many."""

    age: Annotated[float, Meta(ge=0, le=3_155_760_000)] = 0  # messages that are older go: "90d"; 0: none
    bytes: Annotated[int, Meta(ge=0, le=2**50)] = (
        0  # the oldest go while all of the database is larger: "10GB"; 0: none
    )

    def __post_init__(self) -> None:
        hint = 'write at least "1h", or 0 for ever'
        require(self.age == 0 or self.age >= LEAST_AGE_SECONDS, "age", "shorter than an hour", hint)
        hint = 'write at least "16MB", or 0 for however many'
        require(self.bytes == 0 or self.bytes >= LEAST_BYTES, "bytes", "smaller than an empty database gets", hint)

    @property
    def is_set(self) -> bool:
        """Whether there is a rule."""
        return bool(self.age or self.bytes)


class Store(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the store is: ``url`` empty: SQLite, in the state directory; else a PostgreSQL database, with Debian's
    ``postgresql`` and the extra ``chatserv[cluster]``.
    """

    url: Text = (
        ""  # "postgresql://chat@db/chat"; a password in it is not shown, and may stand in a .pgpass file instead
    )
    readers: Annotated[int, Meta(ge=1, le=64)] = 2  # connections that read, of a PostgreSQL database

    def __post_init__(self) -> None:
        hint = 'write "postgresql://USER@HOST/DATABASE", and signs in a password as %XX'
        require(not self.url or is_postgres_url(self.url), "url", "not the URL of a PostgreSQL database", hint)

    def __repr__(self) -> str:
        return f"Store(url={without_password(self.url)!r}, readers={self.readers})"


class Blobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the bytes of files are, which their senders have sealed; how many and how long: ``limits.blob_*``."""

    directory: Text = (
        ""  # relative: below the state directory; empty: blobs, there. Nodes need one that all of them see
    )

    def path(self, state: Path) -> Path:
        """The directory."""
        return state / (self.directory or "blobs")


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings; each has a default, so that an empty file is a complete one."""

    server: Server = Server()
    tls: Tls = Tls()
    security: Security = Security()
    logging: Logging = Logging()
    monitoring: Monitoring = Monitoring()
    metrics: Metrics = Metrics()
    retention: Retention = Retention()
    store: Store = Store()
    cluster: Cluster = Cluster()
    blobs: Blobs = Blobs()
    limits: Limits = Limits()

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All where people reach this server, each once: this node's own first, then those of the cluster."""
        return tuple(dict.fromkeys([*self.server.addresses, *self.cluster.addresses]))[:MAX_LINK_ADDRESSES]

    @property
    def has_place_for_files(self) -> bool:
        """Whether there is a directory for files: several nodes need one that they share."""
        return bool(self.blobs.directory or not self.cluster.is_set)

    @property
    def blob_days(self) -> float:
        """How long a file is kept: never longer than the message that names it."""
        return min(self.limits.blob_days, self.retention.age / 86_400 or self.limits.blob_days)
