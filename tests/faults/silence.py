"""Rows 23, 24 and 27: peers that are slow, that say nothing, and that do not end."""

import re
import time
from contextlib import suppress
from typing import Any, Final

import psutil
from OpenSSL import SSL

from bench.member import tls_context
from chatserv.testing.processes import ServerProgram
from tests.faults.crowd import Crowd
from tests.faults.health import Health, p99
from tests.faults.peers import Throng, dial, is_ended, let_go, over_tls
from tests.faults.rows import Ground, check, row, wait_for

HELLO_BYTE: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)  # how a ClientHello begins
SLACK_SECONDS: Final = 20.0
PEOPLE: Final = 3


def _deadlines(ground: Ground) -> dict[str, dict[str, Any]]:
    """The ordinary ones, or shorter where the run is."""
    return {"limits": {"tls_handshake_seconds": 1.5, "login_seconds": 4}} if ground.short else {}


def _ended(server_output: str, why: str) -> int:
    return len(re.findall(f"disconnected after.*{why}", server_output))


def _logins(ground: Ground, comers: Crowd) -> float:
    """Other honest people come back meanwhile than those whose answers are timed; under what 99 of 100 logins stay."""
    took = [comers.cut_and_back(comers.people[each % PEOPLE]) for each in range(ground.pick(2, 60))]
    ground.within(p99(took), 1.0, "an honest login")
    return p99(took)


def _have_pools(server: ServerProgram, count: int) -> None:
    """Lets as many connections be once as the server has places for: what a first one takes stays with the allocator, and
    only what a second one adds is memory that does not come back.
    """
    throng = Throng(server, count)
    throng.go_on()
    check(throng.ended(10 + SLACK_SECONDS), "some were not ended")


@row(23, "slow peers: a byte a second in the TLS handshake, then in the login")
def slow_handshakes(ground: Ground) -> str:
    """Each is ended at its deadline, which bytes do not move; others log in meanwhile."""
    count, between = ground.pick(60, 2000), ground.pick(0.2, 1.0)
    with (
        ground.server(_deadlines(ground)) as server,
        Crowd(server, PEOPLE) as crowd,
        Crowd(server, PEOPLE, PEOPLE) as comers,
        crowd.talking(60),
    ):
        crowd.flowing(30)
        comers.start()
        _have_pools(server, ground.pick(60, 400))
        health = Health(ground, server, crowd)
        figures = []
        for why, said, tls, seconds in (
            ("no TLS handshake in time", HELLO_BYTE, False, ground.pick(1.5, 10)),
            ("no login in time", b"CHATSERV/1 " + b"A" * 100, True, ground.pick(4, 30)),
        ):
            before = _ended(server.output, why)
            throng = Throng(server, count, said, tls=tls)
            throng.go_on(between)
            login = _logins(ground, comers)
            check(throng.ended(seconds + SLACK_SECONDS), f"some were not ended: {why}")
            ended = _ended(server.output, why) - before
            check(
                throng.said >= ground.pick(1, 3) * ended > 0,
                f"{ended} reached the deadline, {throng.said} bytes were said",
            )
            figures.append(f"{ended} at the deadline after {throng.said} bytes (login {login:.2f} s)")
        said_of = health.check(r"no login in time", metric=r'chatserv_refusals_total\{code="timed_out"\}')
        figure = crowd.check()
    return f"{count} each: {', '.join(figures)}, {figure}, {said_of}"


@row(24, "peers that connect and say nothing")
def silent_handshakes(ground: Ground) -> str:
    """Each is ended at the deadline of the TLS handshake, or makes place for others before."""
    count = ground.pick(300, 2000)
    with (
        ground.server(_deadlines(ground)) as server,
        Crowd(server, PEOPLE) as crowd,
        Crowd(server, PEOPLE, PEOPLE) as comers,
        crowd.talking(60),
    ):
        crowd.flowing(30)
        comers.start()
        _have_pools(server, ground.pick(220, 400))
        health = Health(ground, server, crowd)
        before = server.output
        throng = Throng(server, count)
        throng.go_on()
        login = _logins(ground, comers)
        check(throng.ended(10 + SLACK_SECONDS), "some were not ended")
        output = server.output[len(before) :]
        ended, crowded = _ended(output, "no TLS handshake in time"), _ended(output, "crowded out")
        check(ended >= 50, f"only {ended} reached the deadline")
        check("turned away" in output or crowded, "nobody had to yield")
        said = health.check(r"no TLS handshake in time", metric=r"chatserv_turned_away_total.*")
        figure = crowd.check()
    return (
        f"{count}: {ended} ended at the deadline, {crowded} crowded out, the rest turned away, login {login:.2f} s, "
        f"{figure}, {said}"
    )


@row(27, "a peer takes no notice of the end of TLS (close_notify)")
def close_ignored(ground: Ground) -> str:
    """The server closes, the peer neither answers nor closes: its descriptor is free again within five seconds."""
    count = ground.pick(20, 30)
    with ground.server() as server, Crowd(server, PEOPLE) as crowd, crowd.talking(60):
        crowd.flowing(30)
        health = Health(ground, server, crowd)
        process, context = psutil.Process(server.pid), tls_context()
        before = process.num_fds()
        bare = [dial(server) for _ in range(count)]
        for each in bare:
            with suppress(SSL.Error):
                over_tls(each, context).send(b"GET / HTTP/1.1\r\n\r\n")
        since = time.monotonic()
        waited = process.num_fds() - before
        check(waited > 0, "nobody was waited for")
        wait_for(lambda: all(map(is_ended, bare)), "the end of the connections", 5 + SLACK_SECONDS)
        took = time.monotonic() - since
        wait_for(lambda: process.num_fds() <= before, "the descriptors", SLACK_SECONDS)
        let_go(bare)
        said = health.check(r"disconnected after [\d.]+ s: refused: bad_frame", metric=r"chatserv_refusals_total.*")
        figure = crowd.check()
    ground.within(took, 5.0, "a descriptor free again")
    check(took > 2, f"after {took:.1f} s all had ended: the peers did take notice")
    return f"{count} peers, free again after {took:.1f} s, {figure}, {said}"
