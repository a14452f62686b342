"""Whether a server can start here: everything that it needs is looked at, and nothing is made or changed."""

import datetime
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from chatserv.bus_address import BusAddress
from chatserv.clocks import now_ms
from chatserv.config import Config
from chatserv.errors import ChatError
from chatserv.i18n import _
from chatserv.launch import owner_of
from chatserv.local_errors import SettingsError, StateDirectoryError, of_system
from chatserv.net.certificates import Certified, check_new, gap_in_chain, read_certified
from chatserv.net.keys import load_identity
from chatserv.operations.registry import Result
from chatserv.operations.world import World
from chatserv.owners import system_text
from chatserv.private_files import DIRECTORY_MODE, open_to_others, read_private
from chatserv.probing import all_listeners, check_endpoints, listen_problem
from chatserv.settings_loading import load
from chatserv.state_directory import StatePaths
from chatserv.store.databases import Database, database_of

BUS_SECONDS: Final = 2.0  # that a bus server may take to greet
BUS_GREETING: Final = b"INFO "
EXPIRY_DAYS: Final = 30  # before the end of a certificate it is spoken of


class Check(msgspec.Struct, frozen=True):
    """What was found of one thing; ``level`` is ``ok``, ``warning`` or ``error``."""

    name: str
    level: str
    text: str


Checks = Iterator[Check]


def looked_at(
    check: Callable[[Config, StatePaths], Checks],
    config: Config,
    paths: StatePaths,
    rights: AbstractContextManager[None],
) -> list[Check]:
    """What a check finds with these rights; what it could not look at is an error among it."""
    found: list[Check] = []
    try:
        with rights:
            found += check(config, paths)
    except ChatError as error:
        found.append(Check(check.__name__, "error", str(error)))
    except OSError as error:
        found.append(Check(check.__name__, "error", str(of_system(error))))
    return found


async def check_config(world: World, _arguments: Mapping[str, Any]) -> Result:
    """Checks everything that a start needs. Raises `SettingsError`."""
    sources = world.sources().found()
    loaded = load(sources)
    checks = [Check("settings", "ok", _("settings: good"))]
    checks += [Check("settings", "warning", warning) for warning in loaded.warnings]
    try:
        with owner_of(world.paths.path).acting():
            load(sources)
    except SettingsError as error:
        said = _("the user that the server runs as cannot read them anew: {error}")
        checks.append(Check("settings", "warning", said.format(error=error)))
    for check in CHECKS:
        rights = nullcontext() if check is ports else owner_of(world.paths.path).acting()
        checks += looked_at(check, loaded.config, world.paths, rights)
    failed = any(each.level == "error" for each in checks)
    return Result({"checks": [msgspec.structs.asdict(each) for each in checks]}, code=1 if failed else 0)


def directory(_config: Config, paths: StatePaths) -> Checks:
    """Its owner and mode, and who holds it."""
    if not paths.path.exists():
        yield Check("directory", "ok", _("{path}: not there yet; the first start makes it").format(path=paths.path))
        return
    mode = stat.S_IMODE(paths.path.stat().st_mode)
    if mode & 0o077:
        raise StateDirectoryError(open_to_others(paths.path, mode, DIRECTORY_MODE))
    holder = paths.holder()
    said = _("{path}: a server runs there, process {pid}") if holder is not None else _("{path}: free")
    yield Check("directory", "ok", said.format(path=paths.path, pid=holder))


def _database(config: Config, paths: StatePaths) -> Database:
    return database_of(config.store, paths.database)


def identity(config: Config, paths: StatePaths) -> Checks:
    """The server's identity key."""
    if not paths.identity_key.exists():
        if _database(config, paths).exists():
            raise StateDirectoryError(
                f"{paths.identity_key}: missing, though there is a database: restore it from a backup"
            )
        yield _to_come(paths.identity_key, paths.identity_key.name)
        return
    load_identity(paths)
    yield Check("identity", "ok", _("{file}: the server's identity signs").format(file=paths.identity_key))


def certificate(config: Config, paths: StatePaths) -> Checks:
    """Key and certificate of TLS: whether they belong together, and when the certificate ends."""
    if config.tls.certificate:
        yield from _given_certificate(read_certified(config.tls, paths.path))
        return
    key_data, certificate_data = read_private(paths.tls_key), read_private(paths.tls_certificate)
    if key_data is None or certificate_data is None:
        yield _to_come(paths.tls_certificate, paths.tls_certificate.name)
        return
    try:
        key = serialization.load_pem_private_key(key_data, password=None)
        found = x509.load_pem_x509_certificate(certificate_data)
    except (ValueError, TypeError):
        raise StateDirectoryError(f"{paths.tls_certificate}: certificate or key does not parse") from None
    if key.public_key() != found.public_key():
        raise StateDirectoryError(f"{paths.tls_key}: not the key of {paths.tls_certificate.name}")
    yield _expiry(paths.tls_certificate, found)


def _expiry(file: Path, found: x509.Certificate) -> Check:
    left = found.not_valid_after_utc - datetime.datetime.fromtimestamp(now_ms() / 1000, datetime.UTC)
    date = found.not_valid_after_utc.date().isoformat()
    if left.total_seconds() <= 0:
        raise StateDirectoryError(f"{file}: ended on {date}")
    level = "warning" if left.days < EXPIRY_DAYS else "ok"
    said = _("{file}: key and certificate belong together; it ends on {date}")
    return Check("certificate", level, said.format(file=file, date=date))


def _given_certificate(certified: Certified) -> Checks:
    now = datetime.datetime.fromtimestamp(now_ms() / 1000, datetime.UTC)
    check_new(certified, now)
    trouble = certified.trouble(now)
    if trouble is not None:
        yield Check("certificate", "warning", trouble)
    gap = gap_in_chain(certified)
    if gap is not None:
        said = _("{file}: {name} has not signed the certificate before it; strict programs refuse such a chain")
        yield Check("certificate", "warning", said.format(file=certified.path, name=gap))
    if trouble is None and gap is None:
        said = _("{file}: key and certificate belong together; it ends on {date}")
        yield Check("certificate", "ok", said.format(file=certified.path, date=certified.ends))


def ports(config: Config, paths: StatePaths) -> Checks:
    """Whether the server can listen where it should, or the one that runs does."""
    server = config.server
    own = [each for each in server.listen if not each.removeprefix("haproxy:").startswith("systemd:")]
    check_endpoints(None, msgspec.structs.replace(server, listen=tuple(own)))
    listeners = all_listeners(server)
    held = _listened_on(paths.holder())
    others = [each for each in listeners if each.kind == "tcp" and each.port not in held]
    problem = listen_problem(others)
    if problem is not None:
        raise StateDirectoryError(f"cannot listen on {problem}")
    absent = [each.text for each in others if held and each.port]
    if absent:
        said = _(
            "the server that runs does not listen on {where}: it was started with other settings than these, or before they "
            "were changed"
        )
        yield Check("ports", "warning", said.format(where=", ".join(absent)))
        return
    where = ", ".join(each.text for each in listeners)
    said = _("the server that runs listens on {where}") if held else _("can listen on {where}")
    yield Check("ports", "ok", said.format(where=where))


def _listened_on(holder: int | None) -> frozenset[int]:
    """The TCP ports of the server that runs, as far as the system tells."""
    if holder is None:
        return frozenset()
    with suppress(psutil.Error):
        found = psutil.Process(holder).net_connections("tcp")
        return frozenset(each.laddr.port for each in found if each.status == psutil.CONN_LISTEN)
    return frozenset()


def database(config: Config, paths: StatePaths) -> Checks:
    """Whether it is ours, of a schema that this version knows, and readable."""
    place = _database(config, paths)
    if not place.exists():
        yield _to_come(place.name, "database" if place.shared else paths.database.name)
        return
    if not place.shared:
        mode = stat.S_IMODE(paths.database.stat().st_mode)
        if mode & 0o077:
            raise StateDirectoryError(open_to_others(paths.database, mode))
    said = _("{file}: good") if place.check() else _("{file}: of an older version; the next start brings it up to date")
    yield Check("database", "ok", said.format(file=place.name))
    for setting in place.weaknesses():
        said = _("{file}: {setting} is off there: what was acknowledged is lost with the power")
        yield Check("database", "warning", said.format(file=place.name, setting=setting))


def bus(config: Config, paths: StatePaths) -> Checks:
    """Whether the servers that link the nodes of a cluster answer; one of them is enough, and without any it is slower."""
    cluster = config.cluster
    if cluster.authority:
        _check_authority(paths.path / cluster.authority)
    for address in map(BusAddress.parse, cluster.bus):
        problem = _no_bus(address)
        said = _("{bus}: answers") if problem is None else _("{bus}: does not answer as a NATS server ({problem})")
        yield Check("bus", "ok" if problem is None else "warning", said.format(bus=address.text, problem=problem))


def _check_authority(file: Path) -> None:
    from chatserv.backplane.bus import certificates  # noqa: PLC0415 - who is alone has no use for it

    try:
        certificates(file)
    except ValueError:
        raise SettingsError(str(file), "cluster.authority", "holds no certificates", "name a file in PEM") from None


def _no_bus(address: BusAddress) -> str | None:
    """What is wrong there; None: a server greets us."""
    try:
        with socket.create_connection((address.host, address.port), BUS_SECONDS) as connection:
            return None if connection.recv(len(BUS_GREETING)) == BUS_GREETING else _("something else is there")
    except OSError as error:
        return system_text(error)


def _to_come(file: Path | str, name: str) -> Check:
    return Check(name, "ok", _("{file}: not there yet; the first start makes it").format(file=file))


CHECKS: Final[tuple[Callable[[Config, StatePaths], Checks], ...]] = (
    directory,
    identity,
    certificate,
    database,
    bus,
    ports,
)
