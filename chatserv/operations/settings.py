"""The settings, shown: the defaults with what each is for, and those that are in force with where they come from."""

import ast
import inspect
import re
import textwrap
import tokenize
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any, Final, get_type_hints

import msgspec

from chatserv.bus_address import BusAddress
from chatserv.config import Config
from chatserv.i18n import _
from chatserv.local_errors import NotDone
from chatserv.operations.registry import Result
from chatserv.operations.world import World
from chatserv.settings_loading import load
from chatserv.settings_words import wanted, written
from chatserv.units import without_password

COLUMNS: Final = 100
_FOR_TOOLS: Final = re.compile(r"\s*#\s*(?:noqa|type): [^#]*")


async def default_config(_world: World, _arguments: Mapping[str, Any]) -> Result:
    """A settings file in which every setting stands with its default, behind a comment sign."""
    return Result({"lines": list(default_lines())})


async def show(world: World, arguments: Mapping[str, Any]) -> Result:
    """The settings of a server that is started here. Raises `SettingsError`."""
    loaded, wish = load(world.sources()), arguments["key"]
    found = []
    for key, value in _values(loaded.config):
        if wish in {"", key, key.partition(".")[0]}:
            origin = {"origin": loaded.origin.get(key, "")} if arguments["origin"] else {}
            found.append({"key": key, "value": value, "written": written(value), **origin})
    if not found:
        raise NotDone(_("there is no setting {key}").format(key=wish))
    return Result({"settings": found})


def _values(config: Config) -> Iterator[tuple[str, Any]]:
    """Those of all keys, without passwords."""
    tables = msgspec.to_builtins(config)
    tables["store"]["url"] = without_password(config.store.url)
    tables["cluster"]["bus"] = [BusAddress.parse(url).text for url in config.cluster.bus]
    for table, values in tables.items():
        yield from ((f"{table}.{name}", value) for name, value in values.items())


def default_lines() -> Iterator[str]:
    """The lines of a TOML file with all defaults, made from the structs: what each takes, and the comment beside it."""
    yield "# Settings of chatserv. Every key is here with its default; take away the # in front of what you change."
    yield '# Durations may be written as "30s" or "5m", sizes as "10MB".'
    for table, struct in get_type_hints(Config).items():
        yield ""
        yield from _comment(inspect.cleandoc(struct.__doc__ or "").partition("\n\n")[0].replace("``", ""))
        yield f"[{table}]"
        comments, values = comments_of(struct), getattr(Config(), table)
        for name in struct.__struct_fields__:
            yield from _comment(f"{comments.get(name, '')} ({wanted(struct, name)})")
            yield f"#{name} = {written(msgspec.to_builtins(getattr(values, name)))}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), COLUMNS, initial_indent="# ", subsequent_indent="#   ")


def comments_of(struct: type) -> dict[str, str]:
    """By field, the comment that stands beside it in the source; nothing where there is no source."""
    try:
        source = textwrap.dedent(inspect.getsource(struct))
    except OSError:
        return {}
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    found: dict[int, str] = {}
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            found[token.start[0]] = _FOR_TOOLS.sub("", token.string).lstrip("# ")
    comments = {}
    for node in definition.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            comments[node.target.id] = " ".join(found[line] for line in lines if found.get(line))
    return {name: comment for name, comment in comments.items() if comment}
