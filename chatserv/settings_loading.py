"""From sources to settings: what each says is checked, put together, and turned into the structs of `chatserv.config`.

JSON or TOML, by a file's suffix. Durations are numbers of seconds or text such as ``"30s"``, sizes are numbers of bytes
or text such as ``"10MB"`` (1 MB = 1024 * 1024 bytes). Whatever is wrong is a `SettingsError` of one line that names the
source: a file and its line, a variable, an option.
"""

import difflib
import json
from collections.abc import Mapping
from typing import Final, Literal, NoReturn, get_args, get_origin, get_type_hints

import msgspec

from chatserv.config import Config
from chatserv.settings_file import Source, join_key, shown
from chatserv.settings_sources import Sources, Tree, Words
from chatserv.settings_words import Impossible, wanted
from chatserv.units import parse_duration, parse_size

RAISED = "RSA of 2048 bits reaches 112 bits of security, and the cipher suite promises 128"

SIZES: Final = frozenset({("logging", "max_size"), ("retention", "bytes")})
DURATIONS: Final = frozenset({("monitoring", "interval"), ("retention", "age")})
"""Keys whose names do not say that they are sizes or durations, and that may be written as such."""
CROWD: Final = 1000
"""Places for who has not logged in, where there are several nodes: work for 6 s, and a handshake has 10.

2,000 people of a dead node were in at two others after 18 s; with 250 places after 43 s, in four times as many tries."""


class Loaded(msgspec.Struct, frozen=True):
    """What `load` found.

    ``warnings``: what the operator should be told, one line each. ``origin``: where each key that is set has its value
    from: ``file:line``, a variable, an option.
    """

    config: Config
    warnings: tuple[str, ...] = ()
    origin: Mapping[str, str] = {}


def load(sources: Sources) -> Loaded:
    """Reads and checks settings; without any source the defaults.

    Raises:
        SettingsError: A source cannot be read, parsed or used. Nothing else is raised, whatever it holds.
    """
    tree: Tree = {}
    origin: dict[str, Source] = {}
    for source, said in sources.read():
        _prepare(source, said)
        for table, values in said.items():
            tree.setdefault(table, {}).update(values)
            origin.update({f"{table}.{name}": source for name in values})
    warnings = _raise_rsa(tree, origin)
    _expect_crowds(tree)
    try:
        config = msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        _explain(origin, error, tree)
    if config.store.url and config.retention.bytes:
        hint = "use retention.age: what is deleted makes a PostgreSQL database no smaller"
        origin["retention.bytes"].fail("retention.bytes", "not together with store.url", hint)
    if config.cluster.bus and not config.store.url:
        hint = "name the PostgreSQL database in store.url that the nodes share; a file is one node's alone"
        origin["cluster.bus"].fail("cluster.bus", "not without store.url", hint)
    if config.server.listen_plain and config.server.allow_plain_network:
        text = "plain TCP is open to the network; names, times and sizes travel without TLS"
        warnings.append(f"{origin['server.listen_plain'].name}: server.listen_plain: {text}")
    if not config.has_place_for_files:
        text = "people cannot send files: name a directory in blobs.directory that all nodes see"
        warnings.append(f"{origin['cluster.bus'].name}: cluster.bus: {text}")
    return Loaded(config, tuple(warnings), {key: source.place(key) for key, source in origin.items()})


def _prepare(source: Source, tree: Tree) -> None:
    """Refuses unknown keys; puts words and units into the form of the structs, in place."""
    tables = get_type_hints(Config)
    _check_known(source, tree, list(tables), "")
    for table, values in tree.items():
        struct = tables[table]
        if not isinstance(values, dict):
            source.fail(table, "not a table", f"write the keys of {table} in a table of their own")
        _check_known(source, values, list(struct.__struct_fields__), table)
        for name, value in values.items():
            if isinstance(source, Words):
                values[name] = _from_words(source, struct, name, value)
            if isinstance(values[name], str):
                values[name] = _with_unit(source, table, name, values[name])


def _check_known(source: Source, table: Tree, known: list[str], prefix: str) -> None:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name[:100], known, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"the keys here are {', '.join(known)}"
            source.fail(join_key(prefix, name), "unknown key", hint)


def _from_words(source: Words, struct: type, name: str, value: object) -> object:
    """What the text of a variable or an option means where such a key stands; what it cannot mean stays the text."""
    kind = get_type_hints(struct)[name]
    if (
        not isinstance(value, str)
        or kind is str
        or (get_origin(kind) is Literal and isinstance(get_args(kind)[0], str))
    ):
        return value
    try:
        meant = json.loads(value.lower() if kind is bool else value)
    except (ValueError, RecursionError):
        return value
    source.check(meant, source.key)
    return meant


def _with_unit(source: Source, table: str, name: str, value: str) -> object:
    try:
        if name.endswith(("_bytes", "_bytes_per_second")) or (table, name) in SIZES:
            return parse_size(value)
        if name.endswith("_seconds") or (table, name) in DURATIONS:
            return parse_duration(value)
    except ValueError as error:
        source.fail(f"{table}.{name}", f"{shown(value)} cannot be used", str(error))
    return value


def _raise_rsa(tree: Tree, origin: Mapping[str, Source]) -> list[str]:
    """Puts the suite's RSA size in the place of the 2048 bits of older settings. Gives the warning."""
    security = tree.get("security", {})
    size = security.get("rsa_key_size")
    if type(size) is not int or size != 2048:
        return []
    security["rsa_key_size"] = 3072
    return [f"{origin['security.rsa_key_size'].name}: security.rsa_key_size: 2048 is raised to 3072: {RAISED}"]


def _expect_crowds(tree: Tree) -> None:
    """Makes room for everybody of a node that has died, who come to the others at once, where nothing else is said."""
    if tree.get("cluster", {}).get("bus"):
        tree.setdefault("limits", {}).setdefault("unauthenticated_connections", CROWD)


def _explain(origin: Mapping[str, Source], error: msgspec.ValidationError, tree: Tree) -> NoReturn:
    """Turns msgspec's ``Expected `int` <= 65535 - at `$.server.port``` into our line, with wish, value and default."""
    table, _, name = str(error).rpartition(" - at `$.")[2].rstrip("`").partition(".")
    name = name.partition("[")[0]
    if isinstance(error.__cause__, Impossible):
        cause = error.__cause__
        key = f"{table}.{cause.key}"
        others = [
            source for each, source in origin.items() if each.startswith(f"{table}.")
        ]  # one of which it clashes with
        origin.get(key, others[-1]).fail(key, cause.message, cause.hint)
    values = getattr(Config(), table)
    default = msgspec.json.encode(getattr(values, name)).decode()
    secret = (table, name) in {("store", "url"), ("cluster", "bus")}
    found = "another" if secret else shown(tree[table][name])
    message = f"expected {wanted(type(values), name)}, found {found}"
    origin[f"{table}.{name}"].fail(f"{table}.{name}", message, f"the default is {default}")
