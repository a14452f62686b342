"""Slash commands about our own account: recovery code, password, new devices, the end."""

from typing import Final

from chatserv.client.recovery.approvals import DeviceRequest
from chatserv.client.slash.command import SlashCommand, SlashContext, SlashError, shown
from chatserv.errors import Forbidden
from chatserv.i18n import N_, _
from chatserv.qr import terminal_qr

WITH_IDENTITY: Final = "with-identity"
NO: Final = "no"


async def _recovery(slash: SlashContext, words: list[str]) -> list[str]:
    passphrase = ""  # nosec B105  # nothing was typed yet
    if words[0]:
        passphrase = await slash.secret(_("Recovery passphrase, at least five words chosen by chance: "))
        if passphrase != await slash.secret(_("Once more: ")):
            raise SlashError(_("The two were not the same. Nothing was changed."))
    made = await slash.client.account.new_recovery(passphrase or None)
    return [
        *(terminal_qr(made.qr, colour=slash.colour).splitlines() if slash.codes else ()),
        *made.text.splitlines(),
        _("It is not shown again. Codes and passphrases from before are of no use any more."),
    ]


async def _password(slash: SlashContext, words: list[str]) -> list[str]:
    del words
    new = await slash.secret(_("New password: "))
    if new != await slash.secret(_("Once more: ")):
        raise SlashError(_("The two were not the same. Nothing was changed."))
    await slash.client.account.change_password(new)
    return [_("Your password is changed. It is asked for when you log in on a new device.")]


async def _approve(slash: SlashContext, words: list[str]) -> list[str]:
    given = words[0].casefold().split()
    waiting = slash.client.devices.waiting
    if not waiting:
        raise SlashError(_("No new device of yours is waiting. Log in there first, with your name and password."))
    if not given:
        return [line for request in waiting for line in _about(slash, request)]
    if given == [NO]:
        for request in waiting:
            await slash.client.devices.refuse(request.device_id)
        return [_("Refused. If it was not you who logged in there, change your password with /password.")]
    hand_over = given[0] == WITH_IDENTITY
    typed = " ".join(given[hand_over:])
    for request in waiting:
        if request.words == typed:
            await slash.client.devices.approve(request.device_id, hand_over=hand_over)
            return [
                _("Approved. Say on the new device that the words are the same: then it enters your rooms by itself.")
            ]
    raise SlashError(
        _(
            "Those are not the words that are shown here. If they are what the new device shows, somebody may be in the "
            "middle: do not approve it, type /approve no."
        )
    )


def _about(slash: SlashContext, request: DeviceRequest) -> list[str]:
    said = _(
        "A new device of yours is waiting. Only if it shows the same six words, type them: /approve {words}. With "
        "/approve {key} and the words it gets your identity key too, and can approve and revoke devices itself. To refuse "
        "it: /approve no."
    )
    codes = terminal_qr(request.qr, colour=slash.colour).splitlines() if slash.codes else ()
    return [*codes, said.format(words=request.words, key=WITH_IDENTITY)]


async def _delete_account(slash: SlashContext, words: list[str]) -> list[str]:
    us = slash.client.user
    if words[0].removeprefix("@").casefold() != us:
        said = _(
            "This ends your account for good, on all devices. You leave every room, and nobody can have the name {user} "
            "again; what you have written stays with the others. To do it, type /delete-account {user}"
        )
        return [said.format(user=shown(us))]
    try:
        await slash.client.account.delete()
    except Forbidden:
        raise SlashError(_("You are the last administrator. Make somebody else one first: /grant USER")) from None
    return [_("Your account is gone. What this device keeps can be deleted with its profile.")]


ACCOUNT: Final = (
    SlashCommand(
        "recovery",
        "[passphrase]",
        N_("makes a new recovery code, and takes a passphrase beside it if you want"),
        _recovery,
    ),
    SlashCommand(
        "approve",
        "[no|with-identity|WORDS]",
        N_("lets a new device of yours in, by the six words that it shows"),
        _approve,
    ),
    SlashCommand("password", "", N_("changes your password"), _password),
    SlashCommand("delete-account", "[NAME]", N_("ends your account for good"), _delete_account),
)
