"""What a setting takes, in words for an operator: true or false, a whole number from 1 to 65535, "invite" or "open"."""

import json
from typing import Any, Literal, get_args, get_origin, get_type_hints

from msgspec import inspect


class Impossible(ValueError):
    """Values that have the right types and still cannot be: names the key within its table, and what to write instead."""

    def __init__(self, key: str, message: str, hint: str) -> None:
        super().__init__(f"{key}: {message}: {hint}")
        self.key, self.message, self.hint = key, message, hint


def require(condition: bool, key: str, message: str, hint: str) -> None:
    """Raises `Impossible` unless the condition holds."""
    if not condition:
        raise Impossible(key, message, hint)


def wanted(struct: type, name: str) -> str:
    """The values that the field ``name`` of a settings struct takes."""
    annotation = get_type_hints(struct, include_extras=True)[name]
    if get_origin(annotation) is Literal:
        *others, last = map(json.dumps, get_args(annotation))
        return f"{', '.join(others)} or {last}" if others else last
    return _words(inspect.type_info(annotation))


def _words(kind: inspect.Type) -> str:
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number from {kind.ge} to {kind.le}"
        case inspect.FloatType():
            return f"a number from {kind.ge:g} to {kind.le:g}"
        case inspect.StrType():
            return f"text{_length(kind.min_length, kind.max_length)}"
        case inspect.VarTupleType():
            return f"a list of at most {kind.max_length}, each {_words(kind.item_type)}"
        case _:
            raise AssertionError(f"no words for {kind}")


def _length(least: int | None, most: int | None) -> str:
    return f" of {least} to {most} characters" if least else f" of at most {most} characters"


def written(value: Any) -> str:
    """A value as it is written in a settings file: ``true``, ``null``, ``"text"``; dates as they are."""
    return json.dumps(value, ensure_ascii=False, default=str)
