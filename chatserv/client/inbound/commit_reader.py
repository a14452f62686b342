"""Takes a room's events in, in their order: commits move the verified chain on, messages are opened and kept.

Nothing here waits. What has to be fetched first is raised as `Needs`, before anything has changed; the same event is then
taken again. Everything that an event changes is stored in one transaction with its cursor (docs/rooms.rst 5.6).
Messages are the business of `chatserv.client.inbound.message_reader`.
"""

from dataclasses import replace
from typing import Final

from chatserv.client.events import (
    ClientEvent,
    DeviceSeen,
    MessagesMissing,
    RoomChanged,
    RoomJoined,
    RoomLeft,
    RoomOffered,
)
from chatserv.client.inbound.closing_heads import ClosingHeads
from chatserv.client.inbound.commit_summary import changed_rules, describe
from chatserv.client.inbound.content_handler import ContentHandler
from chatserv.client.inbound.holes import hole_seen
from chatserv.client.inbound.message_reader import MessageReader
from chatserv.client.inbound.missing import Needs
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Keys, Room, Rooms, Standing
from chatserv.client.storage.kept_events import KeptEvent
from chatserv.client.storage.rooms import RoomRow
from chatserv.client.storage.stored_message import LATEST_MS
from chatserv.client.verification.certificates import Certificates
from chatserv.client.verification.logged_rooms import LoggedRooms
from chatserv.crypto.commits import Add, BadCommit, Commit, Leave
from chatserv.crypto.e2e.epoch import base_secrets
from chatserv.crypto.e2e.ratchet import ReceiverChain, SenderChain
from chatserv.crypto.room_draft import Evidence
from chatserv.crypto.room_rules import Outcome, apply_commit
from chatserv.crypto.room_state import RosterEntry, State
from chatserv.errors import Reject
from chatserv.wire import messages

KIND_COMMIT: Final = 1


class CommitReader:
    """Reads all rooms.

    Args:
        context: What the client's parts share.
        rooms: Which rooms there are.
        certificates: Those of all devices.
        contents: Takes what was opened.
        logged_rooms: Compares rooms with the log.
    """

    def __init__(
        self,
        context: ClientContext,
        rooms: Rooms,
        certificates: Certificates,
        contents: ContentHandler,
        logged_rooms: LoggedRooms,
    ) -> None:
        self._context, self._rooms, self._certificates = context, rooms, certificates
        self._logged_rooms, self._heads = logged_rooms, ClosingHeads(context, rooms)
        self._messages = MessageReader(context, rooms, certificates, contents)

    def take(self, room: Room, event: messages.Event) -> list[ClientEvent]:
        """Takes one event in; inside a transaction.

        Raises:
            Needs: Something has to be fetched first; nothing has changed.
            BadCommit: The server passed on a commit that it had to refuse.
        """
        cursor = 0 if room.row is None else room.row.cursor
        if event.seq <= cursor:
            return []
        found: list[ClientEvent] = []
        if room.in_it and event.seq > cursor + 1:
            found.append(hole_seen(self._context, self._rooms, room, cursor + 1, event.seq - 1))
        if event.kind == KIND_COMMIT:
            return found + self._take_commit(room, event)
        return found + self._messages.take(room, event)

    # -- commits -------------------------------------------------------------------------------------------------------

    def validate(self, room: Room, commit: Commit) -> Outcome:
        """What the rules make of a commit, once log and certificates are at hand (steps 1 to 6). Raises as `take`."""
        state, head = room.state, room.head
        if commit.tbs.kt_size > self._context.log.size:
            raise Needs(log_size=commit.tbs.kt_size)
        hashes = [op.entry.cert_hash for op in commit.tbs.ops if isinstance(op, Add)]
        hashes += [] if state is None else [entry.cert_hash for entry in state.roster]
        missing = self._certificates.missing(hashes)
        if missing:
            raise Needs(certificates=missing)
        log = self._context.log
        undecided = log.facts.undecided(commit.tbs.kt_size, room.listed())
        if undecided:
            raise Needs(rotations=undecided)
        return apply_commit(state, head, commit, self._certificates.known, log.facts, log.root_at)

    def follow_chain(self, room: Room, commit: Commit) -> list[ClientEvent]:
        """Moves the chain of a room on that we do not read: before our time, after it, or in a gap. Raises as `take`."""
        outcome = self.validate(room, commit)
        was_in, name = room.in_it, self._rooms.name(room)
        found = self._heads.compare(room, commit, self._context.now_ms())
        by = self._put_out_by(room.state, outcome, commit)
        room.move(outcome, commit)
        if room.row is None:
            return []
        own = outcome.state.device(self._context.device_id)
        with self._context.vault.transaction():
            room.row = replace(_moved_on(room.row, outcome, commit), keys=Keys.WANTED)
            if own is None:
                inviter = "" if room.row.standing is Standing.IN else room.row.inviter
                room.row = replace(room.row, standing=Standing.OUT, inviter=inviter)
            self._context.vault.rooms.put(room.row)
            self._settle_keys(room, own, commit)
        self._logged_rooms.moved(room, removes=bool(outcome.gone))
        return [RoomLeft(name, by, room.room_id)] if was_in and own is None else found

    def _put_out_by(self, before: State | None, outcome: Outcome, commit: Commit) -> str:
        """Who has put us out by a commit: its maker, or ourselves where it carries our own Leave."""
        own = None if before is None else before.device(self._context.device_id)
        left = own is not None and any(isinstance(op, Leave) and op.leaf == own.leaf for op in commit.tbs.ops)
        return self._context.user if left else outcome.committer.user

    def _take_commit(self, room: Room, event: messages.Event) -> list[ClientEvent]:
        commit = Commit.decode(event.body)
        if commit.tbs.room_id != room.room_id:
            raise BadCommit("commit: for another room")
        if commit.tbs.epoch > room.head.epoch + 1:
            raise Needs(chain_to=commit.tbs.epoch - 1)
        if commit.tbs.epoch <= room.head.epoch and not room.in_it:
            raise BadCommit("commit: of an epoch before the newest one")
        outcome = self.validate(room, commit)
        before, own = room.state, outcome.state.device(self._context.device_id)
        if room.row is None and own is None:  # a room that is no business of ours
            room.move(outcome, commit)
            return []
        found = self._heads.compare(room, commit, event.at) + self._never_came(room, event.seq)
        kept = KeptEvent(event.seq, commit.commit_hash, event.kind, min(event.at, LATEST_MS), event.body)
        self._context.vault.kept_events.put(room.room_id, kept, self._context.now_ms())
        room.row = self._next_row(room, outcome, commit, event, own)
        room.move(outcome, commit)
        self._context.vault.rooms.put(room.row)
        self._logged_rooms.moved(room, removes=bool(outcome.gone))
        found += self._tell(room, before, outcome, commit, event)
        self._settle_keys(room, own, commit)
        return found

    def _next_row(
        self, room: Room, outcome: Outcome, commit: Commit, event: messages.Event, own: RosterEntry | None
    ) -> RoomRow:
        standing = Standing.OUT if own is None else self._standing(room, outcome)
        heard = self._context.vault.heard_rooms.get(room.room_id)
        self._context.vault.heard_rooms.drop(room.room_id)
        row = room.row or RoomRow(
            room_id=room.room_id,
            kind=int(outcome.state.policy.kind),
            title=room.made_as[0] or heard.title,
            topic=room.made_as[1] or heard.topic,
            epoch=0,
            commit_hash=b"",
            kt_size=0,
            state=b"",
            head_commit=b"",
            cursor=0,
            shown=event.seq - 1,
            read=heard.read,
            since=event.seq - 1,
            standing=standing,
            keys=Keys.WANTED,
            epoch_since_ms=0,
            epoch_messages=0,
            committer=b"",
            read_told=heard.read,
        )
        if row.standing is Standing.OUT and standing is not Standing.OUT:  # we are back
            row = replace(row, since=event.seq - 1, shown=event.seq - 1)
        before = None if room.row is None or room.row.standing is Standing.OUT else room.row
        renamed = room.state is not None and room.state.policy.name != outcome.state.policy.name
        if standing is Standing.IN and (before is None or renamed):
            row = replace(row, agreed=self._context.vault.rooms.next_agreed())
        if standing is Standing.IN or (before is not None and before.standing is Standing.IN):
            row = replace(row, inviter="")
        elif before is None and standing is not Standing.OUT:
            row = replace(row, inviter=outcome.committer.user)
        row = replace(
            row,
            cursor=event.seq,
            standing=standing,
            keys=Keys.WANTED,
            epoch_since_ms=self._context.now_ms(),
            epoch_messages=0,
        )
        return _moved_on(row, outcome, commit)

    def _standing(self, room: Room, outcome: Outcome) -> Standing:
        """Whether a room that we come into needs our consent: not if we brought ourselves in, or never were out of it."""
        if room.in_it and room.row is not None:
            return room.row.standing
        if self._context.vault.ignored.refuses(room.room_id):
            return Standing.REFUSED
        wanted = room.row is not None and not room.row.inviter
        member = wanted and room.state is not None and bool(room.state.role(self._context.user))
        agreed = (
            outcome.committer.user == self._context.user or self._context.vault.heard_rooms.get(room.room_id).agreed
        )
        return Standing.IN if member or agreed else Standing.OFFERED

    def _never_came(self, room: Room, seq: int) -> list[ClientEvent]:
        """What the server has acknowledged of ours at places that have passed without it."""
        outbox = self._context.vault.outbox
        gone = outbox.done_before(room.room_id, seq)
        for row in gone:
            outbox.delete(row.message_id)
        if not gone or not room.in_it:
            return []
        return [MessagesMissing(self._rooms.name(room), self._context.user, len(gone), room_id=room.room_id)]

    def _tell(
        self, room: Room, before: State | None, outcome: Outcome, commit: Commit, event: messages.Event
    ) -> list[ClientEvent]:
        row, name, by = room.row, self._rooms.name(room), outcome.committer.user
        found: list[ClientEvent] = []
        if room.of_devices:
            return found
        was_in = before is not None and before.device(self._context.device_id) is not None
        if row is None or row.standing is Standing.OUT:
            left_by = self._put_out_by(before, outcome, commit)
            return [RoomLeft(name, left_by, room.room_id)] if was_in else []
        if not was_in:
            found.append(RoomOffered(name, by, room.room_id) if room.offered else RoomJoined(name, room.room_id))
        elif before is not None:
            found += [
                DeviceSeen(entry.user, entry.device_id)
                for entry in outcome.added
                if entry.user != self._context.user and _goes_on(before, outcome.state, entry.user)
            ]
            evidence = Evidence(self._certificates.known, self._context.log.facts, commit.tbs.kt_size)
            lines = describe(before, outcome.state, commit.tbs.ops, evidence.struck)
            rules = changed_rules(before.policy, outcome.state.policy)
            found.append(RoomChanged(name, by, lines, event.at, room.room_id, rules))
        for user in room.users():
            self._context.pins.look(user, self._context.now_ms())
        return found

    # -- keys of an epoch ----------------------------------------------------------------------------------------------

    def _settle_keys(self, room: Room, own: RosterEntry | None, commit: Commit) -> None:
        """A new epoch: the old chains go; those of an own commit are derived at once, others when they are needed."""
        vault = self._context.vault
        vault.chains.clear(room.room_id)
        pending = vault.pending.get(room.room_id)
        if pending is not None and pending.epoch <= commit.tbs.epoch:
            vault.pending.delete(room.room_id)
        if own is None:
            room.wraps.clear()
        elif pending is not None and pending.commit == commit.encoded:
            self.hold_keys(room, own, pending.epoch_secret)

    def hold_keys(self, room: Room, own: RosterEntry, epoch_secret: bytes) -> None:
        """Derives and stores all chains of the room's current epoch (step 10); inside a transaction."""
        if room.state is None or room.row is None:
            raise Reject("room: without a state")
        bases = base_secrets(epoch_secret, (entry.leaf for entry in room.state.roster), room.head.commit_hash)
        sender = SenderChain(own.leaf, 0, bases.pop(own.leaf))
        receivers = (ReceiverChain(leaf, 0, secret) for leaf, secret in bases.items())
        self._context.vault.chains.replace(room.room_id, sender, receivers)
        room.row = replace(room.row, keys=Keys.HELD)
        self._context.vault.rooms.put(room.row)


def _goes_on(before: State, after: State, user: str) -> bool:
    """Whether a user is in the list as the one they were: else a device of theirs is not one more of somebody known."""
    was, now = before.member(user), after.member(user)
    return was is not None and now is not None and bool(was.role) and was.kt_added == now.kt_added


def _moved_on(row: RoomRow, outcome: Outcome, commit: Commit) -> RoomRow:
    """The row where the chain has moved on by a commit."""
    return replace(
        row,
        kind=int(outcome.state.policy.kind),
        epoch=outcome.head.epoch,
        commit_hash=outcome.head.commit_hash,
        kt_size=outcome.head.kt_size,
        state=outcome.state.encoded,
        head_commit=commit.encoded,
        committer=outcome.committer.device_id,
    )
