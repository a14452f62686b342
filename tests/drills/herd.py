"""The drill of a crowd: everybody of a dead node comes to the others at once."""

from __future__ import annotations

from bench.accounts import Accounts
from tests.drills.drill import Scene, drill
from tests.drills.people import links_of
from tests.faults.coming import Comers
from tests.faults.crowd import shared_keys
from tests.faults.rows import check

FIRST = 1000  # the number of the first account
GATHERING = 8  # at a time
LONGEST_SECONDS = 600.0


@drill(
    "herd",
    "everybody of a dead node comes to the others at once",
    "people know all addresses",
    {"advertise": False},
)
def herd(scene: Scene) -> str:
    """All were at the node that is killed, and are in elsewhere after a time that grows with their number."""
    count = scene.pick(100, 2000)
    node = scene.nodes.nodes[0]
    links = links_of(scene.nodes)
    people = Comers(links, Accounts(links[0].fingerprint, shared_keys()), range(FIRST, FIRST + count))
    try:
        people.gather(links[0], GATHERING)
        there = node.sessions
        check(there >= count, f"only {there} of {count} are at the node that is to die")
        node.kill()
        people.leave()
        known = links if scene.nodes.advertise else links[:1]
        took = people.come(known, min(scene.patience, LONGEST_SECONDS) + scene.pick(0, 120))
        scene.back.append(took)
    finally:
        people.leave()
        node.start()
    with scene.talking():
        pass
    return f"{count} people, {there} of them at the dead node, in again after {people.tries} tries, "
