"""Prekeys, certificates, and the log's pages."""

from collections.abc import Iterable
from typing import Final

from chatserv.bus_models import Notice, NoticeKind
from chatserv.commands.broadcast import notify
from chatserv.commands.context import Context
from chatserv.commands.lease_line import CommitLease
from chatserv.commands.rate_limits import Share
from chatserv.crypto.log_leaves import LEAF_BYTES, TREE_HEAD_BYTES
from chatserv.crypto.prekeys import SignedPreKey, is_last_resort
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadKey, NotFound, Reject
from chatserv.models import PrekeyItem, TakenPrekey
from chatserv.wire import messages
from chatserv.wire.records import ARRAY_HEADER_BYTES, plaintext_room

HOUR_SECONDS: Final = 3600.0
DAY_SECONDS: Final = 86_400.0
UNUSED_DEVICES: Final = 10  # how many devices an account can take all the prekeys of that it may take for nothing
PAGE_BYTES: Final = 64  # of a page of the log that are neither leaves nor head


async def publish_prekeys(context: Context, session: LiveSession, command: messages.PublishPrekeys) -> messages.Stock:
    """Lists prekeys of this device, each of which it has signed. Raises `BadKey`, and lists none, where one is not."""
    items = []
    for encoded in command.prekeys:
        try:
            signed = SignedPreKey.decode(encoded)
            signed.verify(session.ed25519, session.device_id)
        except Reject as error:
            raise BadKey(error.detail) from None
        items.append(PrekeyItem(signed.prekey.id, encoded))
    most = context.config.limits.one_time_prekeys
    return messages.Stock(command.label, await context.store.publish_prekeys(session.device_id, items, most))


async def fetch_keys(context: Context, session: LiveSession, command: messages.FetchKeys) -> messages.Keys:
    """A prekey for each device; one-time ones only where rooms are small and private and the requester is modest."""
    lease = context.leases.require(command.room, session)
    taking = []
    for device_id in command.devices:
        one_time = _may_take_one_time(context, session, lease, device_id)
        taking.append(context.store.take_prekey(device_id, one_time=one_time))
    taken: list[TakenPrekey] = await context.effects.together(taking)
    for device_id, prekey in zip(command.devices, taken, strict=True):
        _warn_when_low(context, device_id, prekey)
    return messages.Keys(command.label, tuple(prekey.signed or b"" for prekey in taken))


def _may_take_one_time(context: Context, session: LiveSession, lease: CommitLease, device_id: bytes) -> bool:
    limits, rates, unused = context.config.limits, context.rates.prekeys, context.rates.unused_prekeys
    record = context.registry.get(lease.room_id)
    if record is None:
        small = lease.one_time.total() < limits.prekey_room_devices
    else:
        small = not record.name and len(record.state.roster) <= limits.prekey_room_devices
    key = (session.account_id, device_id)
    if not small or rates.wait(key, limits.prekeys_per_hour, HOUR_SECONDS) > 0:
        return False
    most, flow = limits.prekeys_unused, context.flow
    if unused.wait(key, most, DAY_SECONDS) > 0 or unused.wait(key[:1], UNUSED_DEVICES * most, DAY_SECONDS) > 0:
        return False
    if flow.wait(Share.PREKEYS, session.account_id) > 0:
        return False
    flow.take(Share.PREKEYS, session.account_id)
    rates.take(key)
    for each in (key, key[:1]):
        unused.take(each)
    lease.one_time[device_id] += 1
    return True


def note_used(context: Context, lease: CommitLease, device_ids: Iterable[bytes]) -> None:
    """A commit wraps to these devices: one prekey of each, at most, was taken for that, and not for nothing."""
    for device_id in device_ids:
        if lease.one_time[device_id]:
            for key in ((lease.holder.account_id, device_id), (lease.holder.account_id,)):
                context.rates.unused_prekeys.give_back(key)


def _warn_when_low(context: Context, device_id: bytes, prekey: TakenPrekey) -> None:
    if prekey.signed is None or is_last_resort(int.from_bytes(prekey.signed[:4], "big")):
        return
    if prekey.left >= context.config.limits.prekeys_low:
        return
    target = context.hub.session_of(device_id)
    if target is not None:
        notify([target], messages.PrekeysLow(prekey.left))
    else:
        context.backplane.tell(Notice(NoticeKind.PREKEYS_LOW, device_id, number=prekey.left))


async def get_certificates(
    context: Context, session: LiveSession, command: messages.GetCertificates
) -> messages.Certificates:
    """Those of the certificates that are known; revoked ones too, since old commits name them."""
    found = await context.store.certificates(command.hashes)
    await session.outbox.writable()
    items = tuple(messages.CertificateItem(item.certificate, item.identity_spki) for item in found)
    return messages.Certificates(command.label, items)


async def get_log(context: Context, session: LiveSession, command: messages.GetLog) -> messages.LogPage:
    """Leaves from an index on, as far as the newest signed head covers them, wherever the session has heard of that."""
    await session.outbox.writable()
    await context.backplane.current()
    limits, log = context.config.limits, context.log
    head, covered = log.signed_head, log.covered_size
    room = plaintext_room(limits.line_bytes) - ARRAY_HEADER_BYTES - PAGE_BYTES - TREE_HEAD_BYTES
    end = min(covered, command.after + min(limits.log_page_leaves, room // LEAF_BYTES))
    return messages.LogPage(command.label, log.leaves(command.after, end), head)


async def get_statement(
    context: Context, session: LiveSession, command: messages.GetStatement
) -> messages.StatementFound:
    """What was signed behind a leaf: nobody has to take the log's word. Raises `NotFound` where nothing was."""
    statement = await context.store.statement(command.index)
    if statement is None:
        raise NotFound(f"statement {command.index}")
    await session.outbox.writable()
    return messages.StatementFound(command.label, statement)
