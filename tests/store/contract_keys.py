"""What every store keeps to: the log, certificates and prekeys."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred

from chatserv.crypto.log_leaves import TreeHead, signed_tree_head
from chatserv.crypto.prekeys import LAST_RESORT_BIT
from chatserv.crypto.suite import RSA_BYTES
from chatserv.errors import NotFound
from chatserv.models import Certified, Event, LeafDraft, PrekeyItem, TakenPrekey
from chatserv.ports import Store
from tests.store.contract_base import ContractBase
from tests.store.drafts import (
    NOW_MS,
    cert_hash,
    following,
    founding,
    log_leaf,
    prekeys,
    registration,
    signer,
    start,
    together,
)


def signed_head(size: int, at_ms: int, signature: bytes = b"") -> bytes:
    """A head with a signature that no store looks at."""
    return signed_tree_head(TreeHead(size, bytes(32), at_ms), signature.ljust(RSA_BYTES, b"s"))


class LogContract(ContractBase):
    """The log, and who hears of it."""

    async def test_log_order(self) -> None:
        """Leaves are in the order of what they record, and what is refused or repeated appends none."""
        store = await self.open_store()
        self.assertEqual([], list(await store.log()))
        alice = registration("alice", leaves=(log_leaf(0), log_leaf(1)))
        room = founding(1, name="Garden", leaves=(log_leaf(2),))
        calls: list[Deferred[Any]] = [
            start(store.register(alice, NOW_MS)),
            start(store.commit(room)),
            start(store.register(alice, NOW_MS)),
            start(store.commit(following(following(room), leaves=(log_leaf(99),)))),
            start(store.revoke(cert_hash("alice"), log_leaf(3), NOW_MS, signer("alice"))),
            start(store.revoke(cert_hash("alice"), log_leaf(98), NOW_MS, signer("alice"))),
            start(store.close_room(room.room_id, log_leaf(4))),
        ]
        await together(calls)
        self.assertEqual([log_leaf(number).leaf for number in range(5)], list(await store.log()))

    async def test_statements(self) -> None:
        """What was signed is found by its leaf's index; there is none behind a leaf that has none, nor where no leaf is."""
        store = await self.open_store()
        await store.register(registration("alice", leaves=(log_leaf(0), log_leaf(1))), NOW_MS)
        await store.commit(founding(1, name="Garden", leaves=(LeafDraft(b"leaf of a room"),)))
        await store.revoke(cert_hash("alice"), log_leaf(3), NOW_MS, signer("alice"))
        found = [await store.statement(index) for index in (0, 1, 2, 3, 4, 2**63 - 1)]
        self.assertEqual([b"statement 0", b"statement 1", None, b"statement 3", None, None], found)

    async def test_heads(self) -> None:
        """Of signed heads the longest is kept, and of those the latest; whoever keeps another one is given it."""
        store = await self.open_store()
        empty = signed_head(0, 9)
        self.assertEqual(empty, await store.keep_head(empty, b""))
        await store.register(registration("alice", leaves=(log_leaf(0), log_leaf(1))), NOW_MS)
        one, two, later = signed_head(1, 5), signed_head(2, 3), signed_head(2, 4)
        for given, last, kept in (
            (one, 0, one),
            (two, 1, two),
            (one, 0, two),
            (signed_head(1, 99), 0, two),
            (later, 1, later),
            (two, 1, later),
            (signed_head(2, 4, b"other"), 1, later),
        ):
            self.assertEqual(kept, await store.keep_head(given, log_leaf(last).leaf))

    async def test_heads_of_another_log(self) -> None:
        """A head over leaves that the store does not have, or has others for, is refused."""
        store = await self.open_store()
        await store.register(registration("alice", leaves=(log_leaf(0), log_leaf(1))), NOW_MS)
        kept = signed_head(2, 1)
        await store.keep_head(kept, log_leaf(1).leaf)
        for size, last in ((3, log_leaf(2).leaf), (2, log_leaf(7).leaf), (2, b""), (0, log_leaf(1).leaf)):
            with self.assertRaises(NotFound):
                await store.keep_head(signed_head(size, 99), last)
        self.assertEqual(kept, await store.keep_head(signed_head(1, 1), log_leaf(0).leaf))

    async def test_log_listeners(self) -> None:
        """Listeners of the log hear all leaves, each with its index, before the events and the answers of the commit."""
        store = await self.open_store()
        await store.register(registration("alice", leaves=(log_leaf(0),)), NOW_MS)
        heard: list[object] = []

        def hear_log(first: int, leaves: Sequence[bytes]) -> None:
            heard.extend((first + at, leaf) for at, leaf in enumerate(leaves))

        def hear_events(events: Sequence[Event]) -> None:
            heard.extend(event.seq for event in events)

        store.subscribe(hear_events)
        store.subscribe_log(hear_log)
        await store.commit(founding(1, leaves=(log_leaf(1), log_leaf(2))))
        expected: list[object] = [(1, b"leaf 1"), (2, b"leaf 2"), 1]
        self.assertEqual(expected, heard)
        await store.commit(following(founding(1)))
        await store.close_room(founding(1).room_id, None)
        self.assertEqual([*expected, 2], heard)
        answered = start(store.revoke(cert_hash("alice"), log_leaf(3), NOW_MS, signer("alice")))
        answered.addCallback(lambda _: self.assertEqual([*expected, 2, (3, b"leaf 3")], heard))
        await answered

    async def test_failing_log_listener(self) -> None:
        """A listener that raises is logged; the others hear, and the call is answered."""
        store = await self.open_store()
        heard: list[bytes] = []

        def fail(_first: int, _leaves: Sequence[bytes]) -> None:
            raise RuntimeError("a listener's fault")

        store.subscribe_log(fail)
        store.subscribe_log(lambda _first, leaves: heard.extend(leaves))
        await store.register(registration("alice", leaves=(log_leaf(0),)), NOW_MS)
        self.assertEqual([b"leaf 0"], heard)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))


class KeyContract(ContractBase):
    """Certificates and prekeys."""

    ALICE = registration("alice").device_id

    async def open_with_alice(self) -> Store:
        """A store with one account."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        return store

    async def test_certificates(self) -> None:
        """Certificates are found by their hash, with the identity key, revoked or not."""
        store = await self.open_with_alice()
        await store.register(registration("bob"), NOW_MS)
        await store.revoke(cert_hash("bob"), log_leaf(1), NOW_MS, signer("bob"))
        wanted = [cert_hash("bob"), bytes(32), cert_hash("alice"), cert_hash("alice")]
        found = {each.cert_hash: each for each in await store.certificates(wanted)}
        expected = [
            Certified(cert_hash(name), registration(name).certificate, registration(name).identity_spki)
            for name in ("alice", "bob")
        ]
        self.assertEqual({each.cert_hash: each for each in expected}, found)
        self.assertEqual(2, len(await store.certificates(wanted)))
        self.assertEqual([], list(await store.certificates([])))

    async def test_many_certificates(self) -> None:
        """More hashes may be asked for than fit into one query."""
        store = await self.open_with_alice()
        wanted = [number.to_bytes(32, "big") for number in range(1200)] + [cert_hash("alice")]
        self.assertEqual([cert_hash("alice")], [each.cert_hash for each in await store.certificates(wanted)])

    async def test_revoke(self) -> None:
        """A revoked device is none any more, and has no prekeys; revoking it again or an unknown one does nothing."""
        store = await self.open_with_alice()
        await store.publish_prekeys(self.ALICE, prekeys(1, LAST_RESORT_BIT), 5)
        self.assertTrue(await store.revoke(cert_hash("alice"), log_leaf(1), NOW_MS, signer("alice")))
        self.assertIsNone(await store.device("alice", self.ALICE))
        for one_time in (True, False):
            self.assertEqual(TakenPrekey(None, 0), await store.take_prekey(self.ALICE, one_time=one_time))
        self.assertEqual(0, await store.prekeys_left(self.ALICE))
        await self.assertFailure(start(store.publish_prekeys(self.ALICE, prekeys(2), 5)), NotFound)
        for again in (cert_hash("alice"), bytes(32)):
            self.assertFalse(await store.revoke(again, log_leaf(2), NOW_MS, signer("alice")))
        self.assertEqual([b"leaf 1"], list(await store.log()))

    async def test_exhaustion(self) -> None:
        """One-time prekeys are given out once each, the lowest first; then the last-resort one, again and again."""
        store = await self.open_with_alice()
        last = LAST_RESORT_BIT + 7
        self.assertEqual(3, await store.publish_prekeys(self.ALICE, prekeys(3, last, 1, 2), 9))
        self.assertEqual(3, await store.prekeys_left(self.ALICE))
        takes = await together([store.take_prekey(self.ALICE, one_time=True) for _ in range(5)])
        numbers = [(1, 2), (2, 1), (3, 0), (last, 0), (last, 0)]
        self.assertEqual([TakenPrekey(b"signed %d" % number, left) for number, left in numbers], takes)
        self.assertEqual(0, await store.prekeys_left(self.ALICE))

    async def test_last_resort(self) -> None:
        """Who wants no one-time prekey takes none; a new last-resort one replaces the old."""
        store = await self.open_with_alice()
        await store.publish_prekeys(self.ALICE, prekeys(1), 9)
        self.assertEqual(TakenPrekey(None, 1), await store.take_prekey(self.ALICE, one_time=False))
        for number in (LAST_RESORT_BIT, LAST_RESORT_BIT + 1):
            self.assertEqual(1, await store.publish_prekeys(self.ALICE, prekeys(number), 9))
            expected = TakenPrekey(b"signed %d" % number, 1)
            self.assertEqual(expected, await store.take_prekey(self.ALICE, one_time=False))

    async def test_none(self) -> None:
        """A device without prekeys, or an unknown one, has none to give."""
        store = await self.open_with_alice()
        for device in (self.ALICE, b"x" * 16):
            self.assertEqual(TakenPrekey(None, 0), await store.take_prekey(device, one_time=True))
            self.assertEqual(0, await store.prekeys_left(device))
        await self.assertFailure(start(store.publish_prekeys(b"x" * 16, prekeys(1), 9)), NotFound)

    async def test_bounded(self) -> None:
        """One one-time prekey above the bound is not taken, and may come later; last-resort ones do not count."""
        store = await self.open_with_alice()
        self.assertEqual(2, await store.publish_prekeys(self.ALICE, prekeys(1, 2, 3, LAST_RESORT_BIT), 2))
        self.assertEqual(2, await store.publish_prekeys(self.ALICE, prekeys(3), 2))
        await store.take_prekey(self.ALICE, one_time=True)
        self.assertEqual(2, await store.publish_prekeys(self.ALICE, prekeys(3), 2))

    async def test_listed_once(self) -> None:
        """A number that was listed is not taken again, though it was given out."""
        store = await self.open_with_alice()
        await store.publish_prekeys(self.ALICE, prekeys(1, 2), 9)
        self.assertEqual(TakenPrekey(b"signed 1", 1), await store.take_prekey(self.ALICE, one_time=True))
        again = [PrekeyItem(1, b"again"), PrekeyItem(2, b"again"), PrekeyItem(3, b"new")]
        self.assertEqual(2, await store.publish_prekeys(self.ALICE, again, 9))
        takes = [await store.take_prekey(self.ALICE, one_time=True) for _ in range(2)]
        self.assertEqual([TakenPrekey(b"signed 2", 1), TakenPrekey(b"new", 0)], takes)

    async def test_prekeys_of_each_device(self) -> None:
        """Every device has its own prekeys and numbers."""
        store = await self.open_with_alice()
        await store.register(registration("bob"), NOW_MS)
        bob = registration("bob").device_id
        await store.publish_prekeys(self.ALICE, prekeys(5), 9)
        self.assertEqual(1, await store.publish_prekeys(bob, [PrekeyItem(1, b"bob")], 9))
        self.assertEqual(TakenPrekey(b"bob", 0), await store.take_prekey(bob, one_time=True))
        self.assertEqual(1, await store.prekeys_left(self.ALICE))
