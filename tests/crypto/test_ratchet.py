"""Tests of epochs and ratchets: known answers, bounds, and all orders of arrival."""

# mypy: allow-untyped-calls

import hashlib
import hmac
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.e2e.epoch import base_secret, base_secrets, confirm_key, confirmation, verify_confirmation
from chatserv.crypto.e2e.ratchet import (
    GENERATION_LIMIT,
    MAX_AHEAD,
    MAX_SKIPPED,
    MessageKey,
    ReceiverChain,
    SenderChain,
)
from chatserv.errors import Reject
from chatserv.local_errors import LocalProtocolError
from tests.support.e2e import named

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "crypto-vectors.json").read_text("utf-8"))["ratchet"]
BASE = named("base")


def sent(count: int) -> list[MessageKey]:
    """The keys of the first generations, as the sender has them."""
    keys, chain = [], SenderChain(3, 0, BASE)
    for _ in range(count):
        key, chain = chain.step()
        keys.append(key)
    return keys


SENT = sent(64)


class EpochTests(SynchronousTestCase):
    """What follows from an epoch's secret."""

    def setUp(self) -> None:
        """The known secret."""
        self.secret, self.commit = (bytes.fromhex(VECTORS[key]) for key in ("epoch_secret", "commit_hash"))

    def test_base(self) -> None:
        """The chain of a leaf starts where crypto-vectors.json says, and differs for each leaf and commit."""
        base = base_secret(self.secret, VECTORS["leaf"], self.commit)
        self.assertEqual(base.hex(), VECTORS["base"])
        bases = base_secrets(self.secret, range(5), self.commit)
        self.assertEqual((bases[3], len(set(bases.values()))), (base, 5))
        self.assertNotEqual(base_secret(self.secret, 3, named("fork")), base)

    def test_confirmation(self) -> None:
        """The confirmation key is the known one, the confirmation an HMAC under it over the hash of what it confirms."""
        self.assertEqual(confirm_key(self.secret).hex(), VECTORS["confirm_key"])
        expected = hmac.digest(bytes.fromhex(VECTORS["confirm_key"]), hashlib.sha256(b"commit").digest(), "sha256")
        self.assertEqual(confirmation(self.secret, b"commit"), expected)
        verify_confirmation(self.secret, b"commit", expected)

    def test_committer_with_two_secrets(self) -> None:
        """A commit confirmed under another secret than the one in the wrap is refused, and so is a changed one."""
        good = confirmation(self.secret, b"commit")
        for secret, commit, confirmed in (
            (named("other"), b"commit", good),
            (self.secret, b"c0mmit", good),
            (self.secret, b"commit", good[:-1]),
            (self.secret, b"commit", b""),
        ):
            self.assertRaises(Reject, verify_confirmation, secret, commit, confirmed)


class ChainTests(SynchronousTestCase):
    """One chain, at both ends."""

    def test_known_answers(self) -> None:
        """Generations 0 to 2 have the known keys and nonces, at both ends."""
        sender = SenderChain(VECTORS["leaf"], 0, bytes.fromhex(VECTORS["base"]))
        receiver = ReceiverChain(VECTORS["leaf"], 0, bytes.fromhex(VECTORS["base"]))
        for case in VECTORS["generations"]:
            key, sender = sender.step()
            self.assertEqual((key.key.hex(), key.nonce.hex()), (case["key"], case["nonce"]))
            self.assertEqual(key.generation, case["generation"])
            self.assertEqual(receiver.reach(case["generation"]).key, key)

    def test_step_is_a_copy(self) -> None:
        """A step leaves the old chain as it was: as long as the new one is not stored, the generation opens again."""
        chain = ReceiverChain(3, 0, BASE)
        one, two = chain.reach(5), chain.reach(5)
        self.assertEqual(one, two)
        self.assertEqual((chain.generation, dict(chain.skipped)), (0, {}))
        after = one.chain.reach(2)
        self.assertIn(2, one.chain.skipped)
        self.assertNotIn(2, after.chain.skipped)

    def test_replay(self) -> None:
        """A generation opens once, in order, ahead or skipped."""
        chain = ReceiverChain(3, 0, BASE)
        for generation in (0, 4, 2, 1, 5, 3):
            reached = chain.reach(generation)
            self.assertEqual(reached.key, SENT[generation])
            chain = reached.chain
            self.assertRaises(Reject, chain.reach, generation)
        for generation in range(6):
            self.assertRaises(Reject, chain.reach, generation)
        self.assertEqual((chain.generation, dict(chain.skipped)), (6, {}))

    def test_far_ahead(self) -> None:
        """A thousand messages may be missing before one, not a thousand and one; the highest number is no way around."""
        chain = ReceiverChain(3, 0, BASE)
        reached = chain.reach(MAX_AHEAD)
        self.assertEqual((len(reached.kept), len(reached.chain.skipped)), (1000, MAX_SKIPPED))
        for generation in (MAX_AHEAD + 1, 2**31, 2**32 - 1, 2**32):
            self.assertRaises(Reject, chain.reach, generation)
        self.assertRaises(Reject, chain.reach, 1, max_ahead=0)

    def test_oldest_skipped_goes_first(self) -> None:
        """Above the bound the oldest skipped keys are given up, and the step says which."""
        chain = ReceiverChain(3, 0, BASE).reach(4, max_skipped=4).chain
        reached = chain.reach(7, max_skipped=4)
        self.assertEqual([key.generation for key in reached.kept], [5, 6])
        self.assertEqual((reached.dropped, list(reached.chain.skipped)), ((0, 1), [2, 3, 5, 6]))
        self.assertRaises(Reject, reached.chain.reach, 0)
        self.assertEqual(reached.chain.reach(2).dropped, (2,))
        alone = chain.reach(40, max_skipped=3)
        self.assertEqual((list(alone.chain.skipped), alone.dropped), ([37, 38, 39], (0, 1, 2, 3)))
        self.assertEqual(dict(chain.reach(20, max_skipped=0).chain.skipped), {})

    def test_delta(self) -> None:
        """Old keys, less the dropped, with the kept ones added, are the new chain's keys: a store may keep rows."""
        chain = ReceiverChain(3, 0, BASE)
        rows: dict[int, MessageKey] = {}
        for generation in (3, 1, 9, 14, 12, 21, 17):
            reached = chain.reach(generation, max_skipped=6)
            for number in reached.dropped:
                del rows[number]
            rows.update((key.generation, key) for key in reached.kept)
            chain = reached.chain
            self.assertEqual(rows, chain.skipped)

    def test_end_of_chain(self) -> None:
        """After the last generation that a header can name, the sender refuses to go on."""
        key, chain = SenderChain(3, GENERATION_LIMIT - 1, BASE).step()
        self.assertEqual(key.generation, 2**32 - 1)
        self.assertRaises(LocalProtocolError, chain.step)
        receiver = ReceiverChain(3, GENERATION_LIMIT - 1, BASE).reach(GENERATION_LIMIT - 1).chain
        self.assertRaises(Reject, receiver.reach, GENERATION_LIMIT)

    def test_repr(self) -> None:
        """Secrets and keys stay out of every repr."""
        reached = ReceiverChain(3, 0, BASE).reach(1)
        for value in (SenderChain(3, 0, BASE), SENT[0], reached, reached.chain):
            self.assertNotIn("b'", repr(value))
            self.assertNotIn('b"', repr(value))


class OrderTests(SynchronousTestCase):
    """Every order of arrival."""

    @given(st.permutations(range(40)), st.sets(st.integers(0, 39)))
    def test_any_order_with_losses(self, order: list[int], lost: set[int]) -> None:
        """Within the bounds each message that arrives opens exactly once, whatever the order and whatever is lost."""
        chain = ReceiverChain(3, 0, BASE)
        for generation in order:
            if generation not in lost:
                reached = chain.reach(generation)
                self.assertEqual(reached.key, SENT[generation])
                chain = reached.chain
        for generation in set(order) - lost:
            self.assertRaises(Reject, chain.reach, generation)
        self.assertEqual(set(chain.skipped), lost & set(range(chain.generation)))

    @given(st.lists(st.integers(0, 60), max_size=60), st.integers(0, 12), st.integers(0, 6))
    def test_model(self, arrivals: list[int], max_ahead: int, max_skipped: int) -> None:
        """With repeats, jumps and tight bounds, what opens is what a plain model of docs/rooms.rst 7.3 says."""
        chain, following = ReceiverChain(3, 0, BASE), 0
        waiting: list[int] = []
        for generation in arrivals:
            if generation in waiting:
                waiting.remove(generation)
            elif following <= generation <= following + max_ahead:
                waiting = [*waiting, *range(following, generation)]
                waiting = waiting[max(0, len(waiting) - max_skipped) :]
                following = generation + 1
            else:
                self.assertRaises(Reject, chain.reach, generation, max_ahead=max_ahead, max_skipped=max_skipped)
                continue
            reached = chain.reach(generation, max_ahead=max_ahead, max_skipped=max_skipped)
            self.assertEqual(reached.key, SENT[generation])
            chain = reached.chain
            self.assertEqual((chain.generation, list(chain.skipped)), (following, waiting))
