"""What works on a store in a file alone, and what to do instead where it is a PostgreSQL database."""

from chatserv.config import Config
from chatserv.i18n import _
from chatserv.local_errors import NotDone


def require_file(config: Config) -> None:
    """Raises `NotDone` where the store is no file."""
    if config.store.url:
        raise NotDone(
            _(
                "the store is a PostgreSQL database, which this does not work on: pg_dump copies it, and pg_restore puts it "
                "back; with each copy keep identity.pem, tls.key and tls.crt of the state directory, and a copy of the "
                "directory of files that was made after it"
            )
        )
