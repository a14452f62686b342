"""Operations without a running server, on the store of a state directory that this process holds meanwhile."""

import chatserv.openssl  # noqa: F401 - first, before anything loads OpenSSL

# isort: split
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar, cast

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from chatserv.bootstrap import prepare
from chatserv.clocks import now_ms, use_steady_clock
from chatserv.cluster_settings import Cluster
from chatserv.composition import compose
from chatserv.config import Config
from chatserv.launch import owner_of
from chatserv.live_settings import LiveSettings
from chatserv.local_errors import StateDirectoryError
from chatserv.logs import LogFiles
from chatserv.operations.performing import perform
from chatserv.operations.registry import Result
from chatserv.operations.world import World
from chatserv.settings_loading import load
from chatserv.store.databases import database_of

T = TypeVar("T")


def carry_out(world: World, name: str, given: Mapping[str, Any]) -> Result:
    """Carries one operation out on the store, and lets the reactor run as long as that takes.

    Args:
        world: Where, who asks, and where settings come from.
        name: Which.
        given: Its arguments.

    Raises:
        ChatError: It was not done.
    """
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - the process is ours

    use_steady_clock(reactor)
    config = load(world.sources()).config
    with owner_of(world.paths.path).acting():  # else root would leave files there that the server cannot open
        return run_until_done(reactor, on_store(reactor, config, world, lambda on_it: perform(on_it, name, given)))


async def on_store(reactor: Any, config: Config, world: World, work: Callable[[World], Awaitable[T]]) -> T:
    """What ``work`` gives, which gets the world with the store of its state directory.

    Raises:
        StateDirectoryError: A server runs there, or none ever did.
        DatabaseRefused: The database cannot be used.
        ChatError: What the work raises.
    """
    config = replace(config, cluster=Cluster())  # alone: nodes that run are asked, not gone round
    if not database_of(config.store, world.paths.database).exists():
        raise StateDirectoryError(f"{world.paths.path}: no server has run there")
    prepared = prepare(config, world.paths.path, now_ms())
    files = LogFiles(config.logging, prepared.state.path)
    globalLogPublisher.addObserver(files.observer)
    try:
        composition = compose(prepared, LiveSettings(config), reactor)
        try:
            await composition.start()
            return await work(replace(world, _context=composition.context))
        finally:
            await composition.stop()
    finally:
        globalLogPublisher.removeObserver(files.observer)
        files.close()
        prepared.state.release()


def run_until_done(reactor: Any, coroutine: Coroutine[Any, Any, T]) -> T:
    """What the coroutine gives, with a reactor that runs until it is done. Raises what it raises."""
    results: list[Any] = []

    def start() -> None:
        Deferred.fromCoroutine(coroutine).addBoth(results.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return cast(T, result)
