"""The operations on the server's identity: their texts."""

from typing import Any, Final

from chatserv.i18n import N_, _
from chatserv.operations.registry import Argument, Operation, Way


def _rotated(data: Any) -> list[str]:
    return [
        _("The server has a new identity key."),
        f"{_('server fingerprint')}  {data['fingerprint']}",
        f"{_('key so far')}  {data['old_key']}",
        f"{_('key from now on')}  {data['new_key']}",
        _("Start the server. Clients follow by themselves; the old key is destroyed and cannot come back."),
        _("Make a backup now: an older one holds the old key, with which clients refuse a server from now on."),
    ]


def _addresses(data: Any) -> list[str]:
    if not data["addresses"]:
        return [_("Clients are told of no address besides the one that they have.")]
    said = _("Clients are told of these addresses, and try them where the one that they have does not answer:")
    marks = {each: f"  ({_('in the settings')})" for each in data["from_settings"]}
    return [said, *(f"  {each}{marks.get(each, '')}" for each in data["addresses"])]


ROWS: Final = (
    Operation(
        "advertise",
        N_("Tells clients where the server can be reached besides, before it moves there."),
        frozenset({Way.SOCKET, Way.STORE}),
        "chatserv.operations.identity:advertise",
        _addresses,
        (
            Argument(
                "address",
                N_("HOST:PORT, or several with commas between; without it, what clients are told is shown."),
                default="",
            ),
            Argument("--forget", N_("Tell of none any more, but for those that server.advertise names."), bool),
        ),
        changes=True,
        more=N_(
            "Do this some days before the move, so that everybody has been here meanwhile. Whatever answers there has to "
            "show this server's key. Afterwards set server.advertise, so that new links lead there too. Addresses that "
            "stay, those of two networks for example, belong into server.advertise, with commas between."
        ),
    ),
    Operation(
        "rotate-key",
        N_("Gives the server a new identity key, signed by the one before; clients follow without a question."),
        frozenset({Way.ALONE}),
        "chatserv.operations.identity:rotate_key",
        _rotated,
        more=N_(
            "No server may run on the state directory. To be done when somebody may have got hold of the key. Links, and "
            "the fingerprint that people have compared, stay as they are. A key can change 16 times."
        ),
    ),
)
