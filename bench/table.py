"""One table of what runs came to: a row for each figure, a column for each side, and the ratios between them."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Final

Line = Mapping[str, Any]
Rows = list[tuple[str, ...]]
FIGURES: Final = {  # of a line, and what they are called
    "server_cpu_us_per_delivery": "us of CPU a delivery",
    "server_cpu_us_per_message": "us of CPU a message",
    "server_cpu_ms_per_login": "ms of CPU a login",
    "server_cpu_ms_per_registration": "ms of CPU a registration",
    "deliveries_per_second": "deliveries a second",
    "logins_per_second": "logins a second",
    "kib_per_connection": "KiB a connection",
    "kib_after_reconnecting": "KiB after reconnecting",
    "append_us": "us of CPU a row",
    "page_us": "us of CPU a page",
    "start_s": "start, seconds",
    "send_us": "us to send",
    "receive_us": "us to receive",
    "sealed_s": "seconds, sealed",
    "ratio": "sealed / plain",
    "up_mb_per_second": "MB a second up",
    "down_mb_per_second": "MB a second down",
    "client_up_mb": "MB more, client that sends",
    "client_down_mb": "MB more, client that saves",
    "server_up_mb": "MB more, server",
    "paste_ms": "paste, ms",
    "attach_ms": "a client that comes, ms",
    "gateway_mb": "MB, chatserv-irc",
    "p95_ms": "p95, ms",
    "quiet_p95_ms": "quiet p95 of who talks, ms",
    "beside_p95_ms": "p95 beside a file, ms",
    "up_own_late_ms": "p95 later beside an upload, from the device, ms",
    "up_others_late_ms": "p95 later beside an upload, to it, ms",
    "down_own_late_ms": "p95 later beside a download, from the device, ms",
    "down_others_late_ms": "p95 later beside a download, to it, ms",
    "up_use_percent": "of the line in use, upload, %",
    "down_use_percent": "of the line in use, download, %",
    "quiet_p99_ms": "quiet p99, ms",
    "p50_ms": "p50, ms",
    "p99_ms": "p99, ms",
    "p999_ms": "p99.9, ms",
    "of_quiet": "of the quiet p99",
}
_LATE: Final = ("up_own_late_ms", "up_others_late_ms", "down_own_late_ms", "down_others_late_ms")
REACH: Final = {  # what is aimed at
    ("S1, 50 members, 10 senders", "server_cpu_us_per_delivery"): 1.0,
    ("S1, 50 members, 1 sender", "server_cpu_us_per_delivery"): 2.5,
    ("S2, 100 members, 50 messages a second", "server_cpu_us_per_delivery"): 22.0,
    ("S2, 100 members, 50 messages a second", "p50_ms"): 2.5,
    ("S2, 100 members, 50 messages a second", "p99_ms"): 5.0,
    ("S4, 500 log in at once", "server_cpu_ms_per_login"): 2.5,
    ("S4, 2000 log in at once", "server_cpu_ms_per_login"): 2.5,
    ("registration, 1000 others online", "server_cpu_ms_per_registration"): 6.0,
    ("client, 50 messages at a time", "send_us"): 350.0,
    ("client, 50 messages at a time", "receive_us"): 300.0,
    ("client, 10,000 missed messages", "sealed_s"): 3.0,
    ("IRC, 200 lines, 150 rooms", "p50_ms"): 25.0,
    ("IRC, 200 lines, 150 rooms", "p95_ms"): 60.0,
    ("IRC, 200 lines, 150 rooms", "paste_ms"): 1000.0,
    ("IRC, 200 lines, 150 rooms", "attach_ms"): 300.0,
    ("IRC, 200 lines, 150 rooms", "gateway_mb"): 75.0,
    ("files, 100 MB", "up_mb_per_second"): 20.0,
    ("files, 100 MB", "client_up_mb"): 8.0,
    ("files, 100 MB", "server_up_mb"): 1.0,
    **{("files, a line of 8 Mbit/s", late): 60.0 for late in _LATE},
    **{("files, a line of 1 Mbit/s", late): 120.0 for late in _LATE},
    ("S5, 1000 idle", "kib_per_connection"): 30.0,
    ("S5, 1000 idle", "kib_after_reconnecting"): 30.0,
}
REACH_OF_ALL: Final = {"of_quiet": 3.0, "start_s": 2.0}
MARKS: Final = ("disturbed", "generator_bound")


def table(sides: Mapping[str, Sequence[Line]], here: str) -> Rows:
    """A head and a row for each figure of each thing measured: the median of each side, with the lowest and the highest of
    several runs; the ratio of ``here`` to each other side, run by run; and what is aimed at.

    Args:
        sides: Their lines, in the order of the runs.
        here: Which of them this tree is.
    """
    others = [side for side in sides if side != here]
    head = ("", "", *sides, *(f"{here} / {side}" for side in others), "reach")
    return [head, *(row for what in _whats(sides[here]) for row in _rows(what, sides, here, others))]


def _whats(lines: Sequence[Line]) -> list[str]:
    return list(dict.fromkeys(line["what"] for line in lines if "what" in line))


def _rows(
    what: str, sides: Mapping[str, Sequence[Line]], here: str, others: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    name, found = what, {side: [line for line in lines if line.get("what") == what] for side, lines in sides.items()}
    for key, called in FIGURES.items():
        values = {
            side: [line[key] for line in lines if line.get("what") == what and line.get(key)]
            for side, lines in sides.items()
        }
        if not values[here]:
            continue
        ratios = [[one / other for one, other in zip(values[here], values[side], strict=False)] for side in others]
        reach = REACH.get((what, key), REACH_OF_ALL.get(key))
        yield (name, called, *map(_spread, values.values()), *map(_spread, ratios), f"{reach:g}" if reach else "")
        name = ""
    if marks := _marks([line for lines in found.values() for line in lines]):
        yield ("", marks, *[""] * (len(sides) + len(others) + 1))


def _marks(lines: Sequence[Line]) -> str:
    counts = {mark: sum(bool(line.get(mark)) for line in lines) for mark in MARKS}
    return ", ".join(
        f"{count} of {len(lines)} runs {mark.replace('_', ' ')}" for mark, count in counts.items() if count
    )


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    middle = _short(median(values))
    return middle if len(values) == 1 else f"{middle} ({_short(min(values))} to {_short(max(values))})"


def _short(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def text(rows: Rows) -> str:
    """For people."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def rst(rows: Rows) -> str:
    """For a document."""
    head, *rest = [tuple(cell or "\\" if not number else cell for number, cell in enumerate(row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *rest, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    body = text([head, *rest]).splitlines()
    return "\n".join([rule, body[0], rule, *body[1:], rule])
