"""How a guest becomes a device, what an account's sessions tell each other meanwhile, and a new password."""

from typing import Final

from chatserv.account_models import Enrolment
from chatserv.bus_models import Notice, NoticeKind
from chatserv.commands.broadcast import notify_if_place
from chatserv.commands.context import Context
from chatserv.commands.guests import GuestSession
from chatserv.commands.identities import newest
from chatserv.commands.rate_limits import Share
from chatserv.crypto.log_leaves import LeafType, user_leaf
from chatserv.crypto.password import PasswordVerifier
from chatserv.crypto.statements import DEVICE_ID_BYTES, verify_certificate, verify_password
from chatserv.crypto.suite import sha256
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadKey, BadMessage, Busy, Forbidden, NotFound, RateLimited, Reject
from chatserv.models import LeafDraft
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.password_login import GuestOffer

MINUTE_SECONDS: Final = 60.0


async def enrol(context: Context, session: LiveSession, command: messages.Enrol) -> messages.Ok:
    """Makes a guest the device that it offered to be. Answered when the log's head covers it.

    Raises:
        Forbidden: It is a device already.
        BadKey: The certificate is not for that device, or not by the account's newest identity key.
        Quota: The account has as many devices as it may have.
        RateLimited: It has had as many new ones as it may in a day.
        BadMessage: The device's id is somebody's.
    """
    if not isinstance(session, GuestSession):
        raise Forbidden("enrol: a device")
    login = await context.store.login(session.name)
    if login is None:
        raise Forbidden("enrol: the account is gone", by="server")
    server_id, now_ms = context.log.server_id, context.now_ms()
    try:
        facts = verify_certificate(command.certificate, login.identity_spki, server_id)
    except Reject as error:
        raise BadKey(error.detail) from None
    offered = GuestOffer(facts.device_id, facts.rsa_spki, facts.ed25519, facts.created_ms)
    if facts.user != session.name or offered != session.offer:
        raise BadKey("device certificate: for another device than the guest has offered to be")
    is_new = await context.store.device(session.name, facts.device_id) is None  # else it is repeated
    if is_new:
        context.flow.check(Share.ENROLMENTS, session.account_id)
    cert_hash = sha256(command.certificate)
    leaf = user_leaf(LeafType.DEVICE, server_id, session.name, cert_hash, command.certificate, now_ms)
    draft = LeafDraft(leaf.encode(), command.certificate)
    enrolment = Enrolment(session.name, login.identity_spki, facts.device_id, command.certificate, draft)
    await context.store.enrol(enrolment, now_ms)
    if is_new:
        context.flow.take(Share.ENROLMENTS, session.account_id)
    await context.log.covered()
    return messages.Ok(command.label)


async def tell(context: Context, session: LiveSession, command: messages.Tell) -> messages.Ok:
    """Hands a word on to other sessions of the account that are there now.

    Raises:
        NotFound: Nobody is there.
        RateLimited: The account's devices, or its guests, have said too much in this minute.
        Busy: Whoever is there takes nothing at the moment.
    """
    if command.to and len(command.to) != DEVICE_ID_BYTES:
        raise BadMessage("tell: to whom")
    is_guest = isinstance(session, GuestSession)
    key, rates = (session.account_id, is_guest), context.rates.tells
    wait = rates.wait(key, context.config.limits.tells_per_minute, MINUTE_SECONDS)
    if wait > 0:
        raise RateLimited("tell", after_seconds=wait)
    rates.take(key)
    there = [each for each in targets(context, session.name, command.to) if each is not session]
    elsewhere = _is_elsewhere(context, session.name, command.to)
    if not there and not elsewhere:
        raise NotFound("tell: nobody is there")
    part = encode_message(messages.Told(session.device_id, is_guest, command.body))
    reached = [each for each in there if each.outbox.has_place(len(part))]
    if not reached and not elsewhere:
        raise Busy("tell: they read nothing", after_seconds=context.config.limits.retry_seconds)
    notify_if_place(reached, part)
    if elsewhere:
        context.backplane.tell(Notice(NoticeKind.TOLD, command.to, session.name, body=part))
    return messages.Ok(command.label)


def _is_elsewhere(context: Context, name: str, to: bytes) -> bool:
    """Whether somebody whom it is for is on another node."""
    devices = context.hub.elsewhere.devices(name)
    return to in devices or context.guests.is_elsewhere(name, to) if to else bool(devices)


def targets(context: Context, name: str, to: bytes) -> list[LiveSession]:
    """All devices of an account that are here, or the device and the guest with this id."""
    devices = [each for each in context.hub.sessions_of(name) if to in (b"", each.device_id)]
    guest = context.guests.find(name, to)
    return devices if guest is None else [*devices, guest]


async def set_password(context: Context, session: LiveSession, command: messages.SetPassword) -> messages.Ok:
    """Puts another verifier in the place of the account's; who came by the old one goes.

    A device alone may not: whoever had stolen one would keep its owner out.

    Raises:
        BadMessage: No client would go by that verifier.
        BadKey: The account's newest identity key has not signed it.
    """
    try:
        PasswordVerifier.decode(command.verifier)
    except Reject as error:
        raise BadMessage(error.detail) from None
    identity, spki = await newest(context, session)
    try:
        verify_password(context.log.server_id, session.name, command.verifier, command.signature, spki)
    except Reject as error:
        raise BadKey(error.detail) from None
    await context.store.set_verifier(session.account_id, command.verifier, identity.fingerprint)
    await context.backplane.ordered()
    return messages.Ok(command.label)
