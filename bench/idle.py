"""S5: what a connection takes of the server's memory that does nothing, at first and after everybody has come back."""

from collections.abc import Iterator
from typing import Final

from bench.crowd import together
from bench.ground import Ground, Opened, Ours
from bench.options import Options

WAVES: Final = 3


def idle(options: Options, opened: Opened = Ours) -> Iterator[dict[str, object]]:
    """Everybody comes and follows a room of ten, and does so again; each time memory is measured once nothing happens."""
    for count in [options.members] if options.members else [2000, 10_000] if options.full else [1000]:
        with opened(options) as server:
            yield _idle(server, count)


def _idle(server: Ground, count: int) -> dict[str, object]:
    people, kib = server.people(count), []
    before = server.memory_kib()
    for _ in range(WAVES):
        together([(person, person.coming()) for person in people])
        server.rest()
        kib.append((server.memory_kib() - before) / count)
        for person in people:
            person.close()
        server.rest()
    return {
        "scenario": "S5",
        "what": f"S5, {count} idle",
        "connections": count,
        "kib_per_connection": round(kib[0], 2),
        "kib_after_reconnecting": round(kib[-1], 2),
        "empty_mib": round(before / 1024, 1),
    }
