"""A store as lines: what a line of an export says, made from the tables of the schema.

One JSON object a line, whose ``table`` says what it is: first ``export``, then each row of each table in an order in which
no row names a later one, then ``end``. Columns have the names of the schema; bytes are in base64.
"""

from typing import Any, Final, Union

import msgspec
from sqlalchemy import Boolean, Column, Integer, LargeBinary, Table

from chatserv.discreet import Discreet
from chatserv.store.schema import metadata

VERSION: Final = 1
MAX_LINE_BYTES: Final = 16 << 20
OF_ONE_STORE: Final = frozenset(
    {
        "incarnation",
        "starts",
        "alone",
        "cluster",
        "mending",
        "mending_report",
        "restored",
        "rotations",
        "retention_clock",
        "retention_done",
    }
)
"""Keys of ``meta`` that belong to one life of a store, and are not what a server consists of."""
NOT_OF_ANOTHER: Final = ("mending", "retention", "prekey", "log_head", "control", "blob")
"""How tables begin that do: a one-time prekey could be given out twice, and each device leaves new ones in a new life; the
bytes of files are in no line."""


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="table", tag="export"):
    """The first line.

    Attributes:
        version: `VERSION`.
        schema: The revision of the database.
        server_id: Of which server, 32 bytes.
        log_size, log_root: Of the log, 32 bytes.
    """

    version: int
    schema: str
    server_id: bytes
    log_size: int
    log_root: bytes


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="table", tag="end"):
    """The last line: how many rows there were."""

    rows: int


def _type(column: Column[Any]) -> Any:
    kinds = {Integer: int, Boolean: bool, LargeBinary: bytes}
    kind = next((found for sql, found in kinds.items() if isinstance(column.type, sql)), str)
    return kind | None if column.nullable else kind


def _row(table: Table) -> Any:
    fields = [(str(column.name), _type(column)) for column in table.columns]
    return msgspec.defstruct(
        f"{table.name} row",
        fields,
        bases=(Discreet,),
        frozen=True,
        forbid_unknown_fields=True,
        tag_field="table",
        tag=str(table.name),
    )


TABLES: Final = tuple(table for table in metadata.sorted_tables if not table.name.startswith(NOT_OF_ANOTHER))
ROWS: Final = {table.name: _row(table) for table in TABLES}
_Line: Any = Union[Header, End, *ROWS.values()]
DECODER: Final = msgspec.json.Decoder(_Line)
