"""What every store keeps to: orders, which tell all nodes what has changed beside the events of rooms."""

from collections.abc import Sequence

from chatserv.control_models import (
    ENTERING,
    GONE,
    REVOKED,
    AccountChanged,
    AccountEnded,
    Addressed,
    Announced,
    BanChanged,
    Consented,
    DeviceEnded,
    DevicesEntered,
    LeaveKept,
    Order,
    PasswordChanged,
    Retained,
    RoomClosed,
    decode_order,
)
from chatserv.domain.retention import RetentionDue
from chatserv.domain.roles import Role
from chatserv.errors import BadKey, Forbidden, NotFound, Quota, StaleCommit
from chatserv.models import Ban, BanKind, Consent, ConsentAt
from chatserv.ports import Store
from chatserv.store.limits import StoreLimits
from tests.store.contract_base import ContractBase
from tests.store.drafts import (
    NOW_MS,
    cert_hash,
    device_id,
    draft,
    following,
    founding,
    invite,
    log_leaf,
    registration,
    signer,
    start,
)


class OrderContract(ContractBase):
    """A listener hears them."""

    def hear(self, store: Store) -> list[Order | None]:
        """What a listener hears from now on; their numbers follow each other."""
        heard: list[Order | None] = []
        numbers: list[int] = []

        def listen(first: int, orders: Sequence[bytes]) -> None:
            numbers.extend(range(first, first + len(orders)))
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            heard.extend(map(decode_order, orders))

        store.subscribe_control(listen)
        return heard

    async def test_account(self) -> None:
        """An account that has changed, as it stands now: all nodes hear it before the answer; of a refusal nothing."""
        store = await self.open_store()
        heard = self.hear(store)
        await store.add_invite(invite(1, role=Role.ADMIN), NOW_MS)
        await store.register(registration("alice", invite(1).token_hash), NOW_MS)
        await store.register(registration("bob"), NOW_MS)
        suspending = start(store.set_account("bob", suspended=True))
        suspending.addCallback(lambda _: heard.append(None))
        await suspending
        await store.set_account("bob", muted=True)
        await self.assertFailure(start(store.set_account("alice", suspended=True)), Forbidden)
        await self.assertFailure(start(store.set_account("nobody", suspended=True)), NotFound)
        await store.set_account("bob", suspended=False, role=Role.ADMIN)
        suspended = AccountChanged("bob", Role.USER, True, False)
        then = AccountChanged("bob", Role.USER, True, True), AccountChanged("bob", Role.ADMIN, False, True)
        self.assertEqual([suspended, None, *then], heard)

    async def test_endings(self) -> None:
        """A device that was revoked, an account that was reset or is gone, a new password: each once."""
        store = await self.open_store()
        alice = await store.register(registration("alice"), NOW_MS)
        await store.register(registration("bob"), NOW_MS)
        heard = self.hear(store)
        await store.set_verifier(alice.account_id, b"verifier", signer("alice"))
        await self.assertFailure(start(store.set_verifier(alice.account_id, b"v", signer("bob"))), BadKey)
        for _ in range(2):
            await store.revoke(cert_hash("bob"), log_leaf(1), NOW_MS, signer("bob"))
        await store.add_invite(invite(1, name="alice", reset=True), NOW_MS)
        for _ in range(2):
            await store.register(registration("alice", invite(1).token_hash, number=2, reset=True), NOW_MS)
        await store.end_account("alice", None, NOW_MS, None)
        await self.assertFailure(start(store.end_account("alice", None, NOW_MS, None)), NotFound)
        expected = [
            PasswordChanged(alice.account_id, "alice"),
            DeviceEnded(registration("bob").device_id),
            AccountEnded("alice", REVOKED),
            AccountEnded("alice", GONE),
        ]
        self.assertEqual(expected, heard)

    async def test_bans(self) -> None:
        """Bans, and that they are lifted. An administrator is not banned, and who is banned does not administer."""
        store = await self.open_store(StoreLimits(bans=1))
        await store.add_invite(invite(1, role=Role.ADMIN), NOW_MS)
        await store.register(registration("ada", invite(1).token_hash), NOW_MS)
        await store.register(registration("bob"), NOW_MS)
        heard = self.hear(store)
        bob = Ban(BanKind.ACCOUNT, "bob", "ada", NOW_MS)
        await store.set_ban(bob, on=True)
        await self.assertFailure(start(store.set_account("bob", role=Role.ADMIN)), Forbidden)
        await self.assertFailure(start(store.set_ban(Ban(BanKind.ADDRESS, "192.0.2.1", "ada", 1), on=True)), Quota)
        await store.set_ban(bob, on=False)
        await self.assertFailure(start(store.set_ban(Ban(BanKind.ACCOUNT, "ada", "bob", 1), on=True)), Forbidden)
        await store.set_account("bob", role=Role.ADMIN)
        expected = [BanChanged(bob, True), BanChanged(bob, False), AccountChanged("bob", Role.ADMIN, False, False)]
        self.assertEqual(expected, heard)

    async def test_rooms(self) -> None:
        """Who has come in; a Leave, and where its room stood; an ended room, and how long the log is then; no refusal."""
        store = await self.open_store()
        heard = self.hear(store)
        first = founding(1)
        await store.commit(first)
        await store.commit(newest := following(first))
        await store.append(draft(first.room_id, 1, epoch=1))
        await store.leave(first.room_id, "alice", b"leave")
        await self.assertFailure(start(store.leave(b"x" * 16, "alice", b"leave")), NotFound)
        await self.assertFailure(start(store.close_room(first.room_id, log_leaf(1), epoch=0)), StaleCommit)
        self.assertEqual([], list(await store.log()))
        await store.close_room(first.room_id, log_leaf(1), log_leaf(2), epoch=newest.epoch)
        await self.assertFailure(start(store.close_room(first.room_id, log_leaf(3), epoch=newest.epoch)), NotFound)
        await store.commit(founding(2))
        await store.close_room(founding(2).room_id, log_leaf(3), None)
        expected = [
            DevicesEntered(first.room_id, 1, (device_id(b"d"), device_id(b"e"))),
            LeaveKept(first.room_id, 1, 3, "alice", b"leave"),
            RoomClosed(first.room_id, 2),
            DevicesEntered(founding(2).room_id, 1, (device_id(b"d"), device_id(b"e"))),
            RoomClosed(founding(2).room_id, 0),
        ]
        self.assertEqual(expected, heard)

    async def test_who_enters(self) -> None:
        """Devices that a commit gives places, once, some in each order; nothing of one that was stale, or gives none."""
        store = await self.open_store()
        devices = tuple((number.to_bytes(16, "big"), number) for number in range(ENTERING + 1))
        first = founding(1, added=devices)
        heard = self.hear(store)
        await store.commit(first)
        await store.commit(first)
        await store.commit(following(first, removed=(device_id(b"\0"),)))
        ids = tuple(device for device, _ in devices)
        expected = [DevicesEntered(first.room_id, 1, page) for page in (ids[:ENTERING], ids[ENTERING:])]
        self.assertEqual(expected, heard)

    async def test_consents(self) -> None:
        """Who agrees does so whatever was before; a place yields only while its user is asked, who is asked but once."""
        store = await self.open_store()
        first = founding(1, asked=("bob", "carol"))
        await store.commit(first)
        heard = self.hear(store)
        room = first.room_id

        def says(user: str, consent: Consent) -> ConsentAt:
            return ConsentAt(room, user, "alice", consent)

        yields, agrees = says("bob", Consent.YIELDED), says("bob", Consent.AGREED)
        self.assertEqual([yields], list(await store.set_consents([yields, yields])))
        self.assertEqual([agrees], list(await store.set_consents([agrees])))
        self.assertEqual([], list(await store.set_consents([yields, says("bob", Consent.ASKED)])))
        await store.commit(following(first, gone=("carol",)))
        asked = says("dora", Consent.ASKED)
        self.assertEqual([asked], list(await store.set_consents([says("carol", Consent.YIELDED), asked, asked])))
        expected = [Consented(yields, 0, 1), Consented(agrees, 0, 1), Consented(asked, 1, 2)]
        self.assertEqual(expected, heard)

    async def test_what_is_told(self) -> None:
        """Addresses, where nobody has changed them meanwhile; announcements; what of rooms is not kept."""
        store = await self.open_store()
        heard = self.hear(store)
        self.assertTrue(await store.set_addresses(["a.example:1"], []))
        self.assertFalse(await store.set_addresses(["b.example:1"], []))
        self.assertTrue(await store.set_addresses(["b.example:1"]))
        self.assertEqual(["b.example:1"], list(await store.addresses()))
        await store.announce("down at noon", NOW_MS)
        self.assertEqual(
            [Addressed(("a.example:1",)), Addressed(("b.example:1",)), Announced("down at noon", NOW_MS)], heard
        )
        await store.commit(founding(1))
        heard.clear()
        await store.append(draft(founding(1).room_id, 1))
        for now_ms in (NOW_MS, NOW_MS + 20_000):
            await store.retain(RetentionDue(now_ms, 10_000, 0, 9))
        self.assertEqual([Retained({founding(1).room_id: 2})], heard)

    async def test_fault(self) -> None:
        """A listener that fails keeps nobody from hearing, nor the call from its answer."""
        store = await self.open_store()

        def fail(_first: int, _orders: Sequence[bytes]) -> None:
            raise RuntimeError("a bug")

        store.subscribe_control(fail)
        heard = self.hear(store)
        await store.register(registration("bob"), NOW_MS)
        self.assertTrue((await store.set_account("bob", muted=True)).muted)
        self.assertEqual(1, len(heard))
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    async def test_sessions(self) -> None:
        """Sessions are numbered, each above those before it."""
        store = await self.open_store()
        numbers = [await store.session_number() for _ in range(5)]
        self.assertEqual(sorted(set(numbers)), numbers)
