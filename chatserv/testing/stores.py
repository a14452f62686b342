"""Where the servers of a demonstration have their store: ``--store sqlite``, in their state directory, or ``postgres``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from chatserv.testing.postgres import Cluster

SQLITE: Final = "sqlite"
POSTGRES: Final = "postgres"
CLUSTER: Final = "cluster"


def add_option(parser: ArgumentParser) -> None:
    """``--store``."""
    text = (
        "where the store is: in the state directory (sqlite), or in a PostgreSQL of its own, or in one that each server \
shares with another node (cluster)"
    )
    parser.add_argument("--store", choices=(SQLITE, POSTGRES, CLUSTER), default=SQLITE, help=text)


@contextmanager
def cluster_for(store: str) -> Iterator[Cluster | None]:
    """A PostgreSQL that runs meanwhile, where that is what is asked for. Raises `ProgramError`."""
    if store == SQLITE:
        yield None
        return
    from chatserv.testing.company import Company  # noqa: PLC0415 - psycopg need not be there otherwise
    from chatserv.testing.postgres import Cluster  # noqa: PLC0415 - as above

    cluster = Company() if store == CLUSTER else Cluster()
    try:
        yield cluster
    finally:
        cluster.end()


def in_database(cluster: Cluster | None) -> dict[str, dict[str, Any]]:
    """The settings by which a server has its store in a new database there; none without."""
    return {} if cluster is None else cluster.settings()
