"""Opens what a client has stored: its database, its copy of the log, and whom it knows."""

import os
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.internet.defer import CancelledError, Deferred

from chatserv.client.account.keyring import Keyring
from chatserv.client.account.profile import Profile
from chatserv.client.state.context import ClientContext
from chatserv.client.state.pins import Pins
from chatserv.client.state.transparency_log import TransparencyLog
from chatserv.client.storage.vault import Vault
from chatserv.clocks import now_ns
from chatserv.crypto.e2e.rng import HedgedRandom


def open_context(profile: Profile, keyring: Keyring, in_thread: Callable[..., Any], **around: Any) -> ClientContext:
    """What all parts of a client share.

    Args:
        profile: Where it is stored.
        keyring: Its keys.
        in_thread: Runs a function off the reactor; what comes back when the context is over is `Interrupted`. Nothing stops
            a thread: who is cancelled meanwhile goes on when it is done, so that nothing is taken from under it.
        **around: The other fields of `ClientContext`.

    Raises:
        StorageError: The database cannot be used.
    """
    vault = Vault.open(profile.database, profile.database_key)
    log = TransparencyLog(keyring.server_id, vault.log, vault.facts, keyring.required_key)

    async def off_reactor(work: Callable[..., Any], *args: Any) -> Any:
        result = await _whole(in_thread(work, *args))
        context.require_going()
        return result

    context = ClientContext(
        keyring=keyring,
        signing=ed25519.Ed25519PrivateKey.from_private_bytes(keyring.signing_key),
        opening=keyring.load_device_key(),
        vault=vault,
        log=log,
        pins=Pins(vault.pins, log),
        random=HedgedRandom(keyring.rng_seed, os.urandom, now_ns),
        directory=profile.directory,
        in_thread=off_reactor,
        **around,
    )
    return context


async def _whole(running: "Deferred[Any]") -> Any:
    """What comes of something that cannot be stopped. Raises `CancelledError`, where that was wanted, when it is done."""
    cancelled, waiter = False, Deferred[None]()

    def done(result: Any) -> Any:
        waiter.callback(None)
        return result

    running.addBoth(done)
    while not running.called:
        try:
            await waiter
        except CancelledError:
            cancelled, waiter = True, Deferred()
    if cancelled:
        running.addErrback(lambda _: None)
        raise CancelledError
    return await running
