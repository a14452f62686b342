"""``make prove-blind``: what people write is nowhere on the server, nor in a stolen profile, in no disguise.

Real programs: the server under twistd, with every record that it opens or seals written down, and stdio clients that
reach it through proxies that write down every byte; one of them leaves TLS away. A random canary goes through each feature.
Then all that the server has is searched: its files, its output, its memory, its records, and the wire; and, as a thief of
the disk would, the profile of somebody who has sealed it. With ``--leak`` the server has a hole in each of these places, the
profile is not sealed, and each has to be found.

What is known to the server by design, such as the name of a public room, is searched for as well: it has to be found.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeGuard

import msgspec

from chatserv.testing.blindness import leaking, places, watched
from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.blindness.files import OF_A_WINDOW, SECRETS_OF_FILES, leave_unsealed, unsealed
from chatserv.testing.blindness.memory import dump
from chatserv.testing.blindness.places import LEAKS, LEAKS_OF_NODES, OF_EACH_NODE, Place, at_second
from chatserv.testing.blindness.play import BY_DESIGN, FOR_NOBODY, SECRETS, Play
from chatserv.testing.blindness.recording import HOST, RecordingProxy
from chatserv.testing.blindness.searching import Find, NotSearched, Searcher
from chatserv.testing.display import why_no_window
from chatserv.testing.processes import ProgramError, ServerProgram, free_port
from chatserv.testing.stores import add_option, cluster_for, in_database

if TYPE_CHECKING:
    from chatserv.testing.company import Company
    from chatserv.testing.postgres import Cluster

CLEAN, FOUND, UNPROVEN = 0, 1, 2
KNOWING: Final = (places.DATABASE, places.MEMORY, places.OPENED)  # where what is said in the clear has to be found
KNOWING_NODES: Final = (*KNOWING, places.BUS, at_second(places.MEMORY))
FIRST, SECOND = "1", "2"  # nodes
LEAKED: Final = dict(zip((*LEAKS, places.BUS), SECRETS, strict=False))  # which canary a play that leaks puts where,
LEAKED_NODES: Final = LEAKED | {at_second(place): LEAKED[place] for place in OF_EACH_NODE}  # also at another node
RECOVERY_CODE: Final = "recovery code"
_MEBIBYTE: Final = 2**20
_MOST_SHOWN: Final = 60  # kinds of finds of one place


@dataclass(frozen=True)
class Evidence:
    """What a performance left: all places, the canaries that nobody read, how the memory was got at, and a recovery code."""

    places: Sequence[Place]
    unread: Sequence[str]
    memory: str
    code: str


def perform(directory: Path, secret: Flock, control: Flock, cluster: "Cluster | None", *, leak: bool) -> Evidence:
    """The play, on a server that leaks or on one that should not, whose store is in its state directory or a database.

    Where it has the company of another node, Carol is at that one, and what each of them has is searched.
    """
    records, plain_port = directory / "records", free_port()
    records.mkdir()
    company, bus = cluster if _is_company(cluster) else None, None
    plain, settings = {"server": {"listen_plain": f"{HOST}:{plain_port}"}}, in_database(cluster)
    with ExitStack() as stack:
        if company is None:
            settings |= plain
        else:
            bus = stack.enter_context(RecordingProxy(directory / "bus", company.bus.port))
            settings["cluster"]["bus"] = [f"nats://{HOST}:{bus.port}"]
            company.beside, company.program = plain, _program(directory, SECOND, leak=leak)
        server = ServerProgram(directory, settings, _program(directory, FIRST, leak=leak))
        proxy = stack.enter_context(RecordingProxy(directory / "wire", server.port))
        plain_proxy = stack.enter_context(RecordingProxy(directory / "wire-without-tls", plain_port))
        if leak:
            texts = {place: secret[name].text for place, name in LEAKED.items()}
            database = settings["store"]["url"] if cluster else str(server.state / places.DATABASE_FILE)
            files, ports = str(leave_unsealed(secret, directory / "unsealed")), (proxy.port, bus.port if bus else 0)
            _order(directory, FIRST, leaking.Orders(texts, files, database, *ports))
            _order(directory, SECOND, leaking.Orders(texts, files))
        with server:
            nodes = [server, *([company.other_of(server)] if company else [])]
            play = Play(server, proxy.port, plain_proxy.port, secret, control, sealed=not leak)
            with play.performed():
                memories = [dump(each.pid, directory) for each in nodes]
            running = [
                places.copy_state(each.state, directory / f"running{number}") for number, each in enumerate(nodes)
            ]
            stores = [places.copy_state(cluster.directory, directory / "running-postgres")] if cluster else []
        if company:
            company.leave()
        if cluster:
            cluster.shut()
            stores.append(cluster.directory)
        found = [
            Place(places.STOLEN, play.stolen),
            *places.state_places(
                (*stores, running[0], server.state),  # the end empties the write-ahead log
                second=(running[1], nodes[1].state) if company else (),
            ),
            *_of_node(server, memories[0][0], records / FIRST),
            Place(places.WIRE, (*proxy.recordings(), *plain_proxy.recordings())),
        ]
        if bus is not None:
            found.append(Place(places.BUS, tuple(bus.recordings())))
            second = _of_node(nodes[1], memories[1][0], records / SECOND)
            found += [Place(at_second(each.name), each.files) for each in second]
        found.sort(key=lambda place: [*LEAKS_OF_NODES].index(place.name))
        size = sum(file.stat().st_size for file, _ in memories) // _MEBIBYTE
        return Evidence(found, sorted(play.unread), f"{memories[0][1]}, {size} MiB", play.code)


def _is_company(cluster: "Cluster | None") -> "TypeGuard[Company]":
    return hasattr(cluster, "other_of")


def _of_node(node: ServerProgram, memory: Path, records: Path) -> list[Place]:
    return [
        Place(places.OUTPUT, (node.output_file,)),
        Place(places.MEMORY, (memory,)),
        Place(places.OPENED, (records / watched.OPENED,)),
        Place(places.SEALED, (records / watched.SEALED,)),
    ]


def _program(directory: Path, which: str, *, leak: bool) -> tuple[str, ...]:
    records = directory / "records" / which
    records.mkdir()
    command = (*leaking.COMMAND, str(_orders(directory, which))) if leak else watched.COMMAND
    return *command, str(records)


def _orders(directory: Path, which: str) -> Path:
    return directory / f"orders-{which}.json"


def _order(directory: Path, which: str, orders: leaking.Orders) -> None:
    _orders(directory, which).write_bytes(msgspec.json.encode(orders))


def search(evidence: Evidence, flock: Flock) -> dict[str, list[Find]]:
    """By place, what is there of a flock."""
    searcher = Searcher(flock)
    return {place.name: searcher.files(place.files) for place in evidence.places}


def report(found: dict[str, list[Find]]) -> None:
    """One line for each place, and below it what was found there."""
    for place, finds in found.items():
        print(f"{place:<{places.LONGEST_NAME}}{len(finds)}")
        kinds = list(dict.fromkeys(f"{find.canary}, {find.encoding}" for find in finds))
        for kind in kinds[:_MOST_SHOWN]:
            print(f"    {kind}")
        if len(kinds) > _MOST_SHOWN:
            print(f"    and {len(kinds) - _MOST_SHOWN} more kinds")


def validate(evidence: Evidence, secret: Flock, control: Flock, *, leak: bool) -> int:
    """Searches and prints; returns the exit code."""
    several = places.BUS in {place.name for place in evidence.places}
    leaks, knowing = (LEAKS_OF_NODES, KNOWING_NODES) if several else (LEAKS, KNOWING)
    print(f"-- searched: {evidence.memory}; {len(secret.canaries)} canaries in every encoding", flush=True)
    found = search(evidence, secret)
    for place, finds in search(evidence, Flock.caught(RECOVERY_CODE, evidence.code)).items():
        found[place] += finds
    report(found)
    known = {place: len(finds) for place, finds in search(evidence, control).items() if finds}
    print(f"-- said in the clear, and found: {', '.join(f'{place} {count}' for place, count in known.items())}")
    print(f"-- canaries that came to whom they were meant for: {_all_but(evidence.unread, secret)}")
    if evidence.unread or not known.keys() >= set(knowing) or places.WIRE in known:
        print("nothing is proven: a canary was not read, or what is said in the clear was not found where it has to be")
        return UNPROVEN
    guilty = sum(map(bool, found.values()))
    if leak:
        seen = {place: {(find.canary, find.encoding) for find in finds} for place, finds in found.items()}
        right = sum((LEAKED_NODES[place], encoding) in seen[place] for place, encoding in leaks.items())
        blobs = [place for place in leaks if place in {places.BLOBS, at_second(places.BLOBS)}]
        sent = [name for name in SECRETS_OF_FILES if name in secret.names]
        bare = [name for name in sent if all((name, unsealed(name)) in seen[place] for place in blobs)]
        print(f"-- of files left unsealed, and found: {len(bare)} of {len(sent)} canaries")
        print(f"leaks found in {right} of {len(leaks)} places")
        return FOUND if (right, bare) == (len(leaks), sent) else UNPROVEN
    print(f"canaries found in {guilty} of {len(found)} places")
    return FOUND if guilty else CLEAN


def _all_but(missing: Sequence[str], flock: Flock) -> str:
    return (
        f"all but {', '.join(missing)}"
        if missing
        else f"all {len(flock.canaries) - len(FOR_NOBODY)} that are for somebody"
    )


def main() -> int:
    """Returns 0 where nothing was found, 1 where something was, 2 where neither can be said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leak", action="store_true", help="let the server leak a canary into each place")
    add_option(parser)
    options = parser.parse_args()
    leak = options.leak
    lacking = why_no_window()
    if lacking:
        print(f"-- no picture goes from a window here: {lacking}")
    with tempfile.TemporaryDirectory(prefix="chatserv-blind-") as name:
        sent = [each for each in SECRETS if not (lacking and each in OF_A_WINDOW)]
        secret, control = Flock.hatch(sent), Flock.hatch(BY_DESIGN)
        try:
            with cluster_for(options.store) as cluster:
                evidence = perform(Path(name), secret, control, cluster, leak=leak)
                return validate(evidence, secret, control, leak=leak)
        except (ProgramError, NotSearched) as error:
            print(error, file=sys.stderr)
            return UNPROVEN


if __name__ == "__main__":
    sys.exit(main())
