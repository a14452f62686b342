"""Lies about keys: identities, devices, prekeys, wraps, revocations."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from chatserv.client.events import IdentityChanged
from chatserv.client.inbound import epoch_keys
from chatserv.client.state.transparency_log import TransparencyLog
from chatserv.client.verification.certificates import FalseKey
from chatserv.client.verification.log_auditor import LogAuditor
from chatserv.client.verification.revocations import Revocations
from chatserv.crypto.log_leaves import LeafType, user_leaf
from chatserv.crypto.prekeys import SignedPreKey
from chatserv.crypto.suite import sha256
from chatserv.testing.memory_server import NOW_MS, keyring, server_id
from chatserv.wire import messages
from tests.client.attackers import Ghost, Tap, engine_of, log_leaf, revocation_of
from tests.liar.stage import Lie, Stage


def swap_identity(stage: Stage) -> None:
    """The log says that Bob has another identity, which certifies a device of the server's."""
    stage.lied()
    Ghost(stage.world, "bob1").log(LeafType.RESET)
    stage.world.settle(2)


def made_up_rotation(stage: Stage) -> None:
    """The log says that Bob has replaced his identity, which he never signed."""
    stage.lied()
    Ghost(stage.world, "bob1").log(LeafType.ROTATE)
    stage.world.settle(2)


def made_up_revocation(stage: Stage) -> None:
    """The log says that Bob's device is revoked; what stands behind it is signed by Carol."""
    statement = revocation_of(stage.carol)
    leaf = user_leaf(LeafType.REVOKE, server_id(), "bob1", sha256(keyring("bob1").certificate), statement, NOW_MS)
    stage.lied()
    log_leaf(stage.world, leaf, statement)
    stage.world.settle(2)


def own_device(stage: Stage) -> None:
    """The log says that Alice has one more device."""
    leaf = user_leaf(LeafType.DEVICE, server_id(), "alice1", b"\x07" * 32, b"", NOW_MS)
    stage.lied()
    log_leaf(stage.world, leaf)
    stage.world.settle(2)


def swap_prekey(stage: Stage) -> None:
    """Alice takes Dora in, and is given keys that are Carol's as Dora's."""
    dora = stage.world.person("dora1")
    stage.world.settle(2)
    store = stage.world.server.store
    taken = stage.world.server.await_(store.take_prekey(engine_of(stage.carol).context.device_id, one_time=False))

    def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        if isinstance(message, messages.Keys) and taken.signed is not None:
            return (msgspec.structs.replace(message, prekeys=(taken.signed,) * len(message.prekeys)),)
        return (message,)

    Tap(stage.alice, edit)
    stage.lied()
    stage.alice.do(stage.alice.room("plans").invite(dora.name))


def swap_wrap(stage: Stage) -> None:
    """Alice gives the room new keys, and Carol gets those that were made for Bob."""
    others: list[messages.WrapReady] = []

    def keep(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        if isinstance(message, messages.WrapReady):
            others.append(message)
        return (message,)

    def swap(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        if isinstance(message, messages.Wrapped):
            return (msgspec.structs.replace(message, path=others[-1].path, wrap=others[-1].wrap),)
        return () if isinstance(message, messages.WrapReady) else (message,)

    Tap(stage.bob, keep)
    Tap(stage.carol, swap)
    stage.lied()
    stage.alice.do(stage.alice.room("plans").rotate())
    stage.bob.say("plans", "not for carol now")


async def _nothing(*_: object) -> None:
    """Of a check that awaits."""


def _any_key(self: SignedPreKey, *_: object) -> Any:
    return self.prekey.public_key()


LIES: Final = (
    Lie(
        "swap a person's key",
        swap_identity,
        "alice1",
        IdentityChanged,
        within=3,
        says="WARNING: bob1 has a new identity key: a new account, or somebody in the middle",
        blind=lambda stage: stage.patch(LogAuditor, "_look_at_others", lambda _: None),
    ),
    Lie(
        "swap a device's key for the next change",
        swap_prekey,
        "alice1",
        FalseKey,
        within=3,
        when="when somebody is taken in",
        says="The server gave out a key that its owner has not signed",
        blind=lambda stage: stage.patch(SignedPreKey, "verify", _any_key),
    ),
    Lie(
        "swap the keys of a room",
        swap_wrap,
        "carol1",
        within=3,
        when="with the first message under them",
        says="it gave this device room keys other than those made for it",
        blind=lambda stage: stage.patch(epoch_keys, "verify_wrap", lambda *_: None),
    ),
    Lie(
        "add a device to somebody's account",
        own_device,
        "alice1",
        within=3,
        says="the log lists a device of yours that is not known here",
        blind=lambda stage: stage.patch(TransparencyLog, "own_devices_unknown", lambda *_: ()),
    ),
    Lie(
        "make up a new identity as if its owner had signed it",
        made_up_rotation,
        "carol1",
        within=3,
        says="it says that somebody has a new identity, which they never signed",
        blind=lambda stage: stage.patch(Revocations, "_verify_rotation", _nothing),
    ),
    Lie(
        "make up a revocation",
        made_up_revocation,
        "carol1",
        within=3,
        says="it says that a device was revoked, which nobody signed",
        blind=lambda stage: stage.patch(Revocations, "_verify_revocation", _nothing),
    ),
)
