"""What the parts of the stores' contract have in common."""

from typing import TYPE_CHECKING

from chatserv.models import Appended, CommitDraft
from chatserv.ports import AppendResult, CommitResult, Store
from chatserv.store.limits import StoreLimits

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase as Base
else:
    Base = object


def seq_of(result: AppendResult | CommitResult) -> int | None:
    """The seq of what was stored; None where nothing was."""
    return result.event.seq if isinstance(result, Appended) else None


class ContractBase(Base):
    """The store that a test is about."""

    async def open_store(self, limits: StoreLimits | None = None) -> Store:
        """A new open store, closed after the test."""
        raise NotImplementedError

    async def commit(self, store: Store, draft: CommitDraft) -> int:
        """Makes a commit that has to be taken, and returns its seq."""
        seq = seq_of(await store.commit(draft))
        assert seq is not None
        return seq
