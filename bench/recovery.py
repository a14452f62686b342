"""How long somebody takes who has lost every device: from the password to a line in each of many rooms.

Everybody and the server run in one process, without network and disk; what anybody would have waited for is added.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Final

from bench.options import Options
from bench.server import BenchError
from chatserv.client.commits.room_changes import public_policy
from chatserv.crypto.room_state import Kind, Policy
from chatserv.testing.world import Person, World

ROOMS: Final = 20
DEVICES: Final = 50  # of each room
MOST_SECONDS: Final = 120
PUBLIC: Final = 4  # every so many rooms one is public


def _found_rooms(world: World, person: Person, others: list[Person], rooms: int) -> list[str]:
    """Rooms with all of them; every so many is public."""
    names = tuple(other.name for other in others)
    changes = person.client.engine.room_changes
    for number in range(rooms):
        name = f"room-{number}"
        policy = Policy(Kind.ROOM) if number % PUBLIC else public_policy(name)
        person.do(changes.create(policy, name, "a topic", names))
    world.settle(60)
    return [f"room-{number}" for number in range(rooms)]


def run(options: Options) -> Iterator[dict[str, object]]:
    """As `recovery_figures`."""
    yield recovery_figures(options.directory)


def recovery_figures(parent: Path | None, rooms: int = ROOMS, devices: int = DEVICES) -> dict[str, object]:
    """Loses the only device of somebody, and recovers with the code.

    Args:
        parent: Where the temporary directory with the profiles is made.
        rooms: How many rooms they are in, the lobby beside.
        devices: How many devices each has, each of somebody else.

    Raises:
        BenchError: Not all rooms are there afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="chatserv-bench-", dir=parent) as directory:
        world = World(f"{directory}/profiles")
        person = world.person("ann1", admin=True)
        others = [world.person(f"other{number}", wait=False) for number in range(devices - 1)]
        world.settle(60)
        names = _found_rooms(world, person, others, rooms)
        code = person.recovery_code
        for each in (person, *others):
            each.leave_the_machine()
        began, clock = perf_counter(), world.reactor.seconds()
        new = world.new_device(person, code, wait=False)
        while not set(names) <= set(new.client.rooms):
            if world.reactor.seconds() - clock > MOST_SECONDS * 2:
                raise BenchError(f"{len(new.client.rooms)} of {rooms} rooms")
            world.settle(1)
        for name in names:
            new.say(name, "back")
        worked, waited = perf_counter() - began, world.reactor.seconds() - clock
        world.close()
    return {
        "scenario": "recovery", "rooms": rooms, "devices": devices, "seconds": round(worked + waited, 1),
        "worked_s": round(worked, 1), "waited_s": round(waited, 1),
    }  # fmt: skip
