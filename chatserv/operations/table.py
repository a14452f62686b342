"""All operations, by name."""

from typing import Final

from chatserv.operations import backup_rows, identity_rows, people_rows, server_rows, settings_rows, store_rows
from chatserv.operations.registry import Operation

ROWS: Final = (
    *settings_rows.ROWS,
    *server_rows.ROWS,
    *people_rows.ROWS,
    *backup_rows.ROWS,
    *identity_rows.ROWS,
    *store_rows.ROWS,
)
OPERATIONS: Final[dict[str, Operation]] = {row.name: row for row in ROWS}
