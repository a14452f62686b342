"""What a person is told of their own devices and identity."""

from typing import Final

from chatserv.client import (
    Client,
    DeviceAsks,
    DeviceGone,
    DeviceSeen,
    HistoryReceived,
    RotationDone,
    RotationOpen,
    StatusChanged,
    explained,
    place,
    short_id,
    shown,
    translate,
)

OPEN_MATTERS: Final = (DeviceAsks, DeviceGone, RotationDone, RotationOpen, StatusChanged)
"""Events after which `open_matters` may be other ones."""


def about_devices(event: DeviceAsks | HistoryReceived) -> list[str]:
    """Who wants to be a device of ours, with the words to be compared on a line of their own; or what one has shared."""
    if isinstance(event, HistoryReceived):
        return _about_history(event)
    text = translate(
        "A new device has logged in with your password. If it is yours and shows the same six words, type /approve "
        "and the words; if not, type /approve no, and change your password with /password."
    )
    return [text, f"  {event.words}"]


def has_come(event: DeviceSeen) -> str:
    """A device of ours that was not approved on this one."""
    text = translate(
        "Your account has another device now: {id}. If that was not you, revoke it with /revoke {id}, and make a new "
        "recovery code with /recovery."
    )
    return text.format(id=short_id(event.device_id))


def about_own(event: RotationOpen | RotationDone) -> str:
    """What has become of our identity key."""
    if isinstance(event, RotationDone):
        return translate(
            "Your identity key was renewed, signed with the previous one: nobody has to verify you again. Your "
            "recovery code no longer works: type /recovery for a new one."
        )
    text = translate(
        "{devices} had your identity key when it was revoked, and the key is still in use. Start chatserv on one "
        "of your devices that has it: it gets renewed automatically. /devices shows which."
    )
    return text.format(devices=", ".join(map(shown, event.devices)))


def _about_history(event: HistoryReceived) -> list[str]:
    """What came of a history that another device of ours has shared, or somebody in a room."""
    if event.room:
        return _about_past(event)
    if event.imported is None:
        text = translate("Your device {device} has shared its messages, and they could not be had:")
        return [f"{text.format(device=shown(event.device))} {'' if event.error is None else explained(event.error)}"]
    text = translate("Your device {device} has shared its messages.").format(device=shown(event.device))
    return [text, *event.imported.told()]


def _about_past(event: HistoryReceived) -> list[str]:
    who, room = shown(event.sender), place(event.room)
    if event.imported is None:
        text = translate("{user} has shared what was said in {room} before, and it could not be had:")
        return [f"{text.format(user=who, room=room)} {'' if event.error is None else explained(event.error)}"]
    text = translate("{user} has shared what was said in {room} before.").format(user=who, room=room)
    return [text, *event.imported.told()]


def open_matters(client: Client) -> list[str]:
    """What stays in sight until it is done: a line for each new device that waits, and one for a key that is not renewed."""
    wants = translate("New device: {words}. Same words there? /approve and the words. Not yours? /approve no")
    lines = [wants.format(words=request.words) for request in client.devices.waiting]
    if client.devices.rotation_open:
        lines.append(
            translate("Your identity key has yet to be renewed: start a device of yours that has it (/devices).")
        )
    return lines
