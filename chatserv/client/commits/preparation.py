"""Prepares commits: plans them, validates the plan as everybody will, and fetches keys for who is to be wrapped to."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from chatserv.client.connection.requests import Requests
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room
from chatserv.client.verification.certificates import Certificates, FalseKey, NotReady
from chatserv.crypto.commits import Leave, Op
from chatserv.crypto.identities import Rotation
from chatserv.crypto.prekeys import SignedPreKey
from chatserv.crypto.room_draft import Evidence
from chatserv.crypto.room_rules import Step, take_step
from chatserv.crypto.room_state import RosterEntry, State
from chatserv.wire import messages


@dataclass(frozen=True)
class Plan:
    """What a commit is to be planned from: the room as it stands, and the evidence that it will be validated by.

    ``state`` is None for a room that is to be made. ``leaves``: the Leaves that wait. ``unready``: devices that cannot be
    added, because the server has no prekeys for them.
    """

    state: State | None
    evidence: Evidence
    leaves: tuple[Leave, ...]
    unready: frozenset[bytes] = frozenset()


OpsMaker = Callable[[Plan], Awaitable[Sequence[Op] | None]]
"""Gives the ops of a commit; none: a rotation. None: there is nothing to do any more."""


@dataclass(frozen=True)
class Prepared:
    """A plan that the rules allow, with a prekey for each device that it wraps to."""

    step: Step
    ops: tuple[Op, ...]
    evidence: Evidence
    prekeys: dict[bytes, SignedPreKey]


class Preparation:
    """Prepares commits for all rooms.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        certificates: Of whoever is wrapped to.
        decide: Finds out which changes of identity are signed.
        check_ended: Finds out whether the ends of devices are.
    """

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        certificates: Certificates,
        decide: Callable[[Sequence[Rotation]], Awaitable[None]],
        check_ended: Callable[[Callable[[], Iterable[RosterEntry]]], Awaitable[None]],
    ) -> None:
        self._context, self._requests, self._certificates = context, requests, certificates
        self._decide, self._check_ended = decide, check_ended

    async def prepare(self, room: Room, make_ops: OpsMaker, leaves: tuple[Leave, ...]) -> Prepared | None:
        """Plans, and gets a prekey for each device; devices to be added that have none yet are left out."""
        prekeys: dict[bytes, SignedPreKey] = {}
        unready: set[bytes] = set()
        while True:
            planned = await self.step(room, make_ops, leaves, frozenset(unready))
            if planned is None:
                return None
            step = planned.step
            wanted = [entry for entry in step.state.roster if entry.device_id != self._context.device_id]
            await self._certificates.fetch(entry.cert_hash for entry in wanted)
            lacking = await self._fetch_prekeys(room, [e for e in wanted if e.device_id not in prekeys], prekeys)
            if not lacking:
                return replace(planned, prekeys=prekeys)
            added = {entry.device_id for entry in step.added}
            if not lacking <= added:
                raise NotReady("prekeys: the server has none for a device of the room")
            unready |= lacking

    async def step(
        self, room: Room, make_ops: OpsMaker, leaves: tuple[Leave, ...], unready: frozenset[bytes] = frozenset()
    ) -> Prepared | None:
        """Plans, and validates the plan as everybody will; None where there is nothing to do. No prekeys yet."""
        if room.state is not None:
            await self._certificates.fetch(entry.cert_hash for entry in room.state.roster)
        log, listed = self._context.log, room.listed()
        while True:
            await self._decide(log.facts.undecided(log.size, listed))
            await self._check_ended(room.roster)
            evidence = Evidence(self._certificates.known, log.facts, log.size)
            planned = await make_ops(Plan(room.state, evidence, leaves, unready))
            if planned is None:
                return None
            ops = tuple(planned)
            step = take_step(room.state, room.room_id, self.own_leaf(room), ops, evidence)
            listed = [*room.listed(), *(member.user for member in step.state.members)]
            if not log.facts.undecided(log.size, listed):
                return Prepared(step, ops, evidence, {})

    def own_leaf(self, room: Room) -> int:
        """This device's number in the room, or the one that it will have."""
        if room.state is None:
            return 0
        own = room.own(self._context.device_id)
        return room.state.next_leaf if own is None else own.leaf

    async def _fetch_prekeys(
        self, room: Room, wanted: list[RosterEntry], prekeys: dict[bytes, SignedPreKey]
    ) -> set[bytes]:
        """Adds to ``prekeys``; returns the devices for which there is none."""
        lacking = set()
        for at in range(0, len(wanted), messages.KEYS_PAGE):
            page = wanted[at : at + messages.KEYS_PAGE]
            devices = tuple(entry.device_id for entry in page)
            reply = await self._requests.expect(messages.Keys, messages.FetchKeys, room=room.room_id, devices=devices)
            if len(reply.prekeys) != len(page):
                raise FalseKey("prekeys: not as many as were asked for")
            for entry, signed in zip(page, reply.prekeys, strict=True):
                if signed:
                    prekeys[entry.device_id] = SignedPreKey.decode(signed)
                else:
                    lacking.add(entry.device_id)
        return lacking
