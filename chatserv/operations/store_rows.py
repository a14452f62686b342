"""The operations on the place of the store: their texts."""

from typing import Any, Final

from chatserv.i18n import N_, _
from chatserv.operations.registry import Argument, Operation, Way


def _copied(data: Any) -> list[str]:
    rows = data["rows"]
    counts = _("{accounts} accounts, {rooms} rooms, {events} events, {entries} entries of the log")
    to_file = "://" not in data["to"]
    return [
        _("The store is in {place} too, whole: {rows} rows.").format(place=data["to"], rows=sum(rows.values())),
        counts.format(accounts=rows["account"], rooms=rows["room"], events=rows["event"], entries=rows["log_leaf"]),
        _("The log's root is the same in both: {root}").format(root=data["root"]),
        _("Now take store.url out of the settings, and start the server.")
        if to_file
        else _("Now name it in store.url in the settings, and start the server."),
        _("The one before is as it was. No server must ever start on it again: remove it when all is well."),
    ]


ROWS: Final = (
    Operation(
        "store copy",
        N_("Copies the store from the file into a PostgreSQL database, or back, while no server runs."),
        frozenset({Way.ALONE}),
        "chatserv.operations.store_copy:copy",
        _copied,
        (
            Argument("copy_from", N_("sqlite, the file in the state directory; or the URL of a PostgreSQL database")),
            Argument("copy_to", N_("the same; where it goes there must be no store yet")),
        ),
        more=N_(
            "Clients notice nothing of it: identity, key log and numbers stay. A password belongs into ~/.pgpass and not "
            "into the URL, which other users of the machine can read while the command runs."
        ),
    ),
)
