"""Rows 34, 37 and 39: what people try with accounts: guess passwords, look like others, do what they may not."""

import secrets
import select
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import median
from typing import Any, Final, cast

from OpenSSL import SSL

from bench.accounts import SALTED
from bench.member import Member, tls_context
from bench.passwords import Visitor
from bench.server import BenchError
from chatserv.domain.names import skeleton
from chatserv.operations.registry import Way
from chatserv.operations.table import OPERATIONS
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.session import Event, Failed
from tests.commands.test_matrix import ADMINS_ONLY, EXAMPLES, EXPECTED, NO_LOGIN, WHO, MatrixTests, check_whole
from tests.domain.test_names import ACCEPTED, CONFUSABLE, REFUSED
from tests.faults.broken_peers import Registering
from tests.faults.crowd import Crowd
from tests.faults.driven import driven
from tests.faults.health import Health
from tests.faults.hostile import FIRST, Stage
from tests.faults.peers import address
from tests.faults.rows import Ground, check, row
from tests.net.test_password_timing import MOST_SECONDS, Guesser
from tests.support.server import WireServer
from tests.support.sessions import ALICE

PEOPLE: Final = 3
TRIES: Final = 5  # limits.password_tries
PATIENCE_SECONDS: Final = 150.0  # more than the line is long: password_waiting times password_turn_seconds
NOBODY: Final = "benchnobody"
WRONG: Final = bytes(31) + b"x"


class _Refused(BenchError):
    """The server has refused somebody; the text is the code."""


class _Telling(Member):
    """Tells why the server has refused it."""

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Failed):
                raise _Refused(event.error.code)
        super()._handle(events)


class _Guess(_Telling, Visitor):
    """Somebody who has tried one password from one address, and is in."""

    def __init__(self, stage: Stage, source: str, salted: bytes, user: str) -> None:
        self.source = source
        account = stage.accounts.make(FIRST)  # the name is the victim's, the machine a new one
        super().__init__(stage.link, tls_context(), stage.accounts, account, salted, user)
        self.enter()

    def _wait_readable(self) -> None:
        """Waits in the line of those who try a password of the account."""
        self._deadline = time.monotonic() + PATIENCE_SECONDS
        self._wait(select.POLLIN)


class _Newcomer(_Telling, Registering):
    """Somebody who has registered under a name of their choice."""


def _outcome(step: Callable[[], Member]) -> str:
    """``in``, the code of the refusal, or ``silence`` where nothing is said for as long as we wait."""
    try:
        step().close()
    except _Refused as refused:
        return str(refused)
    except (BenchError, OSError, SSL.Error):
        return "silence"
    return "in"


def _try(stage: Stage, source: str, salted: bytes = WRONG, user: str = "") -> str:
    """What comes of trying a password."""
    return _outcome(lambda: _Guess(stage, source, salted, user))


def _come(stage: Stage, user: str) -> str:
    """What comes of registering under a name."""
    try:
        account = stage.accounts.make(0, user)
    except (UnicodeEncodeError, OverflowError):
        return "cannot be said"
    return _outcome(lambda: _Newcomer(stage.link, account, stage.accounts))


def _apart(tries: int) -> float:
    """The difference of the medians of what the server takes for a user who is and one who is not, in seconds."""
    server = WireServer(password_tries=10 * tries, password_tries_account=10 * tries)
    server.join(ALICE.user)
    known, unknown = Guesser(server, ALICE.user), Guesser(server, "alicf")
    for number in range(tries):
        for guesser in (known, unknown) if number % 2 else (unknown, known):
            guesser.guess()
    return abs(median(known.seconds) - median(unknown.seconds))


@row(34, "passwords are guessed: from one address, from many, at one account, at names that are and are not")
def guessing(ground: Ground) -> str:
    """Each way has its bound, nothing tells whether there is such a user, and the person herself gets in all the while."""
    sources, threads = ground.pick((24, 12), (1000, 32))
    tries = ground.pick(100, 1000)
    limits = ground.pick({"password_tries_account": 10, "password_turn_seconds": 0.2, "password_waiting": 4}, {})
    with ground.server({"limits": limits}) as server, Crowd(server, PEOPLE) as crowd, crowd.talking(60):
        crowd.flowing(30)
        stage = Stage.of(server)
        health = Health(ground, server, crowd)
        for source, user in ((address(1), ""), (address(2), NOBODY)):
            found = [_try(stage, source, user=user) for _ in range(TRIES + 1)]
            check(
                found == ["auth_failed"] * TRIES + ["rate_limited"],
                f"{user or 'the account'} from one address: {found}",
            )
        check(_try(stage, address(1), SALTED) == "rate_limited", "the right password, from where the wrong ones came")
        with ThreadPoolExecutor(threads) as pool:
            guesses = [pool.submit(_try, stage, address(10 + number)) for number in range(sources)]
            while sum(each.done() for each in guesses) < sources // 2:
                time.sleep(0.01)
            began = time.monotonic()
            check(_try(stage, "127.0.0.1", SALTED) == "in", "the person does not get in from where she has been")
            took = time.monotonic() - began
            codes = Counter(each.result() for each in guesses)
        check(not codes["in"] and codes["auth_failed"] and codes["busy"], f"from many addresses: {codes}")
        check(_try(stage, address(9000), SALTED) == "in", "the person does not get in from elsewhere, in her turn")
        said = health.check(r"refused: (auth_failed|rate_limited|busy)", metric=r"chatserv_refusals_total.*")
        figure = crowd.check()
    apart = _apart(tries)
    ground.within(took, 1.0, "the person's own login")
    ground.within(apart, MOST_SECONDS, "medians of a known and an unknown user apart")
    total = ", ".join(f"{count} {code}" for code, count in sorted(codes.items()))
    return (
        f"{TRIES} tries of an address, of {sources} addresses {total}, the person in within {took:.2f} s, "
        f"known and unknown {apart * 1e6:.0f} us apart over {tries}, {figure}, {said}"
    )


@row(37, "names that look like another's, of mixed scripts, with what cannot be seen")
def lookalikes(ground: Ground) -> str:
    """Nobody registers under a name that could be taken for another's, or that deceives by itself."""
    module = "tests.domain.test_names"
    tests = driven(ground, ground.pick(f"{module}.SkeletonTests.test_collisions", module))
    refused: Counter[str] = Counter()
    with ground.server() as server, Crowd(server, PEOPLE) as crowd, crowd.talking(60):
        crowd.flowing(30)
        stage = Stage.of(server)
        health = Health(ground, server, crowd)
        for name in ACCEPTED.values():
            check(_come(stage, name) in {"in", "name_taken"}, f"{name!r} is not let in")
        for first, second in CONFUSABLE:
            _come(stage, first)
            refused[_come(stage, second)] += 1
        for text in REFUSED.values():
            refused[_come(stage, text)] += 1
        check(not refused["in"], f"{refused['in']} were let in")
        check(refused["name_taken"] and refused["name_invalid"], f"not both came about: {refused}")
        with closing(ground.database(server).engine().connect()) as database:
            names = database.exec_driver_sql("SELECT name FROM account WHERE gone_ms IS NULL").scalars().all()
        check(len({skeleton(name) for name in names}) == len(names), "two accounts look alike")
        said = health.check(r"refused: name_taken", metric=r"chatserv_refusals_total.*")
        figure = crowd.check()
    total = ", ".join(f"{count} {code}" for code, count in sorted(refused.items()))
    return f"{len(names)} accounts, no two alike, {total}, {tests} tests, {figure}, {said}"


def _cells() -> list[tuple[type[messages.Command], str, str]]:
    """Every cell of the table of commands: the command, who gives it, and what has to come of it."""
    check_whole(EXPECTED)
    return [
        (kind, who, wanted)
        for kind, expected in EXPECTED.items()
        for who, wanted in zip(WHO, [NO_LOGIN, *expected], strict=True)
    ]


@row(
    39,
    "every command by everybody, from the anonymous to the administrator; every operation by every way",
)
def matrix(ground: Ground) -> str:
    """What is not allowed is refused, in every cell of the table; and an ordinary user administers no real server."""
    cells, every = _cells(), ground.pick(12, 1)
    played = cells[secrets.randbelow(every) :: every]
    case = MatrixTests()
    for kind, who, wanted in played:
        found = case.outcome(kind, who)
        check(found == wanted, f"{kind.__name__} by {who}: {found}, not {wanted}")
    module = "tests.commands.test_matrix.MatrixTests"
    tests = driven(
        ground,
        f"{module}.test_every_command_of_a_guest",
        f"{module}.test_every_command_has_a_row",
        "tests.operations.test_registry.TableTests.test_ways",
        "tests.operations.test_registry.PerformTests.test_matrix",
    )
    ways = len(OPERATIONS) * len(Way)
    with ground.server() as server, Crowd(server, PEOPLE) as crowd, crowd.talking(60):
        crowd.flowing(30)
        attacker = Stage.of(server).attacker()
        health = Health(ground, server, crowd)
        nobody = cast(Any, None)
        admins = [kind for kind, expected in EXPECTED.items() if expected is ADMINS_ONLY or kind is messages.Operate]
        for kind in admins:
            attacker.send([encode_message(EXAMPLES[kind](nobody, nobody, nobody))])
            answer = attacker.answer()
            check(answer == "forbidden", f"{kind.__name__} by an ordinary user: {answer}")
        attacker.close()
        said = health.check()
        figure = crowd.check()
    guests = len(EXAMPLES)
    return (
        f"{len(cells) + guests + ways} cells ({len(cells)} of people, {guests} of guests, {ways} of operations), "
        f"all have a verdict, {len(played) + guests + ways} played in {tests} tests and here, "
        f"{len(admins)} refused by a real server, {figure}, {said}"
    )
