"""The slash command that says what the server's log has of people (docs/crypto.rst 5)."""

from typing import Final

from chatserv.client.slash.command import SlashCommand, SlashContext, nobody, person, refused, shown
from chatserv.client.slash.formatting import date, moment, word
from chatserv.client.trust_events import short_id
from chatserv.client.verification.audit import Audit, AuditEntry, PersonAudit
from chatserv.clocks import now_ms
from chatserv.errors import NotFound
from chatserv.i18n import N_, _
from chatserv.wire.link import fingerprint_text

MAX_ENTRIES: Final = 40  # of a person, the newest
MAX_LINES: Final = 120  # about people
OLD_MS: Final = 24 * 3_600_000
_HASH_DIGITS: Final = 16


async def _audit(slash: SlashContext, words: list[str]) -> list[str]:
    if words[0]:
        user = person(words[0])
        with refused(NotFound, nobody(user)):
            return _person_lines(await slash.client.people.audit(user), slash.client.user)
    audit = await slash.client.audit()
    me, *others = audit.people
    lines = [*_log_lines(audit), *_person_lines(me, slash.client.user)]
    most, left = len(lines) + MAX_LINES, audit.omitted
    for each in sorted(others, key=lambda each: each.ordinary):  # those with something to look at first
        more = _person_lines(each, slash.client.user)
        if left > audit.omitted or len(lines) + len(more) > most:
            left += 1
        else:
            lines += more
    return [*lines, *([_("People who are not shown here: {count}. /audit USER").format(count=left)] if left else ())]


def _log_lines(audit: Audit) -> list[str]:
    said = _("The server's log: {size} entries, signed {moment}, root {root}")
    lines = [said.format(size=audit.size, moment=moment(audit.signed_ms), root=audit.root.hex()[:_HASH_DIGITS])]
    if now_ms() - audit.signed_ms > OLD_MS:
        lines.append(_("WARNING: that is more than a day ago: news about keys may be missing."))
    if audit.proven:
        lines.append(_("ALARM: this server is proven to break the rules of its log. Nothing is sent any more."))
    if audit.file:
        lines.append(_("The proof, for others too: {file}").format(file=shown(audit.file)))
    for each in audit.server_ids:
        lines.append(
            _("The log announces another key of the server: {fingerprint}").format(fingerprint=fingerprint_text(each))
        )
    return lines


def _person_lines(audit: PersonAudit, me: str) -> list[str]:
    own, left = audit.user == me, max(0, len(audit.entries) - MAX_ENTRIES)
    heading = _("You:") if own else f"{shown(audit.user)} ({word(audit.trust)}):"
    lines = [f"  {date(each.at_ms)}  {_entry_text(each, own=own)}" for each in audit.entries[left:]]
    return [heading, *([_("  (older entries: {count})").format(count=left)] if left else ()), *lines]


def _entry_text(entry: AuditEntry, *, own: bool) -> str:
    if not entry.known:
        said = _UNKNOWN[entry.kind]
    elif entry.kind == "rotated":
        said = _ROTATED[entry.signed]
    elif entry.kind == "gone":
        said = _GONE[entry.signed]
    elif entry.kind == "reset":
        said = _OWN_RESET if own else _RESET
    else:
        said = _SAID[entry.kind]
    device = short_id(entry.device_id) or "?"
    this = f"  {_('(this one)')}" if entry.current and entry.known else ""
    return _(said).format(id=entry.fingerprint.hex()[:_HASH_DIGITS], device=device) + this


_SAID: Final = {
    "identity": N_("identity {id}, the first one"),
    "device": N_("device {device}, certificate {id}"),
    "revoked": N_("device {device} revoked, certificate {id}"),
}
_ROTATED: Final = {
    True: N_("identity {id}, signed with the previous one"),
    False: N_("WARNING: identity {id}, NOT signed with the previous one: the server made it up"),
    None: N_("identity {id}; whether it is signed with the previous one is not known yet"),
}
_GONE: Final = {
    True: N_("the account was deleted by its owner"),
    False: N_("the account was deleted: the server says so, its owner did not sign it"),
    None: N_("the account was deleted; who says so is not known yet"),
}
_RESET: Final = N_("WARNING: identity {id}, new by an administrator's word: compare the safety number")
_OWN_RESET: Final = N_("identity {id}, new by an administrator's word")
_UNKNOWN: Final = {
    "identity": N_("WARNING: identity {id}, which is not the one of this device"),
    "rotated": N_("WARNING: identity {id}, which this device did not know, NOT signed with the previous one"),
    "reset": N_("WARNING: identity {id}, which this device did not know, by an administrator's word"),
    "device": N_("WARNING: device {device}, certificate {id}: a device that this device did not know"),
    "revoked": N_("WARNING: this device was revoked, certificate {id}"),
    "gone": N_("WARNING: the account was deleted"),
}


async def _accept_restored(slash: SlashContext, words: list[str]) -> list[str]:
    if words[0] not in {"", "yes"}:
        raise slash.commands["accept-restored"].misused()
    account, none = slash.client.account, _("There is nothing to accept: no restore of the server stands in the way.")
    with refused(NotFound, none):
        found = await (account.accept_restored() if words[0] else account.restore_to_accept())
    if words[0]:
        return [
            _("Accepted on this device. This program connects anew, and goes on with the restored server."),
            _("Compare safety numbers again with those who matter, and look who is in your rooms."),
        ]
    said = _("The server says that it was restored on {at} from a backup of {backup}, and has lost what came between.")
    lines = [said.format(at=moment(found.at_ms), backup=moment(found.backup_ms))]
    if found.leaves:
        lines.append(
            _("Entries of its log that this device has seen and would forget: {count}").format(count=found.leaves)
        )
    if found.rooms:
        lines.append(_("Rooms on hold: {rooms}").format(rooms=", ".join(map(shown, found.rooms))))
    return [*lines, *map(_, _ACCEPTING)]


_ACCEPTING: Final = (
    N_(
        "Whoever runs the server could say so to hide something: a device that they added for somebody, to read along; that "
        "a device was revoked, so that a thief reads on; that somebody was removed from a room, or came in; messages."
    ),
    N_(
        "So ask them some other way, such as a call, whether it is true, and ask others whether they are told the same. "
        "Then type /accept-restored yes, on each of your devices."
    ),
    N_(
        "After that, devices that were revoked since the backup have to be revoked again, and people removed again. What "
        "was said in rooms on hold until then is not shown here."
    ),
)

AUDIT: Final = (
    SlashCommand(
        "accept-restored",
        "[yes]",
        N_("goes on with a server that was restored from a backup and has lost something"),
        _accept_restored,
    ),
    SlashCommand("audit", "[USER]", N_("shows what the server's log says about you and those in your rooms"), _audit),
)
