"""Rows 26, 28 and 30: peers that read nothing, are torn away wherever they are, and all come at once."""

import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from typing import Final

import psutil
from OpenSSL import SSL

from bench.accounts import Account, Accounts
from bench.member import Member, tls_context
from bench.server import BenchError
from chatserv.testing.processes import ServerProgram
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.link import ServerLink, parse_link
from tests.faults.coming import Comers
from tests.faults.crowd import Crowd, shared_keys
from tests.faults.health import Health
from tests.faults.peers import Halfway, Stopped, dial, reset
from tests.faults.rows import Ground, check, row

PEOPLE: Final = 3
SMALL_BUFFER: Final = 131_072  # of the kernel's: it would grow to megabytes; much less, and it drops even confirmations
SLOWER: Final = 1.5
COMMON_BYTES: Final = (
    6 << 20
)  # what the server keeps for all, whoever reads: pages of the database, the allocator's pools
HARD_BYTES: Final = 1_048_576  # limits.sendq_hard_bytes
FIRST: Final = 1000  # the number of the first account that is not the crowd's
FATAL_ALERT: Final = b"\x15\x03\x03\x00\x02\x02\x28"  # handshake_failure, in the clear (RFC 8446 section 6)
HALF_HELLO: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@row(26, "a slow reader: is in a busy room and never reads")
def slow_reader(ground: Ground) -> str:
    """Its commands wait, then it is cut; what the server keeps for it is bounded, and the others notice nothing."""
    seconds, count = ground.pick((3.0, 1), (30.0, 10))
    settings = {"limits": {"idle_seconds": seconds, "idle_reply_seconds": seconds}}
    with ground.server(settings) as server, Crowd(server, PEOPLE + count) as crowd:
        deaf = [crowd.give_up_last() for _ in range(count)]
        for each in deaf:
            each._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        with crowd.talking(150):
            crowd.flowing()
            health = Health(ground, server, crowd, SLOWER)
            process = psutil.Process(server.pid)
            before = most = process.memory_info().rss
            turns, since = cycle(deaf), time.monotonic()
            while (cut := _cut(server)) < count and time.monotonic() < since + 4 * seconds + 30:
                _ask_on(next(turns), crowd.people[0].position)
                most = max(most, process.memory_info().rss)
                time.sleep(ground.pick(0.05, 0.5))
            check(cut == count, f"{cut} of {count} were cut")
            said = health.check(
                r"disconnected after.*slow_reader", metric=r'chatserv_connections_ended_total\{phase="session"\}'
            )
            check(all(not person.logins for person in crowd.people), "others were cut as well")
            for each in deaf:
                each.close()
        figure = crowd.check()
    each_bytes = (most - before) / count
    check(each_bytes <= 1.2 * HARD_BYTES + COMMON_BYTES / count, f"{each_bytes / 1024:.0f} KiB more were used for each")
    return f"{count} cut, {each_bytes / 1024:.0f} KiB more for each at most, {figure}, {said}"


def _cut(server: ServerProgram) -> int:
    return len(re.findall(r"disconnected after.*slow_reader", server.output))


def _ask_on(deaf: Member, position: int) -> None:
    """Asks for all that there is, as long as the connection takes the question; reads nothing."""
    with suppress(OSError, SSL.Error):
        for line in deaf._session.seal([encode_message(messages.History(0, deaf.seat.room, position, 500))]):
            deaf._tls.send(line)


def _torn(tls: SSL.Connection | None, bare: socket.socket) -> None:  # noqa: ARG001 - one face for all
    reset(bare)


def _alerted(tls: SSL.Connection | None, bare: socket.socket) -> None:  # noqa: ARG001
    with suppress(OSError):
        bare.send(FATAL_ALERT)
    bare.close()


def _closed(tls: SSL.Connection | None, bare: socket.socket) -> None:
    with suppress(OSError, SSL.Error):
        if tls is not None:
            tls.shutdown()
    reset(bare)


ENDS: Final[tuple[Callable[[SSL.Connection | None, socket.socket], None], ...]] = (_torn, _alerted, _closed)
STATES: Final[tuple[tuple[str, dict[str, int]], ...]] = (
    ("TLS is up", {"written": 0}),
    ("ClientHello", {"written": 1}),
    ("ServerHello", {"heard": 1}),
    ("ClientAuth", {"written": 2}),
    ("ServerFinish", {"heard": 3}),
    ("Finished", {"written": 3}),
    ("a command", {"written": 4}),
)


def _bare(server: ServerProgram, said: bytes, number: int) -> None:
    """Ends a connection that TLS has not begun on, or only half."""
    one = dial(server)
    with suppress(OSError):
        one.send(said)
    ENDS[number % len(ENDS)](None, one)


class Returning(Member):
    """A device of an account that there may be.

    Args:
        link: Where the server is.
        account: Whose.
        accounts: Opens the server's secret.
    """

    def __init__(self, link: ServerLink, account: Account, accounts: Accounts) -> None:
        self.account, self._unwrap = account, accounts.unwrap
        self._connect(link, tls_context(), account.credentials())
        self.welcome = self._wait_for(messages.Welcome)


@row(28, "a connection is torn away at each state of the protocol: RST, a TLS alert, its end")
def torn_away(ground: Ground) -> str:
    """Nothing is left of it; an account is there with its device, or not at all."""
    times = ground.pick(3, 1000)
    with ground.server() as server, Crowd(server, PEOPLE) as crowd, crowd.talking(60):
        crowd.flowing(30)
        health = Health(ground, server, crowd)
        link = parse_link(server.link())
        accounts, tried = Kept(link.fingerprint), 0
        for number in range(times):
            _bare(server, b"", number)
            _bare(server, HALF_HELLO, number)
            for name, where in STATES:
                tried += 1
                stopped = False
                try:
                    Halfway(link, tls_context(), accounts, FIRST + tried, **where, end=ENDS[number % len(ENDS)])
                except Stopped:
                    stopped = True
                check(stopped, f"nobody came as far as {name}")
        there = sum(_is_whole(link, accounts, account) for account in accounts.made)
        metric = r'chatserv_connections_ended_total\{phase="login"\}'
        said = health.check(r"disconnected", metric=metric, accounts=tried)
        figure = crowd.check()
    check(0 < there < tried, f"{there} of {tried} accounts were made")
    return f"{times} times in {len(STATES) + 2} states, {there} of {tried} accounts are whole, no other is, {figure}, {said}"


class Kept(Accounts):
    """Makes accounts and remembers them."""

    def __init__(self, server_id: bytes) -> None:
        super().__init__(server_id, shared_keys())
        self.made: list[Account] = []

    def make(self, number: int, user: str = "") -> Account:
        """As it is."""
        self.made.append(super().make(number, user))
        return self.made[-1]


def _is_whole(link: ServerLink, accounts: Accounts, account: Account) -> bool:
    """Whether there is such an account, and its device gets in; else its name is still to be had."""
    try:
        Returning(link, account, accounts).close()
    except BenchError as error:
        check("AuthFailed" in str(error), f"{account.user}: {error}")
        Registering(link, account, accounts).close()
        return False
    return True


class Registering(Returning):
    """The same account, made now."""

    def __init__(self, link: ServerLink, account: Account, accounts: Accounts) -> None:
        self.account, self._unwrap = account, accounts.unwrap
        self._connect(link, tls_context(), account.credentials(), account.new_account())
        self.welcome = self._wait_for(messages.Welcome)


@row(30, "everybody reconnects at once after a restart")
def all_at_once(ground: Ground) -> str:
    """All are in again soon; those for whom there is no place yet are turned away and come again."""
    count = ground.pick(60, 2000)
    server = ground.server()
    with server:
        link = parse_link(server.link())
        accounts, numbers = Accounts(link.fingerprint, shared_keys()), range(FIRST, FIRST + count)
        people = Comers([link], accounts, numbers, near=True, longest_wait=5.0)
    with server:
        people.come([link], 120)  # what a first one takes stays: descriptors of the database, the allocator's pools
        people.leave()
        health = Health(ground, server)
        took = people.come([link], 120)
        people.leave()
        check(people.tries > count, "nobody was turned away: they did not come at once")
        said = health.check(metric=r"chatserv_turned_away_total.*")
    ground.within(took, 60.0, "everybody in")
    return f"{count} people in {people.tries} tries, all in after {took:.1f} s, {said}"
