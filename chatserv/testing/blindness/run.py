"""``make prove-blind``: what people write is nowhere on the server, in no disguise.

Real programs: the server under twistd, with every record that it opens or seals written down, and stdio clients that
reach it through proxies that write down every byte; one of them leaves TLS away. A random canary goes through each feature.
Then all that the server has is searched: its files, its output, its memory, its records, and the wire. With ``--leak`` the
server has a hole in each of these places, and each has to be found.

What is known to the server by design, such as the name of a public room, is searched for as well: it has to be found.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from chatserv.testing.blindness import leaking, places, watched
from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.blindness.memory import dump
from chatserv.testing.blindness.places import LEAKS, Place
from chatserv.testing.blindness.play import BY_DESIGN, SECRETS, Play
from chatserv.testing.blindness.recording import HOST, RecordingProxy
from chatserv.testing.blindness.searching import Find, NotSearched, Searcher
from chatserv.testing.processes import ProgramError, ServerProgram, free_port

CLEAN, FOUND, UNPROVEN = 0, 1, 2
KNOWING: Final = (places.DATABASE, places.MEMORY, places.OPENED)  # where what is said in the clear has to be found
LEAKED: Final = dict(zip(LEAKS, SECRETS, strict=False))  # which canary a leaking server puts where
_MEBIBYTE: Final = 2**20
_MOST_SHOWN: Final = 30  # kinds of finds of one place


@dataclass(frozen=True)
class Evidence:
    """What a performance left: all places, the canaries that nobody read, and how the memory was got at."""

    places: Sequence[Place]
    unread: Sequence[str]
    memory: str


def perform(directory: Path, secret: Flock, control: Flock, *, leak: bool) -> Evidence:
    """The play, on a server that leaks or on one that should not."""
    records, orders = directory / "records", directory / "orders.json"
    records.mkdir()
    program = (*leaking.COMMAND, str(orders), str(records)) if leak else (*watched.COMMAND, str(records))
    plain_port = free_port()
    settings = {"server": {"listen_plain": f"{HOST}:{plain_port}"}}
    server = ServerProgram(directory, settings, program)
    with (
        RecordingProxy(directory / "wire", server.port) as proxy,
        RecordingProxy(directory / "wire-without-tls", plain_port) as plain_proxy,
    ):
        if leak:
            texts = {place: secret[name].text for place, name in LEAKED.items()}
            told = leaking.Orders(str(server.state), str(server.state / places.DATABASE_FILE), proxy.port, texts)
            orders.write_bytes(msgspec.json.encode(told))
        with server:
            play = Play(server, proxy.port, plain_proxy.port, secret, control)
            with play.performed():
                memory, how = dump(server.pid, directory)
            running = places.copy_state(server.state, directory / "running")
        return Evidence(
            [
                *places.state_places(running, server.state),  # the end empties the write-ahead log into the database
                Place(places.OUTPUT, (server.output_file,)),
                Place(places.MEMORY, (memory,)),
                Place(places.WIRE, (*proxy.recordings(), *plain_proxy.recordings())),
                Place(places.OPENED, (records / watched.OPENED,)),
                Place(places.SEALED, (records / watched.SEALED,)),
            ],
            sorted(play.unread),
            f"{how}, {memory.stat().st_size // _MEBIBYTE} MiB",
        )


def search(evidence: Evidence, flock: Flock) -> dict[str, list[Find]]:
    """By place, what is there of a flock."""
    searcher = Searcher(flock)
    return {place.name: searcher.files(place.files) for place in evidence.places}


def report(found: dict[str, list[Find]]) -> None:
    """One line for each place, and below it what was found there."""
    for place, finds in found.items():
        print(f"{place:<20}{len(finds)}")
        kinds = list(dict.fromkeys(f"{find.canary}, {find.encoding}" for find in finds))
        for kind in kinds[:_MOST_SHOWN]:
            print(f"    {kind}")
        if len(kinds) > _MOST_SHOWN:
            print(f"    and {len(kinds) - _MOST_SHOWN} more kinds")


def validate(evidence: Evidence, secret: Flock, control: Flock, *, leak: bool) -> int:
    """Searches and prints; returns the exit code."""
    print(f"-- searched: {evidence.memory}; {len(secret.canaries)} canaries in every encoding", flush=True)
    found = search(evidence, secret)
    report(found)
    known = {place: len(finds) for place, finds in search(evidence, control).items() if finds}
    print(f"-- said in the clear, and found: {', '.join(f'{place} {count}' for place, count in known.items())}")
    print(f"-- canaries that came to whom they were meant for: {_all_but(evidence.unread, secret)}")
    if evidence.unread or not known.keys() >= set(KNOWING) or places.WIRE in known:
        print("nothing is proven: a canary was not read, or what is said in the clear was not found where it has to be")
        return UNPROVEN
    guilty = sum(map(bool, found.values()))
    if leak:
        seen = {place: {(find.canary, find.encoding) for find in finds} for place, finds in found.items()}
        right = sum((LEAKED[place], encoding) in seen[place] for place, encoding in LEAKS.items())
        print(f"leaks found in {right} of {len(LEAKS)} places")
        return FOUND if right == len(LEAKS) else UNPROVEN
    print(f"canaries found in {guilty} of {len(found)} places")
    return FOUND if guilty else CLEAN


def _all_but(missing: Sequence[str], flock: Flock) -> str:
    return f"all but {', '.join(missing)}" if missing else f"all {len(flock.canaries) - 1} that are for somebody"


def main() -> int:
    """Returns 0 where nothing was found, 1 where something was, 2 where neither can be said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leak", action="store_true", help="let the server leak a canary into each place")
    leak = parser.parse_args().leak
    with tempfile.TemporaryDirectory(prefix="chatserv-blind-") as name:
        secret, control = Flock.hatch(SECRETS), Flock.hatch(BY_DESIGN)
        try:
            return validate(perform(Path(name), secret, control, leak=leak), secret, control, leak=leak)
        except (ProgramError, NotSearched) as error:
            print(error, file=sys.stderr)
            return UNPROVEN


if __name__ == "__main__":
    sys.exit(main())
