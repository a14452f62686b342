"""What every store keeps to: identities that change, devices and accounts that end, backups, and when a device was here."""

from chatserv.account_models import Enrolment, OwnDevice
from chatserv.domain.hub import Place
from chatserv.domain.roles import Role
from chatserv.errors import BadKey, BadMessage, Forbidden, InviteInvalid, NameTaken, NotFound, Quota, StaleBackup
from chatserv.models import Consent, ConsentAt, PairTaken, PlaceAt, Stale
from chatserv.ports import Store
from chatserv.store.limits import StoreLimits
from tests.store.contract_base import ContractBase, seq_of
from tests.store.drafts import (
    NOW_MS,
    cert_hash,
    draft,
    following,
    founding,
    invite,
    log_leaf,
    prekeys,
    registration,
    sealed,
    signer,
    start,
    together,
    wrap,
)

ROOM = founding(1).room_id


class EndingContract(ContractBase):
    """Rotations, revocations after them, and the end of an account."""

    async def test_rotate(self) -> None:
        """The next identity takes the place of the newest, once; what is signed by the one before counts no more."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        await store.rotate("alice", signer("alice"), b"spki alice1", log_leaf(1))
        again = store.rotate("alice", signer("alice"), b"spki alice2", log_leaf(2))
        await self.assertFailure(start(again), BadKey)
        back = store.rotate("alice", signer("alice", 1), b"spki alice", log_leaf(3))
        await self.assertFailure(start(back), BadKey)
        stolen = store.revoke(cert_hash("alice"), log_leaf(4), NOW_MS, signer("alice"))
        await self.assertFailure(start(stolen), BadKey)
        self.assertIsNotNone(await store.device("alice", registration("alice").device_id))
        self.assertTrue(await store.revoke(cert_hash("alice"), log_leaf(5), NOW_MS, signer("alice", 1)))
        self.assertEqual([b"leaf 1", b"leaf 5"], list(await store.log()))
        self.assertEqual(b"statement 1", await store.statement(0))

    async def test_rotations_at_once(self) -> None:
        """Of two rotations from one identity that come together, the first counts; so it is with a revocation."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        first = start(store.rotate("alice", signer("alice"), b"spki alice1", log_leaf(1)))
        second = start(store.rotate("alice", signer("alice"), b"spki alice2", log_leaf(2)))
        third = start(store.revoke(cert_hash("alice"), log_leaf(3), NOW_MS, signer("alice")))
        await first
        await self.assertFailure(second, BadKey)
        await self.assertFailure(third, BadKey)
        self.assertEqual([b"leaf 1"], list(await store.log()))
        await self.assertFailure(start(store.rotate("bob", b"", b"spki", log_leaf(4))), NotFound)

    async def test_enrol_after_a_rotation(self) -> None:
        """Whoever has the key of before enrols no device any more, nor after a reset; the newest key does."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        await store.rotate("alice", signer("alice"), b"spki alice1", log_leaf(1))
        old = Enrolment("alice", b"spki alice", b"o" * 16, b"by the old key", log_leaf(2))
        new = Enrolment("alice", b"spki alice1", b"n" * 16, b"by the new key", log_leaf(3))
        await self.assertFailure(start(store.enrol(old, NOW_MS)), BadKey)
        await store.enrol(new, NOW_MS)
        self.assertIsNotNone(await store.device("alice", b"n" * 16))
        await store.add_invite(invite(1, name="alice", reset=True), NOW_MS)
        await store.register(registration("alice", invite(1).token_hash, number=2, reset=True), NOW_MS)
        late = Enrolment("alice", b"spki alice1", b"l" * 16, b"too late", log_leaf(4))
        for again in (late, new):
            await self.assertFailure(start(store.enrol(again, NOW_MS)), BadKey)
        self.assertEqual([b"leaf 1", b"leaf 3"], list(await store.log()))

    async def test_places_and_wraps(self) -> None:
        """A device that ends reads up to here, sends no more, and nothing is kept that was wrapped to it."""
        store = await self.open_store()
        await store.register(registration("d" * 16), NOW_MS)
        await store.commit(founding(1, wraps=(wrap(b"d", 0), wrap(b"e", 1))))
        await store.append(draft(ROOM, 1))
        await store.revoke(cert_hash("d" * 16), log_leaf(1), NOW_MS, signer("d" * 16))
        self.assertEqual([PlaceAt(ROOM, Place(0, 0, 2))], list((await store.standing(b"d" * 16)).places))
        self.assertEqual([PlaceAt(ROOM, Place(1, 0))], list((await store.standing(b"e" * 16)).places))
        self.assertIsNone(await store.wrap(ROOM, 0, b"d" * 16))
        self.assertIsNotNone(await store.wrap(ROOM, 0, b"e" * 16))
        self.assertIsInstance(await store.append(draft(ROOM, 2)), Stale)
        self.assertEqual(3, seq_of(await store.append(draft(ROOM, 3, device=b"e"))))

    async def test_end_account(self) -> None:
        """Everything of the account goes but its certificates, which old commits name; its name stays taken."""
        store = await self.open_store()
        alice, bob = await together([store.register(registration(name), NOW_MS) for name in ("alice", "bob")])
        await store.commit(founding(1, asked=("alice",)))
        await store.mark_read(alice.account_id, ROOM, 1)
        await store.publish_prekeys(registration("alice").device_id, prekeys(1, 2), 9)
        await store.put_backup("alice", sealed(1))
        await store.add_invite(invite(1, name="alice", reset=True), NOW_MS)
        await store.end_account("alice", log_leaf(1), NOW_MS, signer("alice"))
        self.assertIsNone(await store.account("alice"))
        self.assertEqual(["bob"], [each.account.name for each in await store.accounts("", 9)])
        self.assertIsNone(await store.device("alice", registration("alice").device_id))
        self.assertEqual([], list(await store.devices("alice")))
        self.assertIsNone(await store.backup("alice"))
        self.assertEqual(0, await store.prekeys_left(registration("alice").device_id))
        self.assertIsNone((await store.take_prekey(registration("alice").device_id, one_time=True)).signed)
        self.assertEqual({}, dict(await store.read_marks(alice.account_id)))
        self.assertEqual([], list(await store.consents()))
        self.assertEqual(1, len(await store.certificates([cert_hash("alice")])))
        self.assertEqual(b"leaf 1", (await store.log())[-1])
        for call in (
            store.mark_read(alice.account_id, ROOM, 1),
            store.set_account("alice", muted=True),
            store.end_account("alice", log_leaf(2), NOW_MS, None),
            store.rotate("alice", signer("alice"), b"spki", log_leaf(2)),
            store.put_backup("alice", sealed(2)),
            store.add_invite(invite(2, name="alice", reset=True), NOW_MS),
        ):
            await self.assertFailure(start(call), NotFound)
        for name in ("alice", "ALICE"):
            await self.assertFailure(start(store.register(registration(name, number=1), NOW_MS)), NameTaken)
        again = registration("alice", invite(1).token_hash, number=1, reset=True)
        await self.assertFailure(start(store.register(again, NOW_MS)), InviteInvalid)
        self.assertEqual("bob", bob.name)

    async def test_end_by_another_identity(self) -> None:
        """The signature of an identity that was given up ends nothing; the server's word does."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        await store.rotate("alice", signer("alice"), b"spki alice1", log_leaf(1))
        await self.assertFailure(start(store.end_account("alice", log_leaf(2), NOW_MS, signer("alice"))), BadKey)
        self.assertIsNotNone(await store.account("alice"))
        await store.end_account("alice", log_leaf(3), NOW_MS, None)
        self.assertIsNone(await store.account("alice"))

    async def test_last_administrator_stays(self) -> None:
        """The last administrator who can log in does not end, and nothing of theirs has."""
        store = await self.open_store()
        await store.add_invite(invite(1, role=Role.ADMIN), NOW_MS)
        await store.register(registration("alice", invite(1).token_hash), NOW_MS)
        await store.register(registration("bob"), NOW_MS)
        await self.assertFailure(start(store.end_account("alice", log_leaf(1), NOW_MS, None)), Forbidden)
        self.assertIsNotNone(await store.device("alice", registration("alice").device_id))
        await store.set_account("bob", role=Role.ADMIN)
        await store.end_account("alice", log_leaf(2), NOW_MS, None)
        await self.assertFailure(start(store.end_account("bob", log_leaf(3), NOW_MS, None)), Forbidden)

    async def test_names_that_are_gone_count(self) -> None:
        """Accounts that are gone count among those that a server takes: their names are kept for ever."""
        store = await self.open_store(StoreLimits(accounts=1))
        await store.register(registration("alice"), NOW_MS)
        await store.end_account("alice", log_leaf(1), NOW_MS, None)
        await self.assertFailure(start(store.register(registration("bob"), NOW_MS)), Quota)

    async def test_a_repeated_registration_brings_nobody_back(self) -> None:
        """What made an account is no answer any more once that is gone."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        await store.end_account("alice", log_leaf(1), NOW_MS, None)
        await self.assertFailure(start(store.register(registration("alice"), NOW_MS)), NameTaken)


class ResetContract(ContractBase):
    """Links that reset an identity, and registrations by them."""

    async def link(self, store: Store, number: int = 1, name: str = "alice") -> bytes:
        """A link for an account, made now; its token's hash."""
        made = invite(number, name=name, reset=True)
        await store.add_invite(made, NOW_MS)
        return made.token_hash

    async def test_reset(self) -> None:
        """The account has the new device alone, keeps its id and role, and its backup is gone."""
        store = await self.open_store()
        await store.add_invite(invite(9, role=Role.ADMIN), NOW_MS)
        before = await store.register(registration("alice", invite(9).token_hash), NOW_MS)
        await store.put_backup("alice", sealed(7))
        new = registration("alice", await self.link(store), (log_leaf(1), log_leaf(2)), number=1, reset=True)
        after = await store.register(new, NOW_MS + 5)
        self.assertEqual(before, after)
        self.assertEqual(Role.ADMIN, after.role)
        self.assertIsNone(await store.device("alice", registration("alice").device_id))
        expected = [OwnDevice(new.device_id, cert_hash("alice", 1), NOW_MS + 5, 0)]
        self.assertEqual(expected, list(await store.devices("alice")))
        self.assertIsNone(await store.backup("alice"))
        self.assertEqual([b"leaf 1", b"leaf 2"], list(await store.log())[-2:])
        await store.put_backup("alice", sealed(1))
        self.assertEqual(after, await store.register(new, NOW_MS + 9))  # the answer was lost
        self.assertEqual(2, len(await store.log()))
        self.assertEqual(sealed(1), await store.backup("alice"))
        self.assertEqual(2, len(await store.certificates([cert_hash("alice"), cert_hash("alice", 1)])))

    async def test_refused(self) -> None:
        """A link is for one name, one use, a time, and a reset; what is refused leaves everything as it was."""
        store = await self.open_store()
        await together([store.register(registration(name), NOW_MS) for name in ("alice", "bob")])
        token = await self.link(store)
        await store.add_invite(invite(2), NOW_MS)
        wrong = [
            (registration("bob", token, number=1, reset=True), InviteInvalid),
            (registration("carol", token, number=1, reset=True), InviteInvalid),
            (registration("alice", token, number=1), InviteInvalid),
            (registration("alice", None, number=1, reset=True), InviteInvalid),
            (registration("alice", invite(2).token_hash, number=1, reset=True), InviteInvalid),
            (registration("alice", invite(3).token_hash, number=1, reset=True), InviteInvalid),
        ]
        same_device = registration("alice", token, reset=True)
        for new, error in (*wrong, (registration("alice", token, number=1, reset=True), InviteInvalid)):
            late = NOW_MS + 2000 if (new, error) not in wrong else NOW_MS
            await self.assertFailure(start(store.register(new, late)), error)
        self.assertEqual(await store.register(same_device, NOW_MS), await store.register(registration("alice"), NOW_MS))
        self.assertIsNotNone(await store.device("alice", registration("alice").device_id))
        self.assertEqual([], list(await store.log()))
        await store.register(registration("alice", token, number=1, reset=True), NOW_MS)
        await self.assertFailure(
            start(store.register(registration("alice", token, number=2, reset=True), NOW_MS)), InviteInvalid
        )

    async def test_keys_of_before(self) -> None:
        """Nobody is reset to an identity that they had, nor to a device that somebody has."""
        store = await self.open_store()
        await together([store.register(registration(name), NOW_MS) for name in ("alice", "bob")])
        token = await self.link(store)
        new = registration("alice", token, number=1, reset=True)
        old_identity = type(new)(
            **{f: getattr(new, f) for f in new.__struct_fields__} | {"identity_spki": b"spki alice"}
        )
        await self.assertFailure(start(store.register(old_identity, NOW_MS)), BadKey)
        bobs = type(new)(
            **{f: getattr(new, f) for f in new.__struct_fields__} | {"device_id": registration("bob").device_id}
        )
        await self.assertFailure(start(store.register(bobs, NOW_MS)), BadMessage)
        self.assertIsNotNone(await store.device("alice", registration("alice").device_id))
        await store.register(new, NOW_MS)

    async def test_newer_link(self) -> None:
        """A second link for an account takes the place of the first, and of no other account's; it needs no new place."""
        store = await self.open_store(StoreLimits(open_invites=2))
        await together([store.register(registration(name), NOW_MS) for name in ("alice", "bob")])
        first, bobs = await self.link(store, 1), await self.link(store, 2, "bob")
        second = await self.link(store, 3)
        self.assertIsNone(await store.open_invite(first))
        self.assertEqual(invite(3, name="alice", reset=True), await store.open_invite(second))
        await self.assertFailure(start(store.add_invite(invite(4), NOW_MS)), Quota)
        await self.assertFailure(start(self.link(store, 5, "nobody")), NotFound)
        await store.register(registration("bob", bobs, number=1, reset=True), NOW_MS)
        self.assertIsNone(await store.open_invite(bobs))

    async def test_pair_taken_over(self) -> None:
        """A direct message gives its pair up to a new one that names it, and no longer has it; it stays a room."""
        store = await self.open_store()
        old, new = founding(1, pair=b"p" * 32), founding(2, pair=b"p" * 32)
        await store.commit(old)
        self.assertEqual(PairTaken(old.room_id), await store.commit(new))
        other = founding(2, pair=b"p" * 32, replaces=founding(3).room_id)
        self.assertEqual(PairTaken(old.room_id), await store.commit(other))
        seq_of(await store.commit(founding(2, pair=b"p" * 32, replaces=old.room_id)))
        self.assertEqual(PairTaken(new.room_id), await store.commit(founding(4, pair=b"p" * 32)))
        seq_of(await store.append(draft(old.room_id, 1)))
        self.assertEqual({old.room_id, new.room_id}, {room.room_id for room in await store.rooms()})


class OwnContract(ContractBase):
    """What a person's devices leave for each other."""

    async def test_backup(self) -> None:
        """The newest counter stays; an older or equal one is refused, but for the same again."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        self.assertEqual((None, 0), (await store.backup("alice"), await store.backup_counter("alice")))
        await store.put_backup("alice", sealed(5))
        await store.put_backup("alice", sealed(5, at_ms=NOW_MS + 1))
        for other in (sealed(4), sealed(5, slots=1)):
            await self.assertFailure(start(store.put_backup("alice", other)), StaleBackup)
        self.assertEqual(sealed(5), await store.backup("alice"))
        await store.put_backup("alice", sealed(9, slots=0))
        self.assertEqual((sealed(9, slots=0), 9), (await store.backup("alice"), await store.backup_counter("alice")))
        await self.assertFailure(start(store.put_backup("bob", sealed(1))), NotFound)
        self.assertEqual((None, 0), (await store.backup("bob"), await store.backup_counter("bob")))

    async def test_backups_at_once(self) -> None:
        """Two devices that write the same counter at once: one is told so."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        first, second = (start(store.put_backup("alice", sealed(1, slots=slots))) for slots in (1, 2))
        await first
        await self.assertFailure(second, StaleBackup)
        self.assertEqual(sealed(1, slots=1), await store.backup("alice"))

    async def test_devices(self) -> None:
        """A device is listed with when it was made and last here, which never goes back; others' are not."""
        store = await self.open_store()
        await together([store.register(registration(name), NOW_MS) for name in ("alice", "bob")])
        alice = registration("alice")
        for at in (NOW_MS + 8, NOW_MS + 5):
            await store.saw(alice.device_id, at)
        await store.saw(b"nobody's device.", NOW_MS)
        expected = [OwnDevice(alice.device_id, cert_hash("alice"), NOW_MS, NOW_MS + 8)]
        self.assertEqual(expected, list(await store.devices("alice")))
        await store.revoke(cert_hash("alice"), log_leaf(1), NOW_MS, signer("alice"))
        self.assertEqual([], list(await store.devices("alice")))

    async def test_rooms_of(self) -> None:
        """The rooms of an account are those where a device of it has or had a place, and those that it was taken into."""
        store = await self.open_store()
        for name in ("d" * 16, "e" * 16, "zoe"):
            await store.register(registration(name), NOW_MS)
        one, two, three = founding(1, devices=(b"d", b"e")), founding(2, devices=(b"e",), asked=("zoe",)), founding(3)
        for each in (three, two, one):
            await store.commit(each)
        await store.commit(following(one, removed=(b"d" * 16,)))
        await store.close_room(three.room_id, None)
        found = [list(await store.rooms_of(name)) for name in ("d" * 16, "e" * 16, "zoe", "nobody")]
        self.assertEqual([[one.room_id], [one.room_id, two.room_id], [two.room_id], []], found)
        await store.revoke(cert_hash("d" * 16), log_leaf(1), NOW_MS, signer("d" * 16))
        self.assertEqual([one.room_id], list(await store.rooms_of("d" * 16)))

    async def test_consents_of_others(self) -> None:
        """What others say to their places stays when somebody's account ends."""
        store = await self.open_store()
        await together([store.register(registration(name), NOW_MS) for name in ("alice", "bob")])
        await store.commit(founding(1, asked=("alice", "bob")))
        await store.end_account("alice", log_leaf(1), NOW_MS, None)
        self.assertEqual([ConsentAt(ROOM, "bob", "alice", Consent.ASKED)], list(await store.consents()))
