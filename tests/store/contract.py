"""What every store keeps to: one class that the tests of each implementation mix in."""

from collections.abc import Awaitable
from typing import Any

from chatserv.domain.roles import Role
from chatserv.errors import Draining
from chatserv.models import Ban, BanKind
from tests.store.contract_accounts import AccountContract
from tests.store.contract_base import seq_of
from tests.store.contract_blobs import BlobContract, new_blob
from tests.store.contract_endings import EndingContract, OwnContract, ResetContract
from tests.store.contract_keys import KeyContract, LogContract, signed_head
from tests.store.contract_logins import EnrolmentContract, LoginContract, enrolment
from tests.store.contract_messages import MessageContract
from tests.store.contract_nodes import NodeContract
from tests.store.contract_orders import OrderContract
from tests.store.contract_places import PlaceContract, WrapContract
from tests.store.contract_retention import RetentionContract
from tests.store.contract_rooms import CommitContract, RoomLifeContract
from tests.store.drafts import NOW_MS, draft, founding, invite, log_leaf, registration, sealed, start


class LifeContract(MessageContract):
    """The beginning and the end."""

    async def test_new(self) -> None:
        """A new store has an incarnation of 16 bytes, and nothing else."""
        store = await self.open_store()
        self.assertEqual(16, len(store.incarnation))
        empty = [await store.rooms(), await store.log(), await store.accounts("", 9), await store.bans()]
        empty.append(await store.consents())
        self.assertEqual([[], [], [], [], []], [list(each) for each in empty])

    async def test_close_drains(self) -> None:
        """What was asked for before the closing is answered."""
        store = await self.open_store()
        seqs: list[int | None] = []
        start(store.commit(founding(1))).addCallback(lambda result: seqs.append(seq_of(result)))
        for number in range(600):
            sent = start(store.append(draft(founding(1).room_id, number)))
            sent.addCallback(lambda result: seqs.append(seq_of(result)))
        await store.close()
        await store.close()
        self.assertEqual(list(range(1, 602)), seqs)

    async def test_closed(self) -> None:
        """Everything after the closing is refused."""
        store = await self.open_store()
        await store.ping()
        await store.close()
        calls: list[Awaitable[Any]] = [
            store.ping(),
            store.add_invite(invite(1), NOW_MS),
            store.register(registration("alice"), NOW_MS),
            store.device("alice", b""),
            store.account("alice"),
            store.login("alice"),
            store.set_verifier(b"", b"", b""),
            store.note_network(b"", b"", NOW_MS),
            store.enrol(enrolment("alice", 1), NOW_MS),
            store.accounts("", 1),
            store.set_account("alice", role=Role.USER),
            store.set_ban(Ban(BanKind.ACCOUNT, "alice", "bob", 1), on=True),
            store.bans(),
            store.log(),
            store.keep_head(signed_head(0, 1), b""),
            store.certificates([]),
            store.revoke(b"", log_leaf(1), NOW_MS, b""),
            store.open_invite(b""),
            store.end_account("alice", log_leaf(1), NOW_MS, None),
            store.rotate("alice", b"", b"", log_leaf(1)),
            store.devices("alice"),
            store.saw(b"", NOW_MS),
            store.put_backup("alice", sealed(1)),
            store.backup("alice"),
            store.backup_counter("alice"),
            store.publish_prekeys(b"", [], 1),
            store.take_prekey(b"", one_time=True),
            store.prekeys_left(b""),
            store.rooms(),
            store.rooms_of("alice"),
            store.append(draft(b"", 1)),
            store.commit(founding(1)),
            store.consents(),
            store.set_consents([]),
            store.memberships("alice"),
            store.offers(["alice"]),
            store.public_rooms("", 1),
            store.empty_rooms(),
            store.commits(b"", 0, 1),
            store.wrap(b"", 0, b""),
            store.passed(b"", {}),
            store.leave(b"", "alice", b""),
            store.close_room(b"", None),
            store.mark_read(b"", b"", 1),
            store.read_marks(b""),
            store.events(b"", 0, 1),
            store.events_before(b"", 1, 0, 1),
            store.rooms_at([b""]),
            store.moved({}),
            store.standing(b""),
            store.arriving("alice", b""),
            store.numbers(),
            store.leaves(0, 1),
            store.orders(0, 1),
            store.session_number(),
            store.open_blob(new_blob(1)),
            store.blob(b""),
            store.note_received(b"", 0, 1, NOW_MS, whole=False),
            store.blobs("alice", b"", 1),
            store.blob_bytes(),
            store.due_blobs(NOW_MS, 1),
            store.end_blobs([]),
            store.forget_blobs([]),
            store.begun_blobs(b"", 1),
            store.known_blobs([]),
            store.recount_blobs(),
        ]
        for call in calls:
            await self.assertFailure(start(call), Draining)


class StoreContract(
    LifeContract,
    CommitContract,
    PlaceContract,
    WrapContract,
    NodeContract,
    RoomLifeContract,
    RetentionContract,
    AccountContract,
    LoginContract,
    EnrolmentContract,
    LogContract,
    KeyContract,
    EndingContract,
    ResetContract,
    OwnContract,
    OrderContract,
    BlobContract,
):
    """The contract of `chatserv.ports.Store`."""
