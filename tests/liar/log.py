"""Lies about the log: two of them, parts that are withheld, heads that are old."""

from collections.abc import Iterable
from typing import Final

import msgspec

from chatserv.client.events import StatusChanged
from chatserv.client.state.transparency_log import TransparencyLog
from chatserv.client.verification.gossip import Gossip
from chatserv.client.verification.log_auditor import LogAuditor
from chatserv.crypto.suite import rsa_spki
from chatserv.testing.memory_server import rsa_key
from chatserv.wire import messages
from tests.client.attackers import Tap, idle_leaf, log_leaf, signed_head
from tests.liar.stage import Lie, Stage


def without_log(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
    """The edit of a server that says nothing more about the log."""
    return () if isinstance(message, messages.LogHead | messages.LogPage) else (message,)


def leaves(stage: Stage) -> list[bytes]:
    """The log as the server has it."""
    return list(stage.world.server.store._leaves)


def equivocate(stage: Stage) -> None:
    """Bob is shown another log than the others, both signed; then he says something."""
    own = leaves(stage)
    fork = [*own, idle_leaf("for bob").encode()]
    tap = Tap(stage.bob, without_log)
    stage.alice.do(stage.alice.room("plans").rotate())
    stage.lied()
    tap.send(messages.LogHead(len(own), fork[-1], signed_head(fork, stage.world.server.now_ms())))
    log_leaf(stage.world, idle_leaf("for the others"))
    stage.world.settle(2)
    stage.bob.say("plans", "hello")


def rewrite(stage: Stage) -> None:
    """Carol is shown a head of a log that is not the one that she knows."""
    own = leaves(stage)
    other = [*own[:-1], idle_leaf("other").encode()]
    tap = Tap(stage.carol)
    stage.lied()
    tap.send(messages.LogHead(len(own), b"", signed_head(other, stage.world.server.now_ms())))
    stage.world.settle(2)


def withhold(stage: Stage) -> None:
    """The log goes on, and Carol is not shown that; then Alice says something."""
    short = signed_head(leaves(stage), stage.world.server.now_ms())

    def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        if isinstance(message, messages.LogPage):
            return (msgspec.structs.replace(message, leaves=b"", head=short),)
        return () if isinstance(message, messages.LogHead) else (message,)

    stage.alice.do(stage.alice.room("plans").rotate())
    Tap(stage.carol, edit)
    stage.lied()
    log_leaf(stage.world, idle_leaf("kept from carol"))
    stage.world.settle(2)
    stage.alice.say("plans", "hello")


def go_back(stage: Stage) -> None:
    """Carol connects anew, and is shown a shorter log, signed later."""
    log_leaf(stage.world, idle_leaf("taken back"))
    stage.world.settle(1)
    short = signed_head(leaves(stage)[:-1], stage.world.server.now_ms() + 1)

    def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        old = isinstance(message, messages.Welcome)
        return (msgspec.structs.replace(message, log_head=short) if old else message,)

    Tap(stage.carol, edit)
    stage.lied()
    stage.world.server.cut()
    stage.world.settle(8)


def stand_still(stage: Stage) -> None:
    """Dora registers, and is shown the log as it was the day before yesterday."""
    old = signed_head(leaves(stage), stage.world.server.now_ms() - 2 * 86_400_000)

    def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        if isinstance(message, messages.Welcome):
            return (msgspec.structs.replace(message, log_head=old),)
        if isinstance(message, messages.LogPage):
            return (msgspec.structs.replace(message, head=old),)
        return () if isinstance(message, messages.LogHead) else (message,)

    dora = stage.newcomer("dora1")
    Tap(dora, edit)
    stage.lied()
    dora.client.start(stage.world.server.invite("dora1"))
    stage.world.settle(4)


def other_key(stage: Stage) -> None:
    """Carol connects anew, and the server says that its key is another one."""
    other = rsa_spki(rsa_key("another server").public_key())

    def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        welcome = isinstance(message, messages.Welcome)
        return (msgspec.structs.replace(message, server_key=other) if welcome else message,)

    Tap(stage.carol, edit)
    stage.lied()
    stage.world.server.cut()
    stage.world.settle(8)


LIES: Final = (
    Lie(
        "equivocate on the log",
        equivocate,
        "alice1",
        within=60,
        when="once the one who sees the other log has said something and was asked",
        says="it shows different logs to different people",
        blind=lambda stage: stage.patch(TransparencyLog, "check_gossip", lambda *_: True),
    ),
    Lie(
        "rewrite the log",
        rewrite,
        "carol1",
        within=3,
        says="it shows different logs to different people",
        blind=lambda stage: stage.patch(TransparencyLog, "check_gossip", lambda *_: True),
    ),
    Lie(
        "withhold the end of the log from one",
        withhold,
        "carol1",
        within=60,
        when="once somebody who has seen more has said something and was asked",
        says="it withholds a part of its log that others have seen",
        blind=lambda stage: stage.patch(Gossip, "_validate", lambda *_, **__: None),
    ),
    Lie(
        "go back to a shorter log",
        go_back,
        "carol1",
        within=10,
        when="with the next connection",
        says="its log is too old",
        blind=lambda stage: stage.patch(LogAuditor, "_look_back", lambda *_: None),
    ),
    Lie(
        "serve a newcomer a log that stands still",
        stand_still,
        "dora1",
        within=5,
        when="where its newest head is older than a day",
        says="its log is too old",
        blind=lambda stage: stage.patch(TransparencyLog, "too_old", lambda *_: False),
    ),
    Lie(
        "be another server",
        other_key,
        "carol1",
        StatusChanged,
        within=10,
        when="with the next connection",
        says="This is not the server that your link or profile names",
        blind=lambda stage: stage.patch(TransparencyLog, "set_server_key", lambda *_: None),
    ),
)
