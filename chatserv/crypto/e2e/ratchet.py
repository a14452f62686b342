"""Hash ratchets, one a sender and epoch: each message has its own key, used once.

See docs/rooms.rst 7.1 and 7.3; RFC 9420 section 9.1.

Chains are values: a step gives a new chain and leaves the old one as it was. Who receives stores the new chain only once the
message has been verified, so that a forgery costs nothing but time.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from chatserv.crypto.encoding import u32
from chatserv.crypto.suite import xlabel
from chatserv.discreet import Discreet
from chatserv.errors import Reject
from chatserv.local_errors import LocalProtocolError

MAX_AHEAD: Final = 1000
MAX_SKIPPED: Final = 1000
GENERATION_LIMIT: Final = 2**32


class MessageKey(Discreet, frozen=True):
    """Key (32 bytes) and nonce (12 bytes) of one generation. Used once, then deleted."""

    shown = ("generation",)

    generation: int
    key: bytes
    nonce: bytes


def _derive(secret: bytes, generation: int) -> MessageKey:
    number = u32(generation)
    return MessageKey(generation, xlabel(secret, "key", number, 32), xlabel(secret, "nonce", number, 12))


def _next(secret: bytes, generation: int) -> bytes:
    return xlabel(secret, "secret", u32(generation), 32)


class SenderChain(Discreet, frozen=True):
    """Our own chain of an epoch.

    Attributes:
        leaf: Our place in the roster.
        generation: The next message's.
        secret: ``r[generation]``, 32 bytes; at first ``base[leaf]``.
    """

    shown = ("leaf", "generation")

    leaf: int
    generation: int
    secret: bytes

    def step(self) -> tuple[MessageKey, "SenderChain"]:
        """The next message's key, and the chain to store *before* that message leaves the machine."""
        if self.generation >= GENERATION_LIMIT:
            raise LocalProtocolError("chain used up: the room needs a new epoch")
        after = SenderChain(self.leaf, self.generation + 1, _next(self.secret, self.generation))
        return _derive(self.secret, self.generation), after


class ReceiverChain(Discreet, frozen=True):
    """Somebody else's chain of an epoch.

    Attributes:
        leaf: The sender's place in the roster.
        generation: The lowest one that was never reached.
        secret: ``r[generation]``, 32 bytes; at first ``base[leaf]``.
        skipped: Keys of lower generations that have not arrived yet, by generation, in rising order.
    """

    shown = ("leaf", "generation")

    leaf: int
    generation: int
    secret: bytes
    skipped: Mapping[int, MessageKey] = field(default_factory=dict)

    def reach(self, generation: int, *, max_ahead: int = MAX_AHEAD, max_skipped: int = MAX_SKIPPED) -> "Reached":
        """The key of one generation, and the chain to store once the message with it has been verified.

        Args:
            generation: From the message's header.
            max_ahead: How far beyond the next generation it may be.
            max_skipped: How many keys this chain may keep; the oldest go first. The bound of docs/rooms.rst 7.3 is for
                the room: its caller takes away what the other chains keep.

        Raises:
            Reject: The generation was used before, or was given up, or is too far ahead.
        """
        if generation < self.generation:
            key = self.skipped.get(generation)
            if key is None:
                raise Reject(f"message: generation {generation} was used before")
            rest = {number: kept for number, kept in self.skipped.items() if number != generation}
            return Reached(key, ReceiverChain(self.leaf, self.generation, self.secret, rest), (), (generation,))
        if generation - self.generation > max_ahead or generation >= GENERATION_LIMIT:
            raise Reject(f"message: generation {generation}, {self.generation} is next")
        if generation == self.generation and not self.skipped:  # as nearly always
            after = ReceiverChain(self.leaf, generation + 1, _next(self.secret, generation))
            return Reached(_derive(self.secret, generation), after, (), ())
        secret, passed = self.secret, []
        for number in range(self.generation, generation):
            if generation - number <= max_skipped:
                passed.append(_derive(secret, number))
            secret = _next(secret, number)
        key, secret = _derive(secret, generation), _next(secret, generation)
        excess = max(0, len(self.skipped) + len(passed) - max_skipped)
        dropped = tuple(self.skipped)[:excess]
        kept = {number: self.skipped[number] for number in tuple(self.skipped)[excess:]}
        kept.update((new.generation, new) for new in passed)
        return Reached(key, ReceiverChain(self.leaf, generation + 1, secret, kept), tuple(passed), dropped)


class Reached(Struct, frozen=True):
    """A step of a receiver's chain that is not stored yet.

    Attributes:
        key: Opens the message; never stored.
        chain: Takes the old chain's place once the message has been verified.
        kept: What ``chain`` keeps and the old one did not, for a store with a row for each key.
        dropped: Generations whose keys the old chain kept and ``chain`` does not: used now, or given up.
    """

    key: MessageKey
    chain: ReceiverChain
    kept: tuple[MessageKey, ...]
    dropped: tuple[int, ...]
