"""What a person has to know about identities, devices and the server, in their words."""

from chatserv.client import (
    ALARMS,
    Alarm,
    Blame,
    DeviceSeen,
    IdentityChanged,
    OtherServer,
    RotationDone,
    RotationOpen,
    ServerKeyChanged,
    ServerRestored,
    fingerprint_text,
    short_id,
    shown,
    translate,
)
from clients.shared.own_text import about_own, has_come
from clients.shared.trouble_text import after_restore, restored_text

TrustNews = (
    IdentityChanged | DeviceSeen | RotationOpen | RotationDone | ServerKeyChanged | OtherServer | ServerRestored | Alarm
)


def about_trust(event: TrustNews, us: str) -> str:
    """What a person has to know about identities, devices and the server."""
    match event:
        case IdentityChanged(user=user, signed=True):
            said = translate("{user} has a new identity key, signed with the previous one: there is nothing to do.")
            return said.format(user=shown(user))
        case IdentityChanged(user=user, accepted_on=device) if device:
            said = translate(
                "{user} has a new identity key, which was accepted on your device {device}. If that was not you, revoke "
                "that device; /verify {user} compares the key."
            )
            return said.format(user=shown(user), device=shown(device))
        case IdentityChanged(user=user, was_verified=verified):
            said = translate("WARNING: {user} has a new identity key: a new account, or somebody in the middle.")
            if verified:
                said = translate(
                    "WARNING: {user}, whom you had verified, has a new identity key. Ask them some other "
                    "way, such as a call."
                )
            return f"{said} {translate('/verify {user} shows it.')}".format(user=shown(user))
        case DeviceSeen(user=user, device_id=device_id):
            if user == us:
                return has_come(event)
            text = translate("{user} has a new device: {id}")
            return text.format(user=shown(user), id=short_id(device_id))
        case RotationOpen() | RotationDone():
            return about_own(event)
        case ServerKeyChanged(fingerprint=fingerprint):
            said = translate(
                "The server has a new key, signed with the previous one: there is nothing to do. Its fingerprint: "
                "{fingerprint}"
            )
            return said.format(fingerprint=fingerprint_text(fingerprint))
        case OtherServer(address=address):
            said = translate(
                "What answers at {address} is not your server: it cannot show the server's key. Nothing was sent there, and "
                "the server's other addresses are tried. Either its operator has named a wrong address, or somebody is in "
                "the middle there: tell whoever runs the server."
            )
            return said.format(address=shown(address))
        case ServerRestored():
            return restored_text(event)
        case Alarm():
            return alarm_text(event)


def alarm_text(event: Alarm) -> str:
    """What happened, who did it, and what to do."""
    kind, user, detail = ALARMS.get(event.what), shown(event.user), f" ({shown(event.detail)})" if event.detail else ""
    if kind is None:
        return f"{translate('ALARM: the server breaks the rules:')} {shown(event.what)}{detail}"
    server = kind.blame is Blame.SERVER
    begin = translate("ALARM: the server breaks the rules:") if server else translate("ALARM:")
    signed = translate("{user} signed it.").format(user=user) if server and user else ""
    proof = translate("Others can check the proof with chatserv-client --check-evidence: {file}") if event.file else ""
    said = (
        begin,
        f"{kind.explain(user)}{detail}",
        signed,
        kind.advise(),
        proof.format(file=shown(event.file)),
        after_restore(event.backup_ms),
    )
    return " ".join(filter(None, said))
