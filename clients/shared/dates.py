"""How days are written, in the terminal and in the window."""

from datetime import datetime

from chatserv.client import translate


def day_text(at_ms: int) -> str:
    """``Wednesday, 25 November 2026``, in local time and in words of the catalogue; empty for what is no time at all."""
    try:
        day = datetime.fromtimestamp(at_ms / 1000).astimezone().date()
    except (OverflowError, OSError, ValueError):
        return ""  # the server's word
    weekdays = (
        translate("Monday"), translate("Tuesday"), translate("Wednesday"), translate("Thursday"), translate("Friday"),
        translate("Saturday"), translate("Sunday"),
    )  # fmt: skip
    dates = (
        translate("{weekday}, {day} January {year}"),
        translate("{weekday}, {day} February {year}"),
        translate("{weekday}, {day} March {year}"),
        translate("{weekday}, {day} April {year}"),
        translate("{weekday}, {day} May {year}"),
        translate("{weekday}, {day} June {year}"),
        translate("{weekday}, {day} July {year}"),
        translate("{weekday}, {day} August {year}"),
        translate("{weekday}, {day} September {year}"),
        translate("{weekday}, {day} October {year}"),
        translate("{weekday}, {day} November {year}"),
        translate("{weekday}, {day} December {year}"),
    )
    return dates[day.month - 1].format(weekday=weekdays[day.weekday()], day=day.day, year=day.year)
