"""The steps of the schema, forward and back, by Alembic.

Imported where a step is due and not before: Alembic takes a tenth of a second, and most starts find the schema as it is.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).with_name("migrations")


def _config(conn: Connection | None = None) -> Config:
    config = Config()
    config.attributes["connection"] = conn
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def steps() -> list[str]:
    """The revisions that this version knows, the oldest first."""
    found = ScriptDirectory.from_config(_config()).walk_revisions()
    return [script.revision for script in found][::-1]


def upgrade_to(conn: Connection, revision: str = "head") -> None:
    """Brings the schema up to date, or to a revision, in the transaction that the connection is in."""
    command.upgrade(_config(conn), revision)


def downgrade(conn: Connection, revision: str) -> None:
    """Takes the schema back to an earlier revision, likewise; every step on the way has to go back."""
    command.downgrade(_config(conn), revision)
