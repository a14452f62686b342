"""Chains and skipped keys: what is stored is what the ratchet said, and no more than the bound."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.storage.chains import ChainTable
from chatserv.client.storage.database import Database
from chatserv.crypto.e2e.ratchet import ReceiverChain, SenderChain
from chatserv.errors import Reject
from chatserv.local_errors import LocalProtocolError
from tests.support.e2e import named

ROOM, OTHER = b"r" * 16, b"s" * 16
OWN = SenderChain(0, 0, named("own"))
CHAINS = (ReceiverChain(1, 0, named("one")), ReceiverChain(2, 0, named("two")))


class Stop(Exception):
    """What a test throws into a transaction."""


class ChainTests(SynchronousTestCase):
    """`ChainTable`, with room for six skipped keys a room."""

    def setUp(self) -> None:
        """One room with our chain and two others."""
        self.database = Database.open(None)
        self.addCleanup(self.database.close)
        self.table = ChainTable(self.database, 6)
        self.table.replace(ROOM, OWN, CHAINS)

    def receiver(self, leaf: int, room_id: bytes = ROOM) -> ReceiverChain:
        """A chain that is there."""
        chain = self.table.receiver(room_id, leaf)
        assert chain is not None
        return chain

    def reach(self, leaf: int, generation: int, now_ms: int = 1, room_id: bytes = ROOM) -> None:
        """Takes a message of a sender."""
        self.table.save_reached(room_id, self.receiver(leaf, room_id).reach(generation), now_ms)

    def test_epoch(self) -> None:
        """The chains of an epoch come back; ours is no receiver's, and the others are not ours."""
        self.assertEqual(self.table.own(ROOM), OWN)
        self.assertEqual(tuple(self.receiver(leaf) for leaf in (1, 2)), CHAINS)
        self.assertEqual((self.table.receiver(ROOM, 0), self.table.receiver(ROOM, 3)), (None, None))
        self.assertEqual((self.table.own(OTHER), self.table.receiver(OTHER, 1)), (None, None))

    def test_own_step(self) -> None:
        """A step of our chain is kept."""
        _, after = OWN.step()
        self.table.save_own(ROOM, after)
        self.assertEqual(self.table.own(ROOM), after)

    def test_lost(self) -> None:
        """The first place of our chain that stays empty is kept as long as the chain, and no longer."""
        self.assertIsNone(self.table.lost(ROOM))
        for generation in (3, 1, 2):
            self.table.lose(ROOM, generation)
        self.table.save_own(ROOM, OWN.step()[1])
        self.assertEqual((self.table.lost(ROOM), self.table.lost(OTHER)), (1, None))
        self.table.replace(ROOM, OWN, CHAINS)
        self.assertIsNone(self.table.lost(ROOM))

    def test_reached(self) -> None:
        """A step of another chain is kept with the keys that it skipped; a used key is gone."""
        chain = CHAINS[0]
        for generation in (3, 1, 4, 0):
            reached = chain.reach(generation)
            self.table.save_reached(ROOM, reached, 1)
            chain = reached.chain
            self.assertEqual(self.receiver(1), chain)
            self.assertRaises(Reject, self.receiver(1).reach, generation)
        self.assertEqual((list(chain.skipped), self.table.count_skipped(ROOM)), ([2], 1))
        self.assertEqual(self.receiver(2), CHAINS[1])

    def test_new_epoch(self) -> None:
        """A new epoch forgets all chains and keys of its room, and of no other."""
        self.table.replace(OTHER, OWN, CHAINS)
        for room_id in (ROOM, OTHER):
            self.reach(1, 2, room_id=room_id)
        chain = ReceiverChain(5, 0, named("five"))
        self.table.replace(ROOM, SenderChain(4, 0, named("new")), [chain])
        self.assertEqual((self.table.own(ROOM), self.receiver(5)), (SenderChain(4, 0, named("new")), chain))
        self.assertEqual((self.table.receiver(ROOM, 1), self.table.count_skipped(ROOM)), (None, 0))
        self.assertEqual((list(self.receiver(1, OTHER).skipped), self.table.own(OTHER)), ([0, 1], OWN))

    def test_new_epoch_is_whole(self) -> None:
        """A failure among the chains of a new epoch leaves the old one."""

        def broken() -> list[ReceiverChain]:
            raise Stop

        with self.assertRaises(Stop):
            self.table.replace(ROOM, SenderChain(9, 0, named("new")), (each for _ in range(1) for each in broken()))
        self.assertEqual((self.table.own(ROOM), self.receiver(1)), (OWN, CHAINS[0]))

    def test_clear(self) -> None:
        """A room whose keys are forgotten has none."""
        self.reach(1, 2)
        self.table.clear(ROOM)
        self.assertEqual((self.table.own(ROOM), self.table.receiver(ROOM, 1)), (None, None))
        self.assertEqual((self.table.count_skipped(ROOM), self.table.generations(ROOM)), (0, {}))

    def test_no_such_chain(self) -> None:
        """A step of a chain that is not there any more is a mistake, not a new chain; ours and theirs are kept apart."""
        reached = CHAINS[0].reach(0)
        self.assertRaises(LocalProtocolError, self.table.save_own, ROOM, SenderChain(1, 1, named("x")))
        self.table.clear(ROOM)
        self.assertRaises(LocalProtocolError, self.table.save_reached, ROOM, reached, 1)
        self.assertRaises(LocalProtocolError, self.table.save_own, ROOM, OWN)

    def test_generations(self) -> None:
        """The next generations of all chains that have begun are given, ours too."""
        self.assertEqual(self.table.generations(ROOM), {})
        self.reach(2, 4)
        self.table.save_own(ROOM, OWN.step()[1])
        self.assertEqual(self.table.generations(ROOM), {0: 1, 2: 5})

    def test_bound(self) -> None:
        """Beyond the bound of a room, over all its chains, the keys that were kept first are given up."""
        self.reach(1, 3, now_ms=1)
        self.reach(2, 3, now_ms=2)
        self.assertEqual(self.table.count_skipped(ROOM), 6)
        self.reach(2, 5, now_ms=3)
        self.assertEqual(self.table.count_skipped(ROOM), 6)
        self.assertEqual((list(self.receiver(1).skipped), list(self.receiver(2).skipped)), ([1, 2], [0, 1, 2, 4]))
        self.reach(1, 20, now_ms=4)
        self.assertEqual((list(self.receiver(1).skipped), list(self.receiver(2).skipped)), ([*range(14, 20)], []))

    def test_default_bound(self) -> None:
        """By default a room keeps a thousand keys."""
        table = ChainTable(self.database)
        for leaf, generation in ((1, 600), (2, 401)):
            chain = self.receiver(leaf)
            table.save_reached(ROOM, chain.reach(generation), 1)
        self.assertEqual(table.count_skipped(ROOM), 1000)
        self.assertEqual(min(self.receiver(1).skipped), 1)

    def test_age(self) -> None:
        """Keys that were kept before a time are given up, in all rooms."""
        self.table.replace(OTHER, OWN, CHAINS)
        self.reach(1, 2, now_ms=100)
        self.reach(1, 4, now_ms=200)
        self.reach(2, 1, now_ms=150, room_id=OTHER)
        self.assertEqual((self.table.drop_skipped(100), self.table.drop_skipped(200)), (0, 3))
        self.assertEqual((list(self.receiver(1).skipped), self.table.count_skipped(OTHER)), ([3], 0))

    def test_crash(self) -> None:
        """A failure before the commit leaves the chain where it was, so that the message can come again."""
        with self.assertRaises(Stop), self.database.transaction():
            self.reach(1, 2)
            raise Stop
        self.assertEqual((self.receiver(1), self.table.count_skipped(ROOM)), (CHAINS[0], 0))

    @settings(deadline=None, max_examples=25)
    @given(st.lists(st.tuples(st.sampled_from((1, 2)), st.integers(0, 12)), max_size=20))
    def test_model(self, arrivals: list[tuple[int, int]]) -> None:
        """Whatever comes, the table is what the values of the ratchet say, less what the bound of the room took."""
        self.table.replace(ROOM, OWN, CHAINS)
        chains = {each.leaf: each for each in CHAINS}
        kept: list[tuple[int, int]] = []
        for leaf, generation in arrivals:
            try:
                reached = self.receiver(leaf).reach(generation)
            except Reject:
                continue
            self.table.save_reached(ROOM, reached, 1)
            kept = [each for each in kept if each not in {(leaf, number) for number in reached.dropped}]
            kept = (kept + [(leaf, each.generation) for each in reached.kept])[-6:]
            chains[leaf] = reached.chain
            for number, chain in chains.items():
                stored = self.receiver(number)
                self.assertEqual((stored.generation, stored.secret), (chain.generation, chain.secret))
                self.assertEqual(list(stored.skipped), [skipped for owner, skipped in kept if owner == number])
