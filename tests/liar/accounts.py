"""Lies about accounts: passwords, backups, devices of one's own."""

from typing import Any, Final

from twisted.internet.defer import Deferred

from chatserv.account_models import PasswordLogin
from chatserv.client.recovery import guest as guest_module
from chatserv.client.recovery.asking import Asking
from chatserv.client.recovery.backups import Backups
from chatserv.client.recovery.failures import BackupOutdated, EnrolmentRefused, NoBackup, WrongCode
from chatserv.client.verification.log_auditor import LogAuditor
from chatserv.crypto.password import make_verifier
from chatserv.testing.memory_server import CHEAP, keyring
from chatserv.testing.world import Person
from chatserv.wire import client_session, messages, server_session
from chatserv.wire.client_session import OtherAccount
from tests.liar.stage import Lie, Stage


def backups(stage: Stage) -> dict[str, Any]:
    """What the server keeps, by user."""
    return stage.world.server.store._accounts._backups


def dora(stage: Stage) -> Person:
    """Somebody with an identity key of her own."""
    person = stage.world.person("dora")
    stage.world.settle()
    return person


def no_verifier(stage: Stage) -> None:
    """Dora logs in on a new machine; the server takes any password, without having hers."""
    dora(stage)
    other = make_verifier("another password", bytes(16), CHEAP).encode()
    login = stage.world.server.store.login

    async def answer(name: str) -> PasswordLogin | None:
        found = await login(name)
        return None if found is None else PasswordLogin(found.account, other, found.identity_spki)

    stage.patch(stage.world.server.store, "login", answer)
    stage.patch(server_session, "proof_holds", lambda *_: True)
    stage.lied()
    stage.world.do(stage.world.guest("dora").close())


def as_somebody_else(stage: Stage) -> None:
    """Dora logs in on a new machine with her recovery code, and is given Eve's backup."""
    code = dora(stage).recovery_code
    eve = stage.world.person("eve")
    stage.world.settle()
    assert eve.recovery_code
    stage.world.settle(30)
    backups(stage)["dora"] = backups(stage)["eve"]
    guest = stage.world.guest("dora")
    stage.lied()
    try:
        stage.world.do(guest.recover(code))
    finally:
        stage.world.do(guest.close())


def none_for_a_device(stage: Stage) -> None:
    """Dora's client connects anew, and the server has no backup any more."""
    assert dora(stage).recovery_code
    stage.world.settle(60)
    del backups(stage)["dora"]
    stage.lied()
    stage.world.server.cut()
    stage.world.settle(8)


def old_for_a_device(stage: Stage) -> None:
    """Dora's client connects anew, and the server has an older backup."""
    person = dora(stage)
    assert person.recovery_code
    stage.world.settle(60)
    old = backups(stage)["dora"]
    person.do(person.client.create_room("later"))
    stage.world.settle(60)
    backups(stage)["dora"] = old
    stage.lied()
    stage.world.server.cut()
    stage.world.settle(8)


def old_identity(stage: Stage) -> None:
    """Dora has renewed her identity, lost her devices, and is given a backup from before that."""
    person = dora(stage)
    code, old = person.recovery_code, backups(stage)["dora"]
    person.do(person.client.engine.own.identity.rotate())
    stage.world.settle(30)
    person.leave_the_machine()
    backups(stage)["dora"] = old
    guest = stage.world.guest("dora")
    stage.lied()
    try:
        stage.world.do(guest.recover(code))
    finally:
        stage.world.do(guest.close())


def none_for_who_lost_all(stage: Stage) -> None:
    """Dora has lost her devices, and the server says that it has no backup."""
    person = dora(stage)
    code = person.recovery_code
    person.leave_the_machine()
    del backups(stage)["dora"]
    guest = stage.world.guest("dora")
    stage.lied()
    try:
        stage.world.do(guest.recover(code))
    except NoBackup:
        return
    finally:
        stage.world.do(guest.close())
    raise AssertionError("recovered from nothing")


def old_for_who_lost_all(stage: Stage) -> None:
    """Dora has lost her devices, and is given a backup of yesterday."""
    person = dora(stage)
    code, old = person.recovery_code, backups(stage)["dora"]
    stage.world.settle(60)
    person.leave_the_machine()
    backups(stage)["dora"] = old
    guest = stage.world.guest("dora")
    stage.lied()
    found = stage.world.do(guest.recover(code))
    stage.world.do(guest.close())
    if found.at_ms > stage.world.server.now_ms() - 60_000:
        raise AssertionError("it is shown as newer than it is")


def approve_by_itself(stage: Stage) -> None:
    """Dora waits on a new machine for her old one's approval; what approves is a device of the server's that plays it."""
    puppet = dora(stage)
    guest, words = stage.world.guest("dora"), list[str]()

    async def her_device_shows_nothing(_: str) -> bool:
        return False

    asking = Deferred.fromCoroutine(guest.ask(words.append, her_device_shows_nothing))
    stage.world.run()
    (request,) = puppet.client.devices.waiting
    stage.lied()
    puppet.do(puppet.client.devices.approve(request.device_id))
    try:
        stage.world.do(asking)
    finally:
        stage.world.do(guest.close())


def suppress_revocation(stage: Stage) -> None:
    """Dora revokes a device that she has lost; the server says that it is done, and does nothing."""
    person = dora(stage)
    lost = stage.world.new_device(person, person.recovery_code, "lost")
    stage.world.settle(30)
    requests = person.client.engine.requests
    ask = requests.ask

    def answer(make: Any, **fields: Any) -> "Deferred[Any]":
        return ask(messages.Ping) if make is messages.Revoke else ask(make, **fields)

    stage.patch(requests, "ask", answer)
    stage.lied()
    person.do(person.client.devices.revoke(lost.client.engine.context.device_id))


def _old_identity(*_: object) -> bytes:
    return keyring("dora").identity_fingerprint()


def _of_any_account(stage: Stage) -> None:
    """Whatever the server shows is taken for the proof that it has the verifier."""
    stage.patch(client_session, "same", lambda *_: True)


def _key_of_eve(stage: Stage) -> None:
    """Slots open, whosesoever they are."""

    def opened(*_: object) -> bytes:
        eve = next(person for person in stage.world.people if person.name == "eve")
        return eve.client.keyring.backup_key

    stage.patch(guest_module, "open_slots", opened)


def _nobody_asked(stage: Stage) -> None:
    """Whoever has approved is believed, without a word of the person at the new device."""
    ask = Asking.ask

    async def unasked(self: Asking, identity_spki: bytes, log: Any, on_words: Any, _: Any) -> Any:
        async def same(_words: str) -> bool:
            return True

        return await ask(self, identity_spki, log, on_words, same)

    stage.patch(Asking, "ask", unasked)


async def _not_compared(self: Backups, counter: int) -> None:
    """Whatever the server has is the newest."""


LIES: Final = (
    Lie(
        "answer a password login without having the account's password",
        no_verifier,
        "dora",
        OtherAccount,
        within=2,
        says="it lets you in without knowing the account's password, or as somebody else",
        blind=_of_any_account,
    ),
    Lie(
        "answer a password login for another account",
        as_somebody_else,
        "dora",
        WrongCode,
        within=2,
        when="with the recovery code",
        says="This does not open the backup",
        blind=_key_of_eve,
    ),
    Lie(
        "approve a new device by itself",
        approve_by_itself,
        "dora",
        EnrolmentRefused,
        within=10,
        when="when its person says that their other device does not show these words",
        says="This device was refused",
        blind=_nobody_asked,
    ),
    Lie(
        "withhold the backup",
        none_for_a_device,
        "dora",
        within=10,
        when="with the next connection of a device",
        says="backup",
        blind=lambda stage: stage.patch(Backups, "begin", _not_compared),
    ),
    Lie(
        "serve an old backup",
        old_for_a_device,
        "dora",
        within=10,
        when="with the next connection of a device",
        says="backup",
        blind=lambda stage: stage.patch(Backups, "begin", _not_compared),
    ),
    Lie(
        "serve a backup from before the identity was renewed",
        old_identity,
        "dora",
        BackupOutdated,
        within=2,
        when="with the recovery code",
        says="Your identity has changed since this backup was made",
        blind=lambda stage: stage.patch(guest_module, "newest_identity", _old_identity),
    ),
    Lie(
        "suppress a revocation",
        suppress_revocation,
        "dora",
        within=5,
        says="it says that a device of yours is revoked, and its log does not",
        blind=lambda stage: stage.patch(LogAuditor, "look_for_revocation", lambda *_: None),
    ),
    Lie(
        "withhold the backup from who has lost every device",
        none_for_who_lost_all,
        why="it is told that there is none; who holds a code knows that there was one, and nobody else does",
    ),
    Lie(
        "serve an old backup to who has lost every device",
        old_for_who_lost_all,
        why="its date is shown, and nothing else is left to compare it with; the log says whether its identity holds",
    ),
)
