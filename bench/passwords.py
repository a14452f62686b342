"""Logins by password at a real server: whether time tells who exists, and whether others notice when many come at once."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from msgspec.structs import replace
from OpenSSL import SSL

from bench.accounts import SALTED, Account, Accounts
from bench.member import Member, tls_context
from bench.options import Options
from bench.server import BenchError, BenchServer
from chatserv.errors import AuthFailed
from chatserv.wire import messages
from chatserv.wire.link import ServerLink
from chatserv.wire.session import Event, Failed, LineReady, PasswordKeyWanted, State

TRIES: Final = 1000  # of a user who exists, and as many of one who does not
LOGINS: Final = 50
PINGS_BEFORE: Final = 200
LIMITS: Final = {
    "password_tries": 10_000_000,
    "password_tries_account": 10_000_000,
    "unauthenticated_per_network": 200,
}
NOBODY: Final = "benchnobody"


class Visitor(Member):
    """Somebody who logs in by password.

    Args:
        link: Where the server is, and who.
        context: The TLS context that all share.
        accounts: Opens what is wrapped.
        account: Whose account, and which keys are offered.
        salted: What the password gives.
        user: The name, if it is another.
    """

    def __init__(
        self,
        link: ServerLink,
        context: SSL.Context,
        accounts: Accounts,
        account: Account,
        salted: bytes,
        user: str = "",
    ) -> None:
        self.account, self._unwrap, self._salted = account, accounts.unwrap, salted
        self._asked_at = self.seconds = 0.0
        self.refused = False
        credentials = account.guest()
        self._connect(link, context, replace(credentials, user=user or credentials.user))

    def enter(self) -> None:
        """Until the server greets. Raises `BenchError` where it does not."""
        self._wait_for(messages.GuestWelcome)

    def guess(self) -> float:
        """Until the server refuses; gives the seconds that it took to answer, both times together."""
        while not self.refused:
            self._wait_readable()
            self.receive()
        self.close()
        return self.seconds

    def _handle(self, events: list[Event]) -> None:
        if self._asked_at and events:
            self.seconds += time.perf_counter() - self._asked_at
            self._asked_at = 0.0
        rest: list[Event] = []
        for event in events:
            match event:
                case PasswordKeyWanted():
                    self._handle(self._session.derived(self._salted))
                case Failed(AuthFailed()):
                    self.refused = True
                case LineReady():
                    super()._handle([event])
                    if self._session.state in (State.CHALLENGE, State.FINISH):
                        self._asked_at = time.perf_counter()
                case _:
                    rest.append(event)
        super()._handle(rest)


def run(options: Options) -> Iterator[dict[str, object]]:
    """As `password_figures`."""
    yield password_figures(options.directory, options.core)


def password_figures(
    parent: Path | None, core: int | None, tries: int = TRIES, logins: int = LOGINS
) -> dict[str, object]:
    """Guesses in turns for a user who exists and one who does not; then many log in at once while somebody asks the server.

    Args:
        parent: Where the server's temporary directory is made.
        core: The core that the server is pinned to.
        tries: Guesses of each kind.
        logins: How many log in at once.
    """
    with BenchServer(parent, core, LIMITS) as server:
        link, context, accounts = server.link, tls_context(), Accounts(server.link.fingerprint)
        members = [Member(link, context, accounts, number) for number in range(logins)]
        seconds: dict[str, list[float]] = {"": [], NOBODY: []}
        for _ in range(tries):
            for user, times in seconds.items():
                times.append(Visitor(link, context, accounts, members[0].account, b"k" * 32, user).guess())
        known, unknown = (median(times) * 1e6 for times in seconds.values())
        before = [_ping(members[0]) for _ in range(PINGS_BEFORE)]
        crowd = multiprocessing.get_context("fork").Process(
            target=_crowd, args=(link, accounts, [member.account for member in members])
        )
        crowd.start()
        during = []
        while crowd.is_alive():
            during.append(_ping(members[0]))
        if crowd.exitcode:
            raise BenchError("not everybody could log in")
    return {
        "scenario": "passwords",
        "tries": tries,
        "known_us": round(known, 1),
        "unknown_us": round(unknown, 1),
        "difference_us": round(abs(known - unknown), 1),
        "logins": logins,
        "ping_ms": round(median(before) * 1e3, 2),
        "crowded_ping_ms": round(median(during) * 1e3, 2),
        "gap_ms": round(max(during) * 1e3, 2),
    }


def _ping(member: Member) -> float:
    """How long the server takes to answer, in seconds: at least as long as its reactor did not come round."""
    began = time.perf_counter()
    member.ask(messages.Ok, messages.Ping(0))
    return time.perf_counter() - began


def _crowd(link: ServerLink, accounts: Accounts, people: list[Account]) -> None:
    """All say hello before any of them goes on; in a process of its own, which gives way to the one that measures."""
    os.nice(19)
    context = tls_context()
    visitors = [Visitor(link, context, accounts, person, SALTED) for person in people]
    for visitor in visitors:
        visitor.enter()
