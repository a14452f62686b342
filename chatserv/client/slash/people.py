"""Slash commands about identities (docs/crypto.rst 6)."""

from typing import Final

from chatserv.client.people import Verification
from chatserv.client.slash.command import SlashCommand, SlashContext, SlashError, nobody, person, refused, shown
from chatserv.client.slash.formatting import names
from chatserv.crypto.safety import grouped
from chatserv.errors import BadKey, Forbidden, NotFound
from chatserv.i18n import N_, _
from chatserv.qr import terminal_qr

_GROUPS_IN_ROW: Final = 4
_YES: Final = "yes"


async def _verify(slash: SlashContext, words: list[str]) -> list[str]:
    user, given = person(words[0]), words[1]
    if user == slash.client.keyring.user:
        raise SlashError(_("That is you."))
    with refused(NotFound, nobody(user)), refused(BadKey, _no_key(user)):
        if not given:
            found = await slash.client.people.verification(user)
            slash.compared[user] = found.number
            return _verification_lines(found, colour=slash.colour, codes=slash.codes)
        if given.lower() == _YES:
            return await _person_compared(slash, user)
        if not await slash.client.people.compare(user, given):
            raise SlashError(_not_the_same(user))
    return [_("The numbers match: {user} is verified.").format(user=shown(user))]


def _no_key(user: str) -> str:
    return _("The key of {user} is not available: they have no valid device.").format(user=shown(user))


def _not_the_same(user: str) -> str:
    said = _(
        "The numbers do NOT match. If nothing was mistyped, somebody may be in the middle: tell {user} "
        "some other way, and write nothing secret here."
    )
    return said.format(user=shown(user))


async def _person_compared(slash: SlashContext, user: str) -> list[str]:
    """Marks the identity whose number was shown, and no other that came meanwhile."""
    number = slash.compared.pop(user, None)
    if number is None:
        said = _("First look at the number with /verify {user}, and compare it.")
        raise SlashError(said.format(user=shown(user)))
    if not await slash.client.people.compare(user, number):
        said = _("The number of {user} has changed meanwhile: look at it again with /verify {user}.")
        raise SlashError(said.format(user=shown(user)))
    return [_("{user} is verified.").format(user=shown(user))]


def _verification_lines(found: Verification, *, colour: bool, codes: bool) -> list[str]:
    groups = grouped(found.number).split()
    rows = [" ".join(groups[at : at + _GROUPS_IN_ROW]) for at in range(0, len(groups), _GROUPS_IN_ROW)]
    user = shown(found.user)
    state = {
        "verified": _("{user} is verified: this number was compared before."),
        "changed": _(
            "The identity of {user} has CHANGED, and nothing is sent to them. This is the number of the new one."
        ),
    }.get(found.trust, _("{user} is not verified yet."))
    todo = _(
        "Compare the number outside this server, for example in a call. If it is the same on both sides: "
        "/verify {user} yes. Or paste the number that the other person sees: /verify {user} NUMBER."
    )
    # The number is compared by people, so it comes last: the code alone is nearly as high as a terminal.
    return [
        *(terminal_qr(found.qr, colour=colour).splitlines() if codes else ()),
        found.qr,
        state.format(user=user),
        _("Safety number with {user}:").format(user=user),
        *(f"  {row}" for row in rows),
        todo.format(user=user),
    ]


async def _trust(slash: SlashContext, words: list[str]) -> list[str]:
    user = person(words[0])
    with refused(NotFound, _("The identity of {user} has not changed.").format(user=shown(user))):
        slash.client.people.accept_identity(user)
    said = _("The new identity of {user} is accepted but not verified; to be sure, use /verify {user}.")
    return [said.format(user=shown(user))]


async def _ignore(slash: SlashContext, words: list[str]) -> list[str]:
    if not words[0]:
        ignored = slash.client.people.ignored()
        return [
            _("You are ignoring: {users}.").format(users=names(ignored))
            if ignored
            else _("You are not ignoring anybody.")
        ]
    user = person(words[0])
    with refused(NotFound, nobody(user)), refused(Forbidden, _("That is you.")):
        slash.client.people.ignore(user)
    said = _("You no longer see what {user} writes; /unignore {user} undoes that. They are not told.")
    return [said.format(user=shown(user))]


async def _unignore(slash: SlashContext, words: list[str]) -> list[str]:
    user = person(words[0])
    with refused(NotFound, _("You are not ignoring {user}.").format(user=shown(user))):
        slash.client.people.unignore(user)
    return [_("You see what {user} writes again; /log shows what was written meanwhile.").format(user=shown(user))]


PEOPLE: Final = (
    SlashCommand("verify", "USER [NUMBER|yes]", N_("shows and compares the safety number with somebody"), _verify),
    SlashCommand("trust", "USER", N_("accepts somebody's new identity without comparing"), _trust),
    SlashCommand(
        "ignore", "[USER]", N_("hides what somebody writes, on your devices; alone: whom you ignore"), _ignore
    ),
    SlashCommand("unignore", "USER", N_("shows again what somebody writes"), _unignore),
)
