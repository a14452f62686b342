"""The operations on copies of a server: their texts."""

from datetime import UTC, datetime
from typing import Any, Final

from chatserv.i18n import N_, _
from chatserv.operations import showing
from chatserv.operations.registry import Argument, Operation, Way


def _date(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _held(data: Any) -> str:
    counts = data["counts"]
    said = _("{accounts} accounts, {rooms} rooms, {events} events, {entries} entries of the log")
    return said.format(
        accounts=counts["account"], rooms=counts["room"], events=counts["event"], entries=data["log_entries"]
    )


def _missing(data: Any) -> list[str]:
    said = _("{missing} events are missing since a restore: nobody has given them back")
    return [said.format(missing=data["missing"])] if data["missing"] else []


def _made(data: Any) -> list[str]:
    said = _("{file}: {bytes} bytes, made and verified").format(file=data["file"], bytes=data["bytes"])
    inside = _("it holds the server's identity key: keep it like the server itself")
    apart = _(
        "the server's identity key, identity.pem, is not in it: keep that apart, without it nothing can be restored"
    )
    lines = [said, _held(data), *_missing(data), inside if data["identity"] else apart]
    if data["files"]:
        files = _("{files} files that people have sent, {bytes} bytes, lie beside it in {file}.blobs: keep both")
        lines.append(files.format(files=data["files"], bytes=data["file_bytes"], file=data["file"]))
    if data["left_out"]:
        said = _(
            "{files} files that people have sent are left out: their bytes are not there, or were dropped meanwhile; "
            "chatserv verify names those that are missing"
        )
        lines.append(said.format(files=data["left_out"]))
    return lines


def _verified(data: Any) -> list[str]:
    lines = [_("{file}: whole").format(file=data["file"]), _held(data), *_missing(data)]
    if data["made_ms"]:
        lines.append(_("made {date}").format(date=_date(data["made_ms"])))
    if not data["identity"]:
        lines.append(_("the server's identity key is not there: it is kept apart"))
    if data["postgres"]:
        lines.append(_("its pages and indices were not looked at: PostgreSQL's own pg_amcheck does that"))
    return [*lines, *_of_files(data["files"]), *_audited(data.get("audit"))]


def _of_files(found: Any) -> list[str]:
    """What people have sent: a line in all, and one for each that is not as it should be."""
    bad = {name: found[name] for name in ("missing", "wrong", "extra")}
    counted = [showing.miscounted(*found["miscounted"])] if found["miscounted"] else []
    if not any(bad.values()):
        said = _("{whole} files that people have sent: whole, {bytes} bytes")
        return [said.format(whole=found["whole"], bytes=found["size"]), *counted] if found["whole"] else counted
    said = _(
        "files that people have sent: {whole} whole, {missing} missing, {wrong} wrong, {extra} that nothing knows of"
    )
    untold = sum(bad.values()) - len(found["findings"])
    more = [_("and {count} more").format(count=untold)] if untold else []
    return [said.format(whole=found["whole"], **bad), *found["findings"], *more, *counted]


def _audited(audit: Any) -> list[str]:
    if not audit:
        return []
    if not audit["problems"]:
        said = _("audit.log: whole, {lines} lines, from number {first} on")
        return [said.format(lines=audit["lines"], first=audit["first"])]
    return [_("audit.log: somebody or something has changed it:"), *audit["problems"]]


def _mended(data: Any) -> list[str]:
    rooms = data["rooms"]
    lines = [
        _("mended: people can write again"),
        _("{entries} entries of the log").format(entries=data["log"]["leaves"]),
    ]
    for room in rooms:
        missing = ", ".join(f"{first}-{last}" for first, last in room["missing"]) or _("nothing")
        said = _("room {name} ({room}): missing of {first}-{last}: {missing}")
        lines.append(said.format_map({**room, "missing": missing}))
        lines += [f"  {problem}" for problem in room["problems"]]
    return lines if rooms else [*lines, _("nothing is missing of what clients have told of")]


def _restored(data: Any) -> list[str]:
    if "rooms" in data:
        return _mended(data)
    lines = [
        _("{state}: restored from {date}").format(state=data["state"], date=_date(data["made_ms"])),
        _held(data),
    ]
    if data["highest"] > data["log_entries"]:
        said = _("clients have been told of {highest} entries of the log; those that are missing are with them")
        lines.append(said.format(highest=data["highest"]))
    if data["key"] == "here":
        lines.append(_("the server's identity key is the one that lay there: the newest one that clients follow"))
    else:
        said = _("the server's identity key is the backup's: after a rotate-key since {date}, clients refuse it")
        lines.append(said.format(date=_date(data["made_ms"])))
    if data["files"] or data["lost"]:
        said = _("{files} files that people have sent are there, {lost} are lost")
        lines.append(said.format(files=data["files"], lost=data["lost"]))
    return lines + _next(data)


def _exported(data: Any) -> list[str]:
    said = _("{file}: {bytes} bytes, {rows} rows; without the server's keys")
    return [said.format(file=data["file"], bytes=data["bytes"], rows=data["rows"]), _held(data)]


def _imported(data: Any) -> list[str]:
    said = _("{state}: {rows} rows read, {new} of them new")
    lines = [said.format(state=data["state"], rows=data["rows"], new=data["new"]), _held(data)]
    return lines + _next(data) if data["new"] else lines


def _next(data: Any) -> list[str]:
    """What was put in whose place, and what comes now."""
    lines = [_("what was there before lies in {old}").format(old=data["old"])] if data["old"] else []
    lines.append(
        _("Start the server now. Nobody can write until clients have given back what they hold of what is missing.")
    )
    lines.append(_("That ends by itself; chatserv restore --finish ends it at once."))
    return lines


ROWS: Final = (
    Operation(
        "backup",
        N_("Makes a backup, also while the server runs, and verifies it."),
        frozenset({Way.SOCKET, Way.CHAT, Way.ALONE}),
        "chatserv.operations.backups:backup",
        _made,
        (
            Argument(
                "target",
                N_("the file, or its directory; else the directory backups of the state"),
                default="",
                path=True,
            ),
            Argument("--without-identity", N_("leave the server's identity key out, which is kept apart then"), bool),
            Argument(
                "--nightly",
                N_("for a timer: the file's name ends with .nightly.backup, by which it finds old ones"),
                bool,
            ),
        ),
        changes=True,
        more=N_("A backup is one file. Nothing is overwritten, and nothing is left where the disk is full."),
    ),
    Operation(
        "verify",
        N_("Verifies a backup by opening it, or the store, where it lies."),
        frozenset({Way.SOCKET, Way.ALONE}),
        "chatserv.operations.backups:verify",
        _verified,
        (Argument("file", N_("the backup; else the store"), default="", path=True),),
        more=N_("Exit code 1: it is not whole, or files that people have sent are missing or wrong."),
        here="file",
    ),
    Operation(
        "restore",
        N_("Puts a backup into the state directory, all of it or nothing."),
        frozenset({Way.SOCKET, Way.ALONE}),
        "chatserv.operations.backups:restore",
        _restored,
        (
            Argument("file", N_("the backup"), default="", path=True),
            Argument("--replace", N_("in the place of a store that is there, which is kept beside it"), bool),
            Argument(
                "--older-key",
                N_("with the backup's identity key, also where a newer one may be that clients follow"),
                bool,
            ),
            Argument("--finish", N_("end the mending of the running server now, and say what is missing"), bool),
        ),
        changes=True,
        more=N_("A backup is put back while no server runs; --finish needs the running server."),
        here="file",
    ),
    Operation(
        "export",
        N_("Writes all that makes the server, but for its keys, as lines of JSON; also while it runs."),
        frozenset({Way.SOCKET, Way.ALONE}),
        "chatserv.operations.backups:export",
        _exported,
        (Argument("file", N_("the new file"), path=True),),
        changes=True,
        more=N_("Two exports of the same are the same, byte for byte."),
    ),
    Operation(
        "import",
        N_("Reads an export into the state directory, all of it or nothing."),
        frozenset({Way.SOCKET, Way.ALONE}),
        "chatserv.operations.backups:import_",
        _imported,
        (Argument("file", N_("the export"), path=True),),
        changes=True,
        more=N_("What is there already is left as it is. It is done while no server runs."),
        here="file",
    ),
)
