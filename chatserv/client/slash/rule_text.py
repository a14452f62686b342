"""How long the server keeps messages, in words."""

from typing import Final

from chatserv.client.events import RetentionChanged
from chatserv.i18n import _

HOUR_SECONDS: Final = 3600
MB: Final = 2**20


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
