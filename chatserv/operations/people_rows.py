"""The operations on accounts, rooms and bans: their texts."""

from datetime import UTC, datetime
from typing import Any, Final

from chatserv.i18n import N_, _
from chatserv.operations.registry import Argument, Operation, Way
from chatserv.operations.showing import table

BOTH: Final = frozenset({Way.SOCKET, Way.STORE})
USER: Final = Argument("user", N_("the name of the account"))
SURE: Final = Argument("--yes", N_("do it: it cannot be undone"), bool)
KIND: Final = Argument(
    "kind", N_("what is banned: an address or network, or an account's name"), choices=("address", "account")
)
SUBJECT: Final = Argument("subject", N_("the address, the network (192.0.2.0/24) or the name"))


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _accounts(data: Any) -> list[str]:
    words = {"admin": _("administrator"), "user": _("user")}
    states = {"suspended": _("suspended"), "muted": _("muted"), "banned": _("banned")}
    rows = [
        (
            each["name"],
            words[each["role"]],
            _date(each["created_ms"]),
            ", ".join(word for state, word in states.items() if each[state]),
        )
        for each in data["accounts"]
    ]
    return table((_("account"), _("role"), _("since (UTC)"), ""), rows) if rows else [_("There is no account yet.")]


def _account(data: Any) -> list[str]:
    return _accounts({"accounts": [data]})


def _gone(data: Any) -> list[str]:
    return [_("The account {user} is gone; nobody can have that name again.").format(user=data["name"])]


def _link(data: Any) -> list[str]:
    if data["reset"]:
        said = _(
            "Who pastes this link into the client has the account {user} with a new identity. Once, until {date} (UTC):"
        )
    elif data["name"]:
        said = _("Who pastes this link into the client makes the account {user}. Once, until {date} (UTC):")
    else:
        said = _("Who pastes this link into the client makes an account. Once, until {date} (UTC):")
    return [said.format(user=data["name"], date=_date(data["expires_ms"])), data["link"]]


def _rooms(data: Any) -> list[str]:
    rows = [(each["name"], each["room"], each["members"], each["devices"], each["events"]) for each in data["rooms"]]
    heads = (_("public name"), _("room"), _("members"), _("devices"), _("events"))
    return table(heads, rows) if rows else [_("There is no room yet.")]


def _closed(data: Any) -> list[str]:
    return [_("The room is closed: {room}").format(room=data["name"] or data["room"])]


def _bans(data: Any) -> list[str]:
    kinds = {"address": _("address"), "account": _("account")}
    rows = [(kinds[each["kind"]], each["subject"], each["by"], _date(each["at_ms"])) for each in data["bans"]]
    return table((_("kind"), _("subject"), _("by"), _("since (UTC)")), rows) if rows else [_("There are no bans.")]


def _lifted(data: Any) -> list[str]:
    return [_("lifted: {subject}").format(subject=each["subject"]) for each in data["bans"]] or [
        _("There was no such ban.")
    ]


ROWS: Final = (
    Operation(
        "invite",
        N_("Makes a link by which one person registers."),
        BOTH,
        "chatserv.operations.people:invite",
        _link,
        (
            Argument("name", N_("for this name alone; else for anybody"), default=""),
            Argument("--admin", N_("the account will administer the server"), bool),
        ),
        changes=True,
    ),
    Operation("user list", N_("Lists the accounts."), BOTH, "chatserv.operations.people:list_users", _accounts),
    Operation(
        "user suspend",
        N_("Ends an account's sessions and lets it in no more."),
        BOTH,
        "chatserv.operations.people:suspend",
        _account,
        (USER,),
        changes=True,
    ),
    Operation(
        "user unsuspend",
        N_("Lets an account in again, whatever kept it out: a suspension, or a ban of its name."),
        BOTH,
        "chatserv.operations.people:unsuspend",
        _account,
        (USER,),
        changes=True,
    ),
    Operation(
        "user role",
        N_("Makes an account an administrator of the server, or a user."),
        BOTH,
        "chatserv.operations.people:set_role",
        _account,
        (USER, Argument("role", N_("what it is from now on"), choices=("admin", "user"))),
        changes=True,
        more=N_("This is the way back where the last administrator is lost."),
    ),
    Operation(
        "user reset",
        N_("Makes a link by which a person who has lost every device gets their account back, with a new identity."),
        BOTH,
        "chatserv.operations.people:reset",
        _link,
        (USER,),
        changes=True,
        more=N_("Everybody is told, and whoever had verified them compares again."),
    ),
    Operation(
        "user delete",
        N_("Ends an account for good; its name is never given out again."),
        BOTH,
        "chatserv.operations.people:delete",
        _gone,
        (USER, SURE),
        changes=True,
    ),
    Operation("room list", N_("Lists the rooms."), BOTH, "chatserv.operations.rooms:list_rooms", _rooms),
    Operation(
        "room close",
        N_("Ends a room for good, with all that the server keeps of it."),
        BOTH,
        "chatserv.operations.rooms:close",
        _closed,
        (Argument("room", N_("its public name, or its id as listed")), SURE),
        changes=True,
        more=N_(
            "Only its members can change who is in a room, and none of them has signed this: the server's log tells all of "
            "them that the room has ended."
        ),
    ),
    Operation("ban list", N_("Lists the bans from the server."), BOTH, "chatserv.operations.bans:list_bans", _bans),
    Operation(
        "ban add",
        N_("Lets nobody connect from an address or network, or nobody log in or register under a name."),
        BOTH,
        "chatserv.operations.bans:add",
        _bans,
        (KIND, SUBJECT),
        changes=True,
    ),
    Operation(
        "ban lift",
        N_("Lifts a ban, or all of them."),
        BOTH,
        "chatserv.operations.bans:lift",
        _lifted,
        (
            Argument(KIND.name, KIND.summary, choices=KIND.choices, default=""),
            Argument(SUBJECT.name, SUBJECT.summary, default=""),
            Argument("--all", N_("every ban there is"), bool),
        ),
        changes=True,
    ),
)
