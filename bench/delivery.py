"""S1, S2, S3 and S6: what a delivery costs the server, and how long it takes to reach everybody."""

from array import array
from collections.abc import Iterator, Sequence
from typing import Final

from bench.figures import figures, read
from bench.ground import Ground, Opened, Ours, Scenario
from bench.load import Load
from bench.options import Options
from bench.profiler import Profiler

WARM_UP_SECONDS = 1.0
S1_SENDERS: Final = 10
S1_RATES: Final = (1000.0,)  # messages a second in all, where 50 listen: 50,000 deliveries
S1_FULL_RATES: Final = (200.0, 1000.0, 2000.0)
S1_MANY: Final = 490  # with ten senders, as many as one commit can bring in
S2_RATE: Final = 50.0


def saturated(options: Options, opened: Opened = Ours) -> Iterator[dict[str, object]]:
    """S1: each sender keeps a window of messages under way; or all of them say so much a second."""
    for members in [options.members] if options.members else [50, S1_MANY] if options.full else [50]:
        senders = options.senders or S1_SENDERS
        if not options.rate:
            yield _run(Scenario("S1", members, senders, senders * options.outstanding), options, opened)
        if not (options.rate or options.senders):
            yield _run(Scenario("S1", members, 1, options.outstanding), options, opened)
        for rate in _rates(options, members):
            yield _run(Scenario("S1", members, senders, rate=rate), options, opened)


def _rates(options: Options, members: int) -> Sequence[float]:
    if options.rate:
        return [options.rate]
    rates = () if options.senders else S1_FULL_RATES if options.full else S1_RATES
    return [rate * 50 // members for rate in rates]  # as many deliveries, whoever listens


def light(options: Options, opened: Opened = Ours) -> Iterator[dict[str, object]]:
    """S2: everybody in one room says something now and then."""
    members = options.members or 100
    yield _run(Scenario("S2", members, members, rate=options.rate or S2_RATE), options, opened)


def many_rooms(options: Options, opened: Opened = Ours) -> Iterator[dict[str, object]]:
    """S3: in each of many small rooms everybody says something once a second."""
    rooms = (options.members or 1000) // 10
    yield _run(Scenario("S3", 10, 10, rate=options.rate or rooms * 10, rooms=rooms), options, opened)


def pairs(options: Options, opened: Opened = Ours) -> Iterator[dict[str, object]]:
    """S6: two people each, who answer one another at once."""
    yield _run(Scenario("S6", 2, 2, window=1, rooms=(options.members or 200) // 2, direct=True), options, opened)


def _run(scenario: Scenario, options: Options, opened: Opened = Ours) -> dict[str, object]:
    """One run with a fresh server. Raises `BenchError` where it measured nothing."""
    with opened(options) as server:
        return _measure(scenario, options, server)


def _measure(scenario: Scenario, options: Options, server: Ground) -> dict[str, object]:
    latencies = array("q")
    load = Load(server.rooms(scenario, latencies), latencies)

    def go(seconds: float) -> None:
        if scenario.rate:
            load.pace(seconds, scenario.rate)
        else:
            load.saturate(seconds, scenario.window)

    try:
        go(WARM_UP_SECONDS)
        del latencies[:]
        with Profiler(options.profile, server.pid, options.seconds):
            before = read(server, load)
            go(options.seconds)
            after = read(server, load)
        found = latencies[:]
        load.settle()
        return figures(scenario, before, after, found)
    finally:
        load.close()
