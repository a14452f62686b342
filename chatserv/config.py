"""The settings: frozen structs, each bound with its source, and the one function that reads a file into them.

JSON or TOML, by the file's suffix. Durations are numbers of seconds or text such as ``"30s"``, sizes are numbers of bytes
or text such as ``"10MB"`` (1 MB = 1024 * 1024 bytes). Whatever is wrong with a file is a `SettingsError` of one line.
"""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_type_hints

import msgspec
from msgspec import Meta

from chatserv.listening import ANY_ADDRESS, Listener, parse_listener
from chatserv.settings_file import SettingsFile, join_key, shown
from chatserv.settings_words import Impossible, require, wanted
from chatserv.units import is_loopback, parse_duration, parse_size, split_address
from chatserv.wire.link import checked_host, is_host

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(ge=0.01, le=604_800)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=1024, le=2**30)]
Text = Annotated[str, Meta(max_length=4096)]


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the server listens.

    ``listen`` holds Twisted endpoint strings and, when given, replaces ``host`` and ``port``. ``listen_plain`` is an
    address for plain TCP, for programs of the same machine. ``advertise`` is the host that links name; empty: find out.
    """

    host: Annotated[str, Meta(min_length=1, max_length=253)] = "0.0.0.0"  # noqa: S104
    port: Port = 5000
    max_connections: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000  # sessions after login
    listen: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=4096)], ...], Meta(max_length=64)] = ()
    listen_plain: Text = ""
    allow_plain_network: bool = False
    advertise: Annotated[str, Meta(max_length=253)] = ""

    def __post_init__(self) -> None:
        hint = 'write a name, or a whole address such as "127.0.0.1" or "::1"; "0.0.0.0" and "::" are every address'
        require(is_host(self.host), "host", f"{shown(self.host)} cannot be listened on", hint)
        hint = 'write a name or an address that others reach, without a port, such as "chat.example.org" or "192.0.2.1"'
        leads = not self.advertise or (is_host(self.advertise) and self.advertise not in ANY_ADDRESS)
        require(leads, "advertise", f"{shown(self.advertise)} leads nowhere", hint)
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
    def advertised(self) -> tuple[str, int] | None:
        """The host that links name and the port there: that of the first TCP listener, else ``port``; None: find out."""
        ports = (listener.port for listener in self.listeners if listener.port)
        return (checked_host(self.advertise), next(ports, self.port)) if self.advertise else None


class Security(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sizes of the one cipher suite, in bits, and who may make an account."""

    rsa_key_size: Literal[3072] = 3072  # the suite's (docs/protocol.rst 2.2); `load` raises 2048 to it, with a warning
    aes_key_size: Literal[256] = 256  # the suite's
    registration: Literal["invite", "open", "closed"] = "invite"


class Logging(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is logged and where. A relative ``file`` is under the state directory; ``max_size`` is in bytes."""

    level: Literal["DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    file: Annotated[str, Meta(min_length=1, max_length=1024)] = "logs/server.log"
    max_size: Annotated[int, Meta(ge=1024, le=2**40)] = 10 * 2**20  # 10 MB x 10 files
    keep_files: Annotated[int, Meta(ge=1, le=1000)] = 10

    def __post_init__(self) -> None:
        name = self.file.rpartition("/")[2]
        require(
            name not in ("", ".", ".."), "file", f"{shown(self.file)} is a directory", 'name a file: "logs/server.log"'
        )
        taken = name in ("connections.log", "monitor.log", "audit.log")
        require(not taken, "file", f"{name} is another log of the server", 'use another name, such as "server.log"')


class Monitoring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The child that samples the machine every ``interval`` seconds; silent for ``silence_seconds``, it is replaced."""

    enabled: bool = True
    interval: Annotated[float, Meta(ge=0.1, le=86_400)] = 10.0
    show_python_processes: bool = False
    silence_seconds: Annotated[float, Meta(ge=0.3, le=3600)] = 10.0
    restart_backoff_min_seconds: Annotated[float, Meta(ge=0.01, le=3600)] = 0.5
    restart_backoff_max_seconds: Annotated[float, Meta(ge=0.01, le=3600)] = 60.0

    def __post_init__(self) -> None:
        beats = 3 * self.beat_seconds
        require(self.silence_seconds >= beats, "silence_seconds", "shorter than 3 beats", f"write at least {beats:g}")
        low, high = self.restart_backoff_min_seconds, self.restart_backoff_max_seconds
        require(low <= high, "restart_backoff_min_seconds", "above the maximum", f"write at most {high:g}")

    @property
    def beat_seconds(self) -> float:
        """The longest that a healthy child stays silent."""
        return min(self.interval, 2.0)


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every bound of the server. What each is for and where it comes from: docs/operations.rst, limits."""

    tls_handshake_seconds: Seconds = 10  # from accept; InspIRCd 20, Unreal 30
    login_seconds: Seconds = 30  # from accept, not extended by bytes; Unreal 30
    close_seconds: Seconds = 5  # a peer that ignores close_notify
    unauthenticated_connections: Count = 200  # OpenSSH MaxStartups; half of them, then random early drop
    unauthenticated_per_network: Count = 32  # from one IPv4 address or IPv6 /64; a class starts at once
    login_line_bytes: Annotated[int, Meta(ge=2500, le=4096)] = 4096  # docs/protocol.rst 1.3; a registration has 2,300
    login_total_bytes: Annotated[int, Meta(ge=5000, le=8192)] = 8192  # docs/protocol.rst 1.3: everything until FINISHED
    line_bytes: Annotated[int, Meta(ge=4096, le=65_536)] = 65_536  # docs/protocol.rst 1.3; clients read no longer lines
    envelope_bytes: Annotated[int, Meta(ge=1024, le=12_000)] = 12_000  # docs/rooms.rst 7.2
    sendq_soft_bytes: Bytes = 98_304  # stop reading that client; Ergo 96k
    sendq_hard_bytes: Bytes = 1_048_576  # cut it; InspIRCd 1M
    commands_in_flight: Count = 64  # commands of one session that wait for the store
    idle_seconds: Seconds = 60  # silence before a ping; Unreal 90
    idle_reply_seconds: Seconds = 30  # silence after the ping
    session_max_seconds: Annotated[float, Meta(ge=1, le=604_800)] = 86_400  # then the device logs in anew
    drain_seconds: Seconds = 8  # exit within 10 s
    retry_seconds: Seconds = 2  # how long a client that is turned away is asked to wait
    crypto_queue: Count = 64  # signatures that wait for the pool, then "busy"
    store_queue: Count = 10_000  # requests that wait for the store, then "busy"
    store_batch: Count = 512  # requests in one commit
    page_events: Annotated[int, Meta(ge=1, le=10_000)] = 128  # events in one answer; longer ones go in pages
    history_events: Annotated[int, Meta(ge=1, le=100_000)] = 500  # events that one request for history may ask for
    open_invites: Count = 1000  # unused invites kept
    invite_hours: Annotated[float, Meta(ge=0.01, le=8760)] = 24  # how long an invite works
    accounts: Count = 100_000  # accounts of one server
    rooms: Count = 10_000  # rooms of one server
    rooms_per_account: Annotated[int, Meta(ge=1, le=250)] = 200  # a welcome holds 250
    offers_per_account: Annotated[int, Meta(ge=1, le=250)] = 40  # places beside these that its user has not agreed to
    offers_per_inviter: Annotated[int, Meta(ge=1, le=250)] = 20  # of them by one account: to bring somebody into a team
    devices_per_account: Annotated[int, Meta(ge=1, le=10)] = 10  # docs/rooms.rst 3.4
    lease_seconds: Seconds = 15  # docs/protocol.rst 8: to make a commit, and per device of the room:
    lease_device_seconds: Seconds = 0.04
    lease_lapse_seconds: Seconds = 600  # docs/protocol.rst 8: who lets a lease lapse waits for the next
    lease_unused: Count = (
        3  # leases of a room that an account may give back unused within an hour; more count as lapsed
    )
    lease_waiting: Count = 600  # requests that wait for the lease of one room, then "busy"
    commits_per_hour: Count = 6  # docs/protocol.rst 8, of a device in a room
    commits_per_hour_moderator: Count = 60  # the same of moderators and owners
    joins_per_day: Count = 3  # docs/protocol.rst 8, of an account in a room
    one_time_prekeys: Annotated[int, Meta(ge=1, le=1000)] = 50  # docs/protocol.rst 10, of a device
    prekeys_low: Count = 20  # below this a device is asked for more
    prekeys_per_hour: Count = 20  # docs/protocol.rst 10: of one device for one requester, then the last-resort one
    prekeys_unused: Count = 10  # the same in a day, of those that no commit uses
    prekey_room_devices: Count = 50  # docs/protocol.rst 10: larger rooms get last-resort prekeys only
    log_page_leaves: Annotated[int, Meta(ge=1, le=400)] = 400  # leaves in one answer
    log_notice_leaves: Annotated[int, Meta(ge=1, le=400)] = 50  # leaves in one notice; more are fetched
    log_head_seconds: Seconds = (
        43_200  # the age at which a tree head is signed anew (docs/rooms.rst 8.2: clients alarm at a day)
    )
    unlogged_leaf_seconds: Seconds = 300  # docs/protocol.rst 8: a commit has to know leaves of this age
    cached_certificates: Count = 20_000
    counters: Count = 100_000  # entries in a table of rates; the oldest go first
    bans: Count = 10_000
    rekey_records: Annotated[int, Meta(ge=1, le=2**20)] = 2**20  # docs/protocol.rst 3.1; only less is allowed
    rekey_bytes: Annotated[int, Meta(ge=1024, le=2**30)] = 2**30  # docs/protocol.rst 3.1: bytes under one key
    rekey_seconds: Annotated[float, Meta(ge=1, le=3600)] = 3600  # docs/protocol.rst 3.1: age of a key

    def __post_init__(self) -> None:
        for lower, strict, upper in (
            ("tls_handshake_seconds", False, "login_seconds"),
            ("login_line_bytes", False, "login_total_bytes"),
            ("login_line_bytes", False, "line_bytes"),
            ("sendq_soft_bytes", True, "sendq_hard_bytes"),
            ("line_bytes", True, "sendq_hard_bytes"),
            ("store_batch", False, "store_queue"),
            ("prekeys_low", False, "one_time_prekeys"),
            ("commits_per_hour", False, "commits_per_hour_moderator"),
            ("log_notice_leaves", False, "log_page_leaves"),
        ):
            low, high = getattr(self, lower), getattr(self, upper)
            hint = f"write {'less than' if strict else 'at most'} {high}, or raise {upper}"
            require(low < high or (low == high and not strict), lower, f"{low} does not fit {upper}", hint)
        room = self.line_bytes * 3 // 4 - 1024  # base64 costs a third; the rest is header, tag and routing fields
        require(self.envelope_bytes <= room, "envelope_bytes", "does not fit line_bytes", f"write at most {room}")


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings; each has a default, so that an empty file is a complete one."""

    server: Server = Server()
    security: Security = Security()
    logging: Logging = Logging()
    monitoring: Monitoring = Monitoring()
    limits: Limits = Limits()


class Loaded(msgspec.Struct, frozen=True):
    """What `load` found: the settings, and what the operator should be told about them, one line each."""

    config: Config
    warnings: tuple[str, ...] = ()


def load(path: Path | None) -> Loaded:
    """Reads and checks a settings file (UTF-8, at most 1 MiB); None gives the defaults.

    Raises:
        SettingsError: The file cannot be read, parsed or used. Nothing else is raised, whatever the file holds.
    """
    if path is None:
        return Loaded(Config())
    file = SettingsFile(path)
    tree = file.read()
    warnings = _prepare(file, tree)
    try:
        config = msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        _explain(file, error, tree)
    if config.server.listen_plain and config.server.allow_plain_network:
        text = "plain TCP is open to the network; names, times and sizes travel without TLS"
        warnings.append(f"{file.name}: server.listen_plain: {text}")
    return Loaded(config, tuple(warnings))


def _prepare(file: SettingsFile, tree: dict[str, Any]) -> list[str]:
    """Refuses unknown keys; puts units and the seed's RSA size into the form of the structs, in place. Gives warnings."""
    tables = get_type_hints(Config)
    _check_known(file, tree, list(tables), "")
    for table, struct in tables.items():
        values = tree.get(table, {})
        if not isinstance(values, dict):
            file.fail(table, "not a table", f"write the keys of {table} in a table of their own")
        _check_known(file, values, list(struct.__struct_fields__), table)
        for name, value in values.items():
            if isinstance(value, str):
                values[name] = _with_unit(file, table, name, value)
    security = tree.get("security", {})
    size = security.get("rsa_key_size")
    if type(size) is not int or size != 2048:
        return []
    security["rsa_key_size"] = 3072
    reason = "RSA of 2048 bits reaches 112 bits of security, and the cipher suite promises 128"
    return [f"{file.name}: security.rsa_key_size: 2048 is raised to 3072: {reason}"]


def _check_known(file: SettingsFile, table: dict[str, Any], known: list[str], prefix: str) -> None:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name[:100], known, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"the keys here are {', '.join(known)}"
            file.fail(join_key(prefix, name), "unknown key", hint)


def _with_unit(file: SettingsFile, table: str, name: str, value: str) -> object:
    try:
        if name.endswith("_bytes") or (table, name) == ("logging", "max_size"):
            return parse_size(value)
        if name.endswith("_seconds") or (table, name) == ("monitoring", "interval"):
            return parse_duration(value)
    except ValueError as error:
        file.fail(f"{table}.{name}", f"{shown(value)} cannot be used", str(error))
    return value


def _explain(file: SettingsFile, error: msgspec.ValidationError, tree: dict[str, Any]) -> NoReturn:
    """Turns msgspec's ``Expected `int` <= 65535 - at `$.server.port``` into our line, with wish, value and default."""
    table, _, name = str(error).rpartition(" - at `$.")[2].rstrip("`").partition(".")
    name = name.partition("[")[0]
    if isinstance(error.__cause__, Impossible):
        cause = error.__cause__
        file.fail(f"{table}.{cause.key}", cause.message, cause.hint)
    values = getattr(Config(), table)
    default = msgspec.json.encode(getattr(values, name)).decode()
    message = f"expected {wanted(type(values), name)}, found {shown(tree[table][name])}"
    file.fail(f"{table}.{name}", message, f"the default is {default}")
