"""Rules in words: those of a room, and how long the server keeps messages."""

from typing import Final

from chatserv.client.events import RetentionChanged
from chatserv.client.slash.command import shown
from chatserv.i18n import _

HOUR_SECONDS: Final = 3600
MB: Final = 2**20


def room_rule_text(name: str, value: bool | int | str) -> str:
    """What a rule of a room says now (`RoomChanged.rules`); empty for one that this version does not know."""
    said = {
        ("public", True): _("Anybody can join."),
        ("public", False): _("Only who is invited can join."),
        ("members_add", True): _("Every member can now invite others."),
        ("members_add", False): _("Only moderators and owners can now invite others."),
        ("history", True): _("Moderators and owners can give newcomers what was said before (/share-history)."),
        ("history", False): _("Newcomers read what is said from then on."),
        ("slow_seconds", 0): _("Slow mode is off."),
        ("name", ""): _("Its name is no longer public."),
        ("topic", ""): _("There is no topic."),
    }.get((name, value))
    of_any = {
        "slow_seconds": _("Slow mode: members wait {value} s between messages."),
        "max_devices": _("Devices that the room takes: {value}."),
        "rotate_seconds": _("New keys after {value} s."),
        "rotate_messages": _("New keys after {value} messages."),
        "name": _("New name: #{value}."),
        "topic": _("New topic: {value}"),
    }
    return said or of_any.get(name, "").format(value=shown(str(value)))


def rule_text(rule: RetentionChanged) -> str:
    """One line that says what the server deletes, and when."""
    hours = round(rule.age_seconds / HOUR_SECONDS)
    days, rest = divmod(hours, 24)
    size = f"{rule.bytes / MB:,.0f} MB"
    if rule.age_seconds and rule.bytes:
        said = _("The server deletes messages that are older than {age}, and the oldest while it has more than {size}.")
    elif rule.age_seconds:
        said = _("The server deletes messages that are older than {age}.")
    elif rule.bytes:
        said = _("The server deletes the oldest messages while it has more than {size}.")
    else:
        said = _("The server keeps messages for ever.")
    whole_days = days > 1 and not rest
    age = _("{count} days").format(count=days) if whole_days else _("{count} hours").format(count=hours)
    return said.format(age=age, size=size)
