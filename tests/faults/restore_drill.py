"""``make restore-drill``: a backup under load, the machine is lost, the backup is put back, and people come back."""

import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from chatserv.testing.processes import ServerProgram, register_two, run_client
from tests.faults.commanding import command
from tests.faults.crowd import Crowd, Person
from tests.faults.health import p99
from tests.faults.rows import Ground, Row, check, play, wait_for
from tests.faults.storage import prefix

RATE: Final = 150.0
MOST_TIMES: Final = 2.0  # the 99th percentile while a backup is made, of the quiet one
NOISE_SECONDS: Final = 0.005
OFFER_SECONDS: Final = 60.0  # in which a client comes back and offers
FILLING: Final = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO invite "
    "(token_hash, role, expires_ms, name, used_by, used_ms) "
    "SELECT randomblob(32), 1, 0, hex(randomblob(500)), x'01', 1 FROM n"
)


def operate(server: ServerProgram, *words: str) -> None:
    """Carries an operation out; fails the drill where it is not done."""
    out, errors, code = command(server, *words)
    check(code == "0", f"chatserv {' '.join(words)}: {out}{errors}")


def fill(server: ServerProgram, megabytes: int) -> None:
    """Makes the database so large, while no server runs."""
    with sqlite3.connect(server.state / "chatserv.db") as base:
        base.execute(FILLING, (megabytes * 900,))
    base.close()


def drill(ground: Ground) -> str:
    """What is put back holds all that was acknowledged before; nobody was held up; what clients have comes back."""
    server, file = ground.server(), ground.directory / "one.backup"
    with server:
        register_two(server, "ann", "bob")
        server.stop()
        fill(server, ground.pick(8, 300))
        server.start()
        with Crowd(server, 5) as crowd:
            with crowd.talking(RATE):
                crowd.flowing()
                quiet_from = time.monotonic()
                time.sleep(ground.pick(2, 20))
                began, acknowledged = time.monotonic(), crowd.acknowledged()
                operate(server, "backup", str(file))
                ended = time.monotonic()
                crowd.flowing()
            quiet, busy = p99(crowd.latencies(quiet_from, began)), p99(crowd.latencies(began, ended))
            ground.within(busy, MOST_TIMES * quiet + NOISE_SECONDS, "99 % of acknowledgements while a backup is made")
            crowd.settle()
            say(server, "ann", "after the backup")
            server.kill()
            server.state.rename(lost := ground.directory / "lost")
            restored = put_back(server, file)
            kept = prefix(server.state, crowd, [each for _, _, each in crowd.people[0].shown], acknowledged)
            back = come_back(server, crowd.people, lost)
    return (
        f"{file.stat().st_size >> 20} MiB in {ended - began:.1f} s at {RATE:g} messages a second: 99 % acknowledged within "
        f"{busy * 1000:.1f} ms, {quiet * 1000:.1f} ms without; verified and restored in {restored:.1f} s: "
        f"{kept} messages, no hole; {back}"
    )


def put_back(server: ServerProgram, file: Path) -> float:
    """Verifies it and restores into an empty directory; how long that took, in seconds."""
    began = time.monotonic()
    operate(server, "verify", str(file))
    operate(server, "restore", str(file))
    return time.monotonic() - began


def lobby(state: Path) -> set[bytes]:
    """The ids of all that was said in the public room of a store."""
    base = sqlite3.connect(f"{(state / 'chatserv.db').as_uri()}?mode=ro", uri=True)
    found = base.execute("SELECT msg_id FROM event JOIN room ON room.pk = event.room WHERE name = 'lobby'").fetchall()
    base.close()
    return {each for (each,) in found}


def offers(state: Path) -> int:
    """How many events have been offered to a store that mends."""
    base = sqlite3.connect(f"{(state / 'chatserv.db').as_uri()}?mode=ro", uri=True)
    (found,) = base.execute("SELECT count(*) FROM mending_offer").fetchone()
    base.close()
    return int(found)


def come_back(server: ServerProgram, people: list[Person], lost: Path) -> str:
    """The server starts on what was put back; a client gives back what the backup lacks, and everybody writes again."""
    before = lobby(server.state)
    server.start()
    began = time.monotonic()
    with ThreadPoolExecutor(1) as thread:
        speaking = thread.submit(say, server, "ann", "and on it goes")  # waits until the store takes something new
        wait_for(lambda: offers(server.state) >= len(lobby(lost) - before), "what a client has", OFFER_SECONDS)
        operate(server, "restore", "--finish")
        speaking.result()
    say(server, "bob", "for me too")
    for person in people:
        person.come_back()
    seconds = time.monotonic() - began
    missing, now = lobby(lost) - before, lobby(server.state)
    check(
        missing and missing <= now,
        f"{len(missing - now)} of {len(missing)} lines that a client has were not given back",
    )
    return (
        f"{len(missing)} of {len(missing)} lines of clients given back, all write again {seconds:.1f} s after the start"
    )


def say(server: ServerProgram, who: str, line: str) -> None:
    """A line in the lobby, by the program that people use."""
    run_client(server.directory, who, "--send", "--room", "lobby", typed=f"{line}\n")


def main(words: list[str]) -> int:
    """Plays it, in small with ``--short``, and prints what it took."""
    outcome = play(Row(0, "restore drill", drill), short="--short" in words)
    print(f"restore drill: {outcome.word}: {outcome.figure}  [{outcome.seconds:.1f} s]")
    return int(outcome.word != "pass")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
