"""What is secret shows in no ``repr`` of a value, whichever class holds it and whoever adds a field to it."""

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import msgspec
from twisted.trial.unittest import SynchronousTestCase

import chatserv
import clients
from chatserv.discreet import Discreet

SECRET: Final = re.compile(
    r"(^|_)(keys?|secrets?|tokens?|passwords?|passphrase|seed|private|invite|verifier|exporter|salted|pem|identity)$"
)
"""How the name of a field ends that may hold what nobody should read."""
TELLING: Final = re.compile(r"\b(bytes|str|Any)\b|PrivateKey")
"""Types that would show it: others are numbers, or values that hide it themselves."""
HARMLESS: Final = {
    "key of a list's row": ("clients.window.widgets.rows.Row.key",),
    "name of a file": ("chatserv.config.Tls.key",),
    "one of two words": ("chatserv.backup.restoring.Restored.key",),
    "public key, or its hash": (
        "chatserv.backup.archive.Manifest.server_key",
        "chatserv.client.history.lines.CertificateLine.identity",
        "chatserv.client.storage.stored_message.StoredMessage.identity",
        "chatserv.crypto.log_evidence.Evidence.server_key",
        "chatserv.wire.link.ServerLink.key",
        "chatserv.wire.notices.GuestWelcome.server_key",
        "chatserv.wire.notices.Welcome.server_key",
    ),
}


def modules() -> Iterator[Any]:
    """All modules of the server, the library and the programs but those that start something."""
    for package in (chatserv, clients):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def structs(of: type[Any] = msgspec.Struct) -> Iterator[type[Any]]:
    """All structs of this process."""
    for kind in of.__subclasses__():
        yield kind
        yield from structs(kind)


@cache
def values() -> list[type[Any]]:
    """All classes of ours that are made of fields, however they are made."""
    named = (kind for module in modules() for kind in vars(module).values() if isinstance(kind, type))
    found = {*filter(dataclasses.is_dataclass, named), *structs()}
    return [kind for kind in found if kind.__module__.partition(".")[0] in {"chatserv", "clients"}]


def types(kind: type[Any]) -> Mapping[str, str]:
    """What its fields are declared as."""
    if dataclasses.is_dataclass(kind):
        return {field.name: str(field.type) for field in dataclasses.fields(kind)}
    declared: dict[str, Any] = {}
    for each in reversed(kind.__mro__):
        declared |= vars(each).get("__annotations__", {})
    return {name: str(declared[name]) for name in kind.__struct_fields__}


def held(name: str) -> bytes:
    """What is in a field, to be found again."""
    return f"held in {name}".encode()


def filled(kind: type[Any]) -> Any:
    """One of the kind with something in each field, whether it would take that or not."""
    fields = {name: held(name) for name in types(kind)}
    if not dataclasses.is_dataclass(kind):
        unchecked = {"__post_init__": lambda _: None}
        return msgspec.defstruct(kind.__name__, (), bases=(kind,), namespace=unchecked, module=__name__)(**fields)
    made = kind.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def shows(value: Any) -> str:
    """Everything by which it shows itself, to people, logs and debuggers."""
    rich = value.__rich_repr__() if hasattr(value, "__rich_repr__") else ()
    return f"{value!r} {value!s} {list(rich)}"


class Pair(Discreet, frozen=True):
    """A value of this test."""

    shown = ("name",)

    name: str
    key: bytes


class Silent(Discreet, frozen=True):
    """Another one, which names no field."""

    key: bytes


class DiscreetTests(SynchronousTestCase):
    """A value that keeps to itself what it holds."""

    def test_repr(self) -> None:
        """Shows what its class names, and no other field."""
        self.assertEqual(repr(Pair("bob", b"hush")), "Pair(name='bob')")
        self.assertEqual(Pair("bob", b"hush").__rich_repr__(), [("name", "bob")])
        self.assertEqual((repr(Silent(b"hush")), str(Silent(b"hush"))), ("Silent()", "Silent()"))

    def test_equal(self) -> None:
        """What is not shown counts all the same."""
        self.assertNotEqual(Pair("bob", b"hush"), Pair("bob", b"hist"))
        self.assertEqual(hash(Pair("bob", b"hush")), hash(Pair("bob", b"hush")))


class EverywhereTests(SynchronousTestCase):
    """All classes of the server, the library and the programs."""

    def test_secrets(self) -> None:
        """No field that sounds secret is shown, unless it is listed as harmless; and none is listed that is not shown."""
        found = set()
        for kind in values():
            names = [name for name, type_ in types(kind).items() if SECRET.search(name) and TELLING.search(type_)]
            if names:
                said = shows(filled(kind))
                found |= {f"{kind.__module__}.{kind.__name__}.{name}" for name in names if f"{held(name)!r}" in said}
        self.assertEqual(sorted(found), sorted(name for names in HARMLESS.values() for name in names))

    def test_named(self) -> None:
        """A discreet class names fields that it has, and shows itself by them, whatever else it is made from."""
        for kind in values():
            if issubclass(kind, Discreet):
                fields = kind.__struct_fields__
                self.assertEqual(set(kind.shown) - set(fields), set(), kind)
                said = shows(filled(kind))
                self.assertEqual(
                    [name for name in fields if repr(held(name)) in said and name not in kind.shown], [], kind
                )
