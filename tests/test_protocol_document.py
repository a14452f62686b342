"""docs/protocol.rst, docs/rooms.rst and the code say the same."""

import inspect
import json
import re
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto import bodies, commits
from chatserv.crypto.commits import Add, Create, Leave, Remove, SetMember, SetPolicy, encode_op
from chatserv.crypto.content import ContentType
from chatserv.crypto.log_leaves import LEAF_BYTES, TREE_HEAD_BYTES, LeafType
from chatserv.crypto.prekeys import PREKEY_BYTES, SIGNED_PREKEY_BYTES
from chatserv.crypto.room_state import Kind, Policy, Role, RosterEntry
from chatserv.crypto.wraps import WRAP_BYTES, WrapScope
from chatserv.errors import Reject, WireError
from chatserv.limits import Limits
from chatserv.wire import blobs, messages
from chatserv.wire.session import EARLY_ERRORS

ROOT: Final = Path(__file__).parents[1]
ELSEWHERE = (
    commits.BadCommit,
    blobs.BadBlob,
)  # codes whose classes are not in chatserv.errors: imported, so that they are listed
DOCUMENT: Final = (ROOT / "docs" / "protocol.rst").read_text(encoding="utf-8")
ROOMS: Final = (ROOT / "docs" / "rooms.rst").read_text(encoding="utf-8")
TABLES: Final = DOCUMENT[DOCUMENT.index(".. list-table:: Commands") : DOCUMENT.index(".. _protocol-6:")]
DIRECTIONS: Final = {
    "Commands": messages.ClientMessage,
    "Replies": messages.ServerReply,
    "Notices": messages.Notice,
}


def place(text: str, title: str) -> int:
    """Where the section of that title begins, whatever its number is."""
    found = re.search(rf"(?m)^[\d.]+ {title}\n[-~]+$", text)
    assert found is not None, title
    return found.start()


def rows_of(title: str) -> dict[str, str]:
    """What a table of messages says of the fields, by tag."""
    table = TABLES.partition(f".. list-table:: {title}\n")[2].partition("\n.. list-table::")[0]
    rows = dict(re.findall(r"\* - ``(\w+)``\n     - (.*?)\n     - ", table, re.DOTALL))
    del rows["t"]  # the table's own head
    return rows


def inner_structs(kind: Any) -> set[type[msgspec.Struct]]:
    """The structs without a tag that a field's type holds."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return set() if kind.__struct_config__.tag else {kind}
    return {struct for argument in get_args(kind) for struct in inner_structs(argument)}


def fields_of(struct: type[msgspec.Struct]) -> set[str]:
    """All names that a message's map holds, those of the maps in it included."""
    names = {field.name for field in msgspec.structs.fields(struct)}
    for field in msgspec.structs.fields(struct):
        for inner in inner_structs(field.type):
            names |= fields_of(inner)
    return names


class WireTests(SynchronousTestCase):
    """docs/protocol.rst is complete."""

    def test_every_error_is_listed_with_its_meaning(self) -> None:
        """The table of errors holds each code, whether it is retryable, and the first line of its class."""
        rows = {
            code: (again, meaning)
            for code, again, meaning in re.findall(r"\* - ``(\w+)``\n     - (yes|no)\n     - (.+)", DOCUMENT)
        }
        expected = {
            code: ("yes" if cls.retryable else "no", (inspect.getdoc(cls) or "").splitlines()[0])
            for code, cls in WireError.by_code.items()
        }
        self.assertEqual(rows, expected)

    def test_every_message_is_listed_in_its_table_and_no_other(self) -> None:
        """Each table holds exactly the messages of its direction."""
        for title, union in DIRECTIONS.items():
            self.assertEqual(set(rows_of(title)), {struct.__struct_config__.tag for struct in get_args(union)}, title)

    def test_every_message_is_listed_with_its_fields(self) -> None:
        """The row of each message names all of its fields, and those of the maps inside."""
        for title, union in DIRECTIONS.items():
            rows = rows_of(title)
            for struct in get_args(union):
                tag = struct.__struct_config__.tag
                for name in fields_of(struct):
                    self.assertRegex(rows[tag], rf"\b{name}\b", f"{tag}.{name}")

    def test_the_errors_before_keys_are_listed_in_their_order(self) -> None:
        """``ERR n`` means the same on both sides of the page."""
        for number, code in enumerate(EARLY_ERRORS, 1):
            self.assertIn(f"{number} ``{code}``", DOCUMENT.replace("\n", " "))

    def test_the_limits_are_the_defaults(self) -> None:
        """Each row of the table of limits is a setting, with its default."""
        table = DOCUMENT[place(DOCUMENT, "Limits") : place(DOCUMENT, "Flow")]
        rows = re.findall(r"\* - ``(\w+)``\n     - ([\d,.]+)\n", table)
        self.assertGreater(len(rows), 20)
        for name, value in rows:
            self.assertEqual(float(value.replace(",", "")), getattr(Limits(), name), name)


class RoomTests(SynchronousTestCase):
    """docs/rooms.rst is complete."""

    def test_every_op_is_listed_under_its_number(self) -> None:
        """The table of ops has the numbers that ops are encoded with."""
        policy = Policy(Kind.ROOM)
        ops = (
            Create(bytes(32), policy),
            Add(RosterEntry(0, "ann", bytes(16), bytes(32))),
            Remove(0),
            SetMember("ann", Role.MEMBER),
            SetPolicy(policy),
            Leave(0, bytes(64)),
        )
        self.assertEqual({type(op) for op in ops}, set(get_args(commits.Op)))
        for op in ops:
            self.assertRegex(ROOMS, rf"(?m)^{encode_op(op)[0]} +{type(op).__name__} ")

    def test_every_body_is_listed_under_its_type(self) -> None:
        """The table of bodies has a row for each content type that a body can be made of."""
        table = ROOMS[place(ROOMS, "Bodies") : place(ROOMS, "The log")]
        known = {int(ctype) for ctype in ContentType if self._is_known(ctype)}
        listed = table.partition("\n.. _rooms-7-5:")[0]
        self.assertEqual({int(number) for number in re.findall(r"(?m)^(\d+) ", listed)}, known)

    def _is_known(self, ctype: ContentType) -> bool:
        try:
            return bodies.decode_body(ctype, b"") is not None
        except Reject:
            return True

    def test_every_type_of_leaf_is_listed(self) -> None:
        """The table of leaves has each type."""
        table = ROOMS[place(ROOMS, "The log") :]
        for kind in LeafType:
            self.assertRegex(table, rf"(?m)^{int(kind)} +\w")

    def test_the_lengths_are_those_of_the_code(self) -> None:
        """Structures of a fixed length have it in the document."""
        context = WrapScope(bytes(16), 0, bytes(32), bytes(16)).context(bytes(16), bytes(32), 0)
        for what, length in (
            ("Wrap {", WRAP_BYTES),
            ("ctx  =", len(context)),
            ("PreKey       {", PREKEY_BYTES),
            ("SignedPreKey {", SIGNED_PREKEY_BYTES),
            ("Leaf {", LEAF_BYTES),
            ("STH  {", TREE_HEAD_BYTES),
        ):
            described = ROOMS[ROOMS.index(f"    {what}") :]
            self.assertRegex(described[:400], rf"\b{length} bytes", what)

    def test_every_label_is_named(self) -> None:
        """Each name that the code derives, signs or hashes under is in the table of names."""
        pattern = (
            r'(?:xlabel\([^"\n]*|ed_sign\([^"\n]*|pss_verify\([^"\n]*|to_sign\(|sha256\(b|mac\([^"\n]*b)"([a-z0-9 ]+)"'
        )
        found = set()
        for package in ("crypto", "wire"):
            for module in (ROOT / "chatserv" / package).rglob("*.py"):
                found |= set(re.findall(pattern, module.read_text(encoding="utf-8")))
        self.assertGreater(len(found), 25)
        names = re.sub(r"\s+", " ", ROOMS[place(ROOMS, "Names") : place(ROOMS, "Devices and identities")])
        for label in found:
            self.assertIn(f'``"{label}"``', names)

    def test_every_vector_is_described(self) -> None:
        """Each key of the project's own vectors stands in the table of its file, and no other."""
        for name in ("crypto-vectors", "e2e-vectors", "room-vectors"):
            keys = set(json.loads((ROOT / "tests" / "vectors" / f"{name}.json").read_text(encoding="utf-8")))
            table = ROOMS.partition(f".. list-table:: {name}.json\n")[2].partition("\n.. list-table::")[0]
            self.assertEqual(set(re.findall(r"\* - ``(\w+)``", table)), keys, name)
