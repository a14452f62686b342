"""What was offered for one room of a restored server: decided, and put back.

Commits go by the public checks alone, in the order of their chain. A message goes back where its clear header names the
room, an epoch and a place in its roster, and it lies between the commits of that epoch and the next; and where that
very device offers it, or devices of two users who were in the room then offer the same bytes. Of several such the one counts
that more users offer; where none is ahead, none.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from chatserv.commands.commit_validation import validate_offered
from chatserv.commands.context import Context
from chatserv.crypto.commits import Add, Commit
from chatserv.crypto.envelope import Envelope
from chatserv.crypto.room_rules import Head, apply_commit
from chatserv.crypto.room_state import State
from chatserv.errors import ChatError, Reject
from chatserv.mending_models import Candidate, MendedMessage, Voucher
from chatserv.models import Appended, EventKind

PLACES_AT_ONCE: Final = 128
MAX_STEP: Final = 1000  # places that may be empty before one that a single device says it has filled
MAX_SAID: Final = 100  # holes, and problems, of one room in a report
MAX_SEQ: Final = 2**63 - 1


class RoomMending:
    """Mends one room.

    Args:
        context: The world.
        room_id: Which; it may be one that was made after the backup.
    """

    def __init__(self, context: Context, room_id: bytes) -> None:
        self._context, self._room_id = context, room_id
        self._floor = 0
        self._states: dict[int, State] = {}
        self._begins: dict[int, int] = {}  # by epoch, the places of commits behind the floor
        self._problems: list[str] = []
        self._reached = 0
        self._generations: dict[tuple[int, int], int] = {}  # by epoch and leaf, the last one that was put back

    async def mend(self) -> dict[str, Any] | None:
        """Puts back what can be, and says what is missing; None where that is nothing."""
        self._floor = await self._context.store.mending_floor(self._room_id)
        await self._look_back()
        last = await self._mend_commits()
        if self._context.registry.get(self._room_id) is None:
            return self._said(last, [[1, last]])
        self._reached = max(self._floor, *self._begins.values(), 0)
        await self._mend_messages()
        missing = await self._missing(last)
        return self._said(last, missing) if missing or self._problems else None

    def _said(self, last: int, missing: list[list[int]]) -> dict[str, Any]:
        record = self._context.registry.get(self._room_id)
        return {
            "room": self._room_id.hex(),
            "name": "" if record is None else record.name,
            "first": self._floor + 1,
            "last": last,
            "missing": missing,
            "problems": self._problems[:MAX_SAID],
        }

    async def _missing(self, last: int) -> list[list[int]]:
        """The places, from first to last, that nobody has filled before the last one that something was offered for."""
        found: list[list[int]] = []
        position = self._floor
        while len(found) < MAX_SAID and position < last:
            page = await self._context.store.events(self._room_id, position, PLACES_AT_ONCE)
            for seq in [event.seq for event in page] or [last + 1]:
                if seq > position + 1:
                    found.append([position + 1, min(seq - 1, last)])
                position = seq
        return found[:MAX_SAID]

    async def _candidates(self, after: int) -> Sequence[Candidate]:
        return await self._context.store.offered(self._room_id, after, PLACES_AT_ONCE)

    async def _look_back(self) -> None:
        """Where the room stood at the restore; a mending that was interrupted may have put commits back already."""
        record, store = self._context.registry.get(self._room_id), self._context.store
        if record is None:
            return
        position = self._floor
        while page := await store.events(self._room_id, position, PLACES_AT_ONCE):
            commits = [event for event in page if event.kind is EventKind.COMMIT]
            self._begins.update((Commit.decode(each.body).tbs.epoch, each.seq) for each in commits)
            position = page[-1].seq
        if self._begins:
            await self._replay(min(self._begins) - 1)
        else:
            self._states[record.head.epoch] = record.state

    async def _replay(self, first: int) -> None:
        """Looks up the states of the epochs from ``first`` on, by going through the chain from its beginning."""
        context, state, head = self._context, None, Head.before(self._room_id)
        while page := await context.store.commits(self._room_id, head.epoch + 1, PLACES_AT_ONCE):
            for encoded in page:
                commit = Commit.decode(encoded)
                hashes = [op.entry.cert_hash for op in commit.tbs.ops if isinstance(op, Add)]
                hashes += [] if state is None else [entry.cert_hash for entry in state.roster]
                known = await context.certificates.get(hashes)
                outcome = apply_commit(state, head, commit, known, context.log.facts, context.log.root_at)
                state, head = outcome.state, outcome.head
                if head.epoch >= first:
                    self._states[head.epoch] = state

    # -- commits -------------------------------------------------------------------------------------------------------

    async def _mend_commits(self) -> int:
        """Carries the chain on as far as what was offered leads; the last place that anything was offered for."""
        position = 0
        while page := await self._candidates(position):
            commits = [each for each in page if each.event.kind is EventKind.COMMIT and self._is_near(each)]
            for seq, same in groupby(commits, key=lambda each: each.event.seq):
                if seq not in self._begins.values():
                    await self._mend_commit(list(same))
            position = page[-1].event.seq
        return position

    async def _mend_commit(self, candidates: list[Candidate]) -> None:
        """Takes the commit for a place: the one in the log, or that more users offer, of those that the rules allow."""
        for each in sorted(candidates, key=self._weight, reverse=True):
            try:
                validated = await validate_offered(self._context, each.event.body, each.event.seq, each.event.at_ms)
                if validated.draft.room_id != self._room_id:
                    raise Reject("commit: for another room")
                result = await self._context.store.commit(validated.draft)
            except ChatError as error:
                self._problems.append(f"{each.event.seq}: {error.code}: {error.detail}")
                continue
            if isinstance(result, Appended):
                self._states[validated.draft.epoch] = validated.outcome.state
                self._begins[validated.draft.epoch] = each.event.seq
                return

    def _is_near(self, candidate: Candidate) -> bool:
        """Whether the end of the room may be moved so far: a single member could move it beyond all that was ever said."""
        end = max(self._floor, *self._begins.values(), 0)
        return candidate.event.seq <= end + MAX_STEP or len({by.user for by in candidate.by}) > 1

    def _weight(self, candidate: Candidate) -> tuple[bool, int, bytes]:
        logged = self._context.log.knows_commit(candidate.event.id)
        return logged, len({by.user for by in candidate.by}), candidate.event.id

    # -- messages ------------------------------------------------------------------------------------------------------

    async def _mend_messages(self) -> None:
        position = self._floor
        while page := await self._candidates(position):
            chosen = []
            for _, same in groupby(page, key=lambda each: each.event.seq):
                mended = self._choose([each for each in same if each.event.kind is EventKind.MESSAGE])
                if mended is not None:
                    chosen.append(mended)
            await self._put(chosen)
            position = page[-1].event.seq

    async def _put(self, chosen: list[MendedMessage]) -> None:
        filled = await self._context.store.mend_messages(self._room_id, chosen)
        if filled:
            room = self._context.hub.rooms[self._room_id]
            room.head = max(room.head, *filled)

    def _choose(self, candidates: list[Candidate]) -> MendedMessage | None:
        weighed = [found for each in candidates if (found := self._weigh(each)) is not None]
        most = max((users for _, users in weighed), default=0)
        best = [mended for mended, users in weighed if users == most]
        if len(best) != 1 or (best[0].seq > self._reached + MAX_STEP and most < 2):
            return None
        chain = (best[0].epoch, best[0].leaf)
        if best[0].generation <= self._generations.get(chain, -1):
            return None  # it stands at an earlier place already
        self._generations[chain] = best[0].generation
        self._reached = max(self._reached, best[0].seq)
        return best[0]

    def _weigh(self, candidate: Candidate) -> tuple[MendedMessage, int] | None:
        """What the room would get of it, and how many users offer it who were there then; None where it may not be."""
        event = candidate.event
        try:
            header = Envelope.decode(event.body).header
        except Reject:
            return None
        state = self._states.get(header.epoch)
        entry = None if state is None else state.entry(header.leaf)
        if state is None or entry is None or header.room_id != self._room_id:
            return None
        if not self._begins.get(header.epoch, self._floor) < event.seq < self._begins.get(header.epoch + 1, MAX_SEQ):
            return None
        there = [by for by in candidate.by if _is_in(state, by)]
        by_sender = any((by.user, by.device_id) == (entry.user, entry.device_id) for by in there)
        users = len({by.user for by in there})
        if not by_sender and users < 2:
            return None
        mended = MendedMessage(
            seq=event.seq,
            id=event.id,
            device_id=entry.device_id,
            sender=entry.user,
            at_ms=min(event.at_ms, self._context.now_ms()),
            body=event.body,
            epoch=header.epoch,
            leaf=header.leaf,
            generation=header.generation,
        )
        return mended, users


def _is_in(state: State, by: Voucher) -> bool:
    entry = state.device(by.device_id)
    return entry is not None and entry.user == by.user
