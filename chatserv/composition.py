"""What a server thinks with, put together: store, pool of signatures, and the world of the commands over them.

The service puts connections around it; an operation without a running server uses it as it is.
"""

import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from twisted.internet.defer import Deferred

from chatserv.backplane.local import LocalBackplane
from chatserv.backup.head_keeping import HeadKeeper
from chatserv.blob_directory import BlobDirectory
from chatserv.blob_threads import ThreadedBlobs
from chatserv.bootstrap import Prepared
from chatserv.clocks import now_ms
from chatserv.commands.context import Context
from chatserv.commands.mending import prepare as prepare_mending
from chatserv.commands.uploads import Uploads
from chatserv.config import Config
from chatserv.counts import Counts
from chatserv.crypto.suite import pss_sign
from chatserv.launch import Launch
from chatserv.live_settings import LiveSettings
from chatserv.net.effects import reactor_effects
from chatserv.net.pool import CryptoPool
from chatserv.node_ports import Backplane
from chatserv.store.limits import StoreLimits
from chatserv.store.sql_base import BaseSqlStore

if TYPE_CHECKING:
    from chatserv.membership import Membership


def store_limits(settings: LiveSettings) -> StoreLimits:
    """The bounds of the store among those of the server, as they are at any time."""
    bounds = StoreLimits()

    def follow(config: Config) -> None:
        limits = config.limits
        bounds.queue, bounds.batch, bounds.open_invites = limits.store_queue, limits.store_batch, limits.open_invites
        bounds.accounts, bounds.devices, bounds.rooms = limits.accounts, limits.devices_per_account, limits.rooms
        bounds.bans, bounds.networks, bounds.open_blobs = limits.bans, limits.login_networks, limits.blob_open
        bounds.blob_account_bytes, bounds.blob_server_bytes = limits.blob_account_bytes, limits.blob_server_bytes

    follow(settings.config)
    settings.subscribe(follow)
    return bounds


class Composition(Struct, frozen=True):
    """The parts, none of which has a thread or a connection before `start` and after `stop`.

    ``membership``: of a node among others.
    """

    store: BaseSqlStore
    pool: CryptoPool
    context: Context
    files: ThreadedBlobs
    membership: "Membership | None" = None

    async def start(self) -> None:
        """Starts the threads and opens the store. Raises as `BaseSqlStore.open`."""
        self.pool.start()
        self.files.start()
        opening = Deferred.fromCoroutine(self.store.open())
        if self.membership is not None:  # whoever comes while the store opens waits for it, and then for this
            self.membership.begin(self.context)
        await opening

    async def stop(self) -> None:
        """Commits what waits, closes the store, and ends the threads."""
        self.files.stop()
        await self.store.close()
        self.context.log.stop()
        if self.membership is not None:
            self.membership.stop()
        self.pool.stop()


def compose(
    prepared: Prepared,
    settings: LiveSettings,
    reactor: Any,
    counts: Counts | None = None,
    launch: Launch = Launch(),  # noqa: B008 - nobody can change it
) -> Composition:
    """The world of the commands, with all that the store holds of it, and the first signed head of the log.

    Args:
        prepared: What was made before the fork.
        settings: The settings.
        reactor: The reactor.
        counts: Gets what is counted.
        launch: As whom files are made.

    Raises:
        SettingsError: Something that the settings of a cluster name cannot be used.
        PrivateFileError: The directory of files cannot be made, or is open to others.
    """
    database, stored = prepared.database, prepared.stored
    store = database.store(store_limits(settings), reactor, prepared.use)
    pool = CryptoPool(reactor, settings.limits.crypto_queue)
    settings.subscribe(lambda config: setattr(pool, "max_waiting", config.limits.crypto_queue))
    effects = reactor_effects(reactor, now_ms, secrets.token_bytes, counts or Counts())
    store.subscribe(prepared.last_place.keep)  # the first of all: before anybody is told
    membership = None
    if database.cluster:
        from chatserv.membership import Membership  # noqa: PLC0415 - nobody else needs a bus

        membership = Membership(prepared, settings, effects, store, reactor)
    backplane: Backplane = LocalBackplane() if membership is None else membership.backplane
    sign, keep = partial(pool.run, pss_sign, prepared.identity), HeadKeeper(prepared.head_file, pool.run)
    files = ThreadedBlobs(BlobDirectory(settings.config.blobs.path(prepared.state.path)), settings, reactor)
    if settings.config.has_place_for_files:
        launch.does(files.directory.make)
    uploads = Uploads(files, store, settings, effects) if settings.config.has_place_for_files else None
    context = Context.of(store, backplane, settings, effects, prepared.public, sign, keep, uploads)
    context.take_in(stored.rooms, stored.consents, stored.log, stored.bans, stored.addresses)
    for rotation in context.log.facts.undecided(context.log.size):
        context.log.facts.decide(rotation, signed=True)  # else there would have been no start
    if membership is None:  # the first head of a node has to be in the store before
        first = context.log.sign_first(partial(pss_sign, prepared.identity))
        launch.does(prepared.head_file.keep, first)
    prepare_mending(context, stored.mending, partial(pss_sign, prepared.identity))
    return Composition(store, pool, context, files, membership)
