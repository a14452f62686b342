"""How fast an account, and a connection of it, may ask for something (docs/protocol.rst 12).

Both have the same rates. An account's purse is shared by all of its connections and outlives them; that of a connection is
its own, and stands also where the bounded table has forgotten the account's.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from chatserv.config import Config
from chatserv.crypto.envelope import ENVELOPE_BYTES_MIN
from chatserv.domain.buckets import Bucket, Purse, Purses, Rate, Tariff
from chatserv.errors import RateLimited
from chatserv.limits import Limits
from chatserv.live_settings import LiveSettings
from chatserv.wire import messages
from chatserv.wire.codec import encode_message

DAY_SECONDS: Final = 86_400.0
HOUR_SECONDS: Final = 3600.0
REFUSAL_COST: Final = 1  # of upkeep: who is refused is answered, and pays for that


def tariffs_of(limits: Limits) -> dict[Bucket, Tariff]:
    """The rates of each bucket that has any."""
    files = Rate(limits.blob_burst_bytes, limits.blob_bytes_per_second)
    return {
        Bucket.CHAT: Tariff(
            Rate(limits.chat_burst, limits.chat_per_second),
            Rate(limits.chat_burst_bytes, limits.chat_bytes_per_second),
        ),
        Bucket.UPKEEP: Tariff(
            Rate(limits.upkeep_burst, limits.upkeep_per_second),
            Rate(limits.upload_burst_bytes, limits.upload_bytes_per_second),
        ),
        Bucket.READ: Tariff(Rate(limits.read_burst, limits.read_per_second)),
        Bucket.BLOB: Tariff(files, files),
    }


def size_of(bucket: Bucket, command: messages.Command) -> int:
    """How many bytes a command is paid for with: of what is said those beyond the smallest message, of uploads all."""
    if isinstance(command, messages.PutChunk):
        return len(command.data)
    if isinstance(command, messages.ReadBlob):
        return command.limit
    if bucket is Bucket.UPKEEP:
        return len(encode_message(command))
    if isinstance(command, messages.Send):
        return max(0, len(command.envelope) - ENVELOPE_BYTES_MIN)
    return 0


class Share(Enum):
    """What an account may make so often in a day or an hour; each is the key of its bound in the settings."""

    __hash__ = object.__hash__

    ROOMS = "rooms_made_per_day"
    NAMES = "names_per_day"
    LEAVES = "log_leaves_per_day"
    INVITES = "invites_per_day"
    PREKEYS = "prekeys_taken_per_day"
    ENROLMENTS = "enrolments_per_day"
    REVOCATIONS = "revocations_per_day"
    GUESTS = "guest_notices_per_day"
    REFUSED_COMMITS = "commits_refused_per_hour"

    def tariff(self, limits: Limits) -> Tariff:
        """So many at once, and as many again in that time."""
        most: int = getattr(limits, self.value)
        return Tariff(Rate(most, most / (HOUR_SECONDS if self.value.endswith("_hour") else DAY_SECONDS)))


class RateLimits:
    """All payers.

    Args:
        settings: The rates, and how many accounts are kept. New ones hold at once, for connections that stand too.
        seconds: A clock in seconds that never goes back.
    """

    def __init__(self, settings: LiveSettings, seconds: Callable[[], float]) -> None:
        self.seconds, self.accounts = seconds, Purses(settings.limits.counters)
        self._change(settings.config)
        settings.subscribe(self._change)

    def _change(self, config: Config) -> None:
        self.tariffs, self.fakelag_seconds = tariffs_of(config.limits), config.limits.fakelag_seconds
        self._shares = {share: share.tariff(config.limits) for share in Share}

    def wait(self, share: Share, account_id: bytes, count: int = 1) -> float:
        """How many seconds an account has to wait before it may make so many more; 0: none."""
        return self.accounts.of(account_id).wait(share, self._shares[share], count, 0, self.seconds())

    def check(self, share: Share, account_id: bytes, count: int = 1) -> None:
        """Raises `RateLimited` where an account may not make so many more for now."""
        wait = self.wait(share, account_id, count)
        if wait > 0:
            raise RateLimited(f"{share.value}: {count} more", after_seconds=wait)

    def take(self, share: Share, account_id: bytes, count: int = 1) -> None:
        """Notes that an account has made so many more."""
        self.accounts.of(account_id).take(share, self._shares[share], count, 0, self.seconds())

    def begin_anew(self, share: Share, account_id: bytes) -> None:
        """As if an account had made none."""
        self.accounts.of(account_id).fill(share)


class Meter:
    """What one connection pays.

    Args:
        rates: Of all.
        account: The key of the account's purse.
    """

    __slots__ = ("_account", "_own", "_rates")

    def __init__(self, rates: RateLimits, account: object) -> None:
        self._rates, self._account, self._own = rates, account, Purse()

    def charge(self, bucket: Bucket, cost: float, size: int = 0) -> float:
        """Takes what something costs; gives how many seconds it has to wait before it is done.

        Raises:
            RateLimited: That would be more than ``limits.fakelag_seconds``; nothing was taken.
        """
        if bucket is Bucket.FREE:
            return 0.0
        rates = self._rates
        now, tariff, account = rates.seconds(), rates.tariffs[bucket], rates.accounts.of(self._account)
        wait = max(
            self._own.wait(bucket, tariff, cost, size, now),
            account.wait(bucket, tariff, cost, size, now),
        )
        if wait > rates.fakelag_seconds:
            raise RateLimited("too much, too fast", after_seconds=wait, by="flow")
        self._own.take(bucket, tariff, cost, size, now)
        account.take(bucket, tariff, cost, size, now)
        return wait

    def charge_refusal(self, cost: float) -> float:
        """The same for the answer that something is refused, which is never refused itself."""
        try:
            return self.charge(Bucket.UPKEEP, cost)
        except RateLimited:
            return self._rates.fakelag_seconds
