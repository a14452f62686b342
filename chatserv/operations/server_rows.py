"""The operations on a server as a whole: their texts."""

from typing import Any, Final

from chatserv.i18n import N_, _
from chatserv.operations.registry import Argument, Operation, Way

OLDER: Final = {"0.1.0": "0002"}
"""The versions that there is a way back to, with the schema that each reads: every migration since then goes back."""


def _version(data: Any) -> list[str]:
    return [f"chatserv {data['version']}"]


def _status(data: Any) -> list[str]:
    lines = [
        (_("version"), data["version"]),
        (_("process"), data["pid"]),
        (_("running for"), _seconds(data["uptime_seconds"])),
        (_("listening on"), ", ".join(data["listening"])),
        (_("server fingerprint"), data["fingerprint"]),
        (_("sessions"), data["sessions"]),
        (_("connections"), data["connections"]),
        (_("rooms"), data["rooms"]),
        (_("entries of the log"), data["log_size"]),
    ]
    where = ((_("state in"), data["state"]), (_("store in"), data["store"]))
    lines += [(name, place) for name, place in where if place]
    if data["last_backup"]:
        lines.append((_("last backup"), data["last_backup"]))
    if data["backup_has_old_key"]:
        lines.append((_("of a key before"), _("make a backup now: clients refuse what is restored from the last one")))
    lines += [(_("node"), data["node"])] if data["node"] else []
    lines += [(_("other node"), _other(node)) for node in data["nodes"]]
    if data["nodes"]:
        lines.append((_("sessions of all nodes"), data["sessions"] + sum(node["sessions"] for node in data["nodes"])))
    lines += [(_("after a restore"), _("mending"))] if data["mending"] else []
    lines += [(_("for the next start"), ", ".join(data["waits_for_restart"]))] if data["waits_for_restart"] else []
    width = max(len(name) for name, _value in lines)
    return [f"{name:{width}}  {value}" for name, value in lines]


def _other(node: Any) -> str:
    words = [node["node"], node["address"], _("sessions: {count}").format(count=node["sessions"])]
    words += [_("takes nobody in")] if node["draining"] else []
    words += [] if node["store_reached"] else [_("does not reach the store")]
    return ", ".join(word for word in words if word)


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return _("{days} days {clock}").format(days=days, clock=f"{hours:02}:{minutes:02}:{rest:02}")


def _reloaded(data: Any) -> list[str]:
    lines = [_("changed: {keys}").format(keys=", ".join(data["applied"]) or _("nothing"))]
    if data["waits_for_restart"]:
        lines.append(_("until the next start wait: {keys}").format(keys=", ".join(data["waits_for_restart"])))
    if data["certificate"]:
        lines.append(_("{file}: a new certificate is shown from now on").format(file=data["certificate"]))
    return [*lines, *data["warnings"]]


def _drained(data: Any) -> list[str]:
    return [_("The server ends; {sessions} sessions are asked to come back later.").format(sessions=data["sessions"])]


def _proven(data: Any) -> list[str]:
    return [data["lines"][-1]]


def _checks(data: Any) -> list[str]:
    words = {"ok": _("good"), "warning": _("warning"), "error": _("wrong")}
    width = max(len(word) for word in words.values())
    return [f"{words[each['level']]:{width}}  {each['text']}" for each in data["checks"]]


def _downgraded(data: Any) -> list[str]:
    return [_("chatserv {version} can start on this database now").format(version=data["version"])]


NODE: Final = (
    Argument(
        "--node",
        N_("another node of the cluster: its address, or how its number begins, as status shows them"),
        default="",
    ),
)

ROWS: Final = (
    Operation(
        "version",
        N_("Which version this is."),
        frozenset({Way.ALONE}),
        "chatserv.operations.server:version",
        _version,
    ),
    Operation(
        "status",
        N_("How the running server is doing."),
        frozenset({Way.SOCKET, Way.CHAT}),
        "chatserv.operations.server:status",
        _status,
        NODE,
    ),
    Operation(
        "downgrade",
        N_("Takes the database back to what an older version reads, while no server runs."),
        frozenset({Way.ALONE}),
        "chatserv.operations.going_back:downgrade",
        _downgraded,
        (Argument("version", N_("the version that will start on it"), choices=tuple(OLDER)),),
        changes=True,
        more=N_("What the older version does not know is forgotten: make a backup first, by chatserv backup."),
    ),
    Operation(
        "reload",
        N_("Reads settings and certificate anew, all or nothing; no connection ends."),
        frozenset({Way.SOCKET, Way.CHAT}),
        "chatserv.operations.server:reload",
        _reloaded,
        NODE,
        changes=True,
        more=N_("What is wrong is told, and everything stays as it was."),
    ),
    Operation(
        "drain",
        N_("Ends the server: nobody is taken in, and who is there is asked to come back later."),
        frozenset({Way.SOCKET, Way.CHAT}),
        "chatserv.operations.server:drain",
        _drained,
        NODE,
        changes=True,
        more=N_("What is under way is finished, within ten seconds. Who or what starts servers starts the next one."),
    ),
    Operation(
        "doctor",
        N_(
            "Looks for what is wrong: all of check-config, and versions, disk, clock, log, and whether the server answers."
        ),
        frozenset({Way.ALONE}),
        "chatserv.operations.doctor:doctor",
        _checks,
        more=N_("It changes nothing."),
    ),
    Operation(
        "prove-blind",
        N_("Proves that a server cannot read what people write: on a server of its own, never on yours."),
        frozenset({Way.ALONE}),
        "chatserv.operations.blindness:prove_blind",
        _proven,
        (Argument("--leak", N_("let that server leak in each place, to see that each is found"), bool),),
        more=N_("It takes some minutes, and gdb to look into the memory."),
    ),
    Operation(
        "check-config",
        N_("Checks settings, keys, certificate, permissions, ports and database, and changes nothing."),
        frozenset({Way.ALONE}),
        "chatserv.operations.checking:check_config",
        _checks,
        more=N_("Exit code 0: a server can start. 1: something is wrong. 2: the settings cannot be used."),
    ),
)
