"""What the identity key of an account signs: the end of a device, the next identity, the end of the account.

The newest identity alone counts, by the log when the request comes and by the store when it is carried out; in between
another device may have put another key in its place.
"""

from typing import Final

from chatserv.commands.attendance import last_word
from chatserv.commands.context import Context
from chatserv.commands.endings import end_account
from chatserv.commands.rate_limits import Share
from chatserv.control_models import REVOKED
from chatserv.crypto.identities import Identity
from chatserv.crypto.log_leaves import LeafType, user_leaf
from chatserv.crypto.statements import (
    Revocation,
    certificate_facts,
    verify_gone,
    verify_revocation,
    verify_rotation,
)
from chatserv.crypto.suite import RSA_BYTES, sha256
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadKey, NotAuthenticated, NotFound, RateLimited, Reject
from chatserv.models import LeafDraft
from chatserv.wire import messages

DAY_SECONDS: Final = 86_400.0


async def newest(context: Context, session: LiveSession) -> tuple[Identity, bytes]:
    """The newest identity of a session's account, and its key (DER).

    Raises:
        NotAuthenticated: The session was ended meanwhile, perhaps on another node: a device that was revoked signs nothing.
        NotFound: There is no account any more.
    """
    await context.backplane.current()
    if session.expelled:
        raise NotAuthenticated("identity: of a session that has ended")
    identity = context.log.facts.identity(session.name, context.log.size)
    if identity is None:
        raise NotFound("account")
    return identity, identity.spki(await context.store.statement(identity.index) or b"")


def _leaf(context: Context, session: LiveSession, kind: LeafType, subject: bytes, statement: bytes) -> LeafDraft:
    leaf = user_leaf(kind, context.log.server_id, session.name, subject, statement, context.now_ms())
    return LeafDraft(leaf.encode(), statement)


async def revoke(context: Context, session: LiveSession, command: messages.Revoke) -> messages.Ok:
    """Ends a device of the own account: in the log, at login, and now. Answered when the log's head covers it.

    Raises:
        NotFound: The account has no such device.
        BadKey: The statement is not signed by the account's newest identity key, or names another device.
        Forbidden: It is the only device of the last administrator who can log in.
        RateLimited: The account has ended as many as it may in a day.
    """
    try:
        cert_hash = Revocation.decode(command.statement[:-RSA_BYTES]).cert_hash
    except Reject as error:
        raise BadKey(error.detail) from None
    known = await context.store.certificates([cert_hash])
    if not known or certificate_facts(known[0].certificate).user != session.name:
        raise NotFound("revocation: no such device of this account")
    identity, spki = await newest(context, session)
    try:
        revocation = verify_revocation(command.statement, known[0].certificate, spki)
    except Reject as error:
        raise BadKey(error.detail) from None
    is_new = cert_hash in context.log.facts.certificates(session.name, context.log.size)  # else it is repeated
    if is_new:
        context.flow.check(Share.REVOCATIONS, session.account_id)
    leaf = _leaf(context, session, LeafType.REVOKE, cert_hash, command.statement)
    with last_word(context, session if revocation.device_id == session.device_id else None, REVOKED):
        await context.store.revoke(cert_hash, leaf, context.now_ms(), identity.fingerprint)
        if is_new:
            context.flow.take(Share.REVOCATIONS, session.account_id)
        await context.backplane.ordered()
        await context.log.covered()
    return messages.Ok(command.label)


async def rotate(context: Context, session: LiveSession, command: messages.Rotate) -> messages.Ok:
    """Puts a new identity key in the place of the newest. Answered when the log's head covers it; once more is done already.

    Raises:
        BadKey: The two keys have not signed it, the old one is not the newest, or the new one was the account's before.
        RateLimited: The account had so many of them today.
    """
    identity, spki = await newest(context, session)
    if identity.kind is not LeafType.ROTATE or await context.store.statement(identity.index) != command.statement:
        await _rotate(context, session, command.statement, identity, spki)
    await context.log.covered()
    return messages.Ok(command.label)


async def _rotate(context: Context, session: LiveSession, statement: bytes, before: Identity, spki: bytes) -> None:
    try:
        rotation = verify_rotation(statement, spki)
    except Reject as error:
        raise BadKey(error.detail) from None
    rates, most = context.rates.rotations, context.config.limits.rotations_per_day
    wait = rates.wait(session.account_id, most, DAY_SECONDS)
    if wait > 0:
        raise RateLimited("identity rotations", after_seconds=wait)
    rates.take(session.account_id)
    leaf = _leaf(context, session, LeafType.ROTATE, sha256(rotation.new_spki), statement)
    with context.log.vouched(leaf.leaf):
        await context.store.rotate(session.name, before.fingerprint, rotation.new_spki, leaf)


async def delete_account(context: Context, session: LiveSession, command: messages.DeleteAccount) -> messages.Ok:
    """Ends the own account for good. Answered when the log's head covers it, then this session ends too.

    Raises:
        BadKey: The statement is about another account, or not signed by its newest identity key.
        Forbidden: It is the last administrator who can log in.
    """
    identity, spki = await newest(context, session)
    try:
        verify_gone(command.statement, spki, context.log.server_id, session.name)
    except Reject as error:
        raise BadKey(error.detail) from None
    await end_account(context, session.name, command.statement, identity.fingerprint, last=session)
    return messages.Ok(command.label)
