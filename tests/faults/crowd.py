"""People at a real server who talk without a pause, come back whenever they are cut, and note what they were told.

Light clients: the wire session of the library over TLS, all of them in one thread. What they send no server can open, and
they do not either. They reconnect, resume from where they are and send again what was not answered, as the library does.
"""

from __future__ import annotations

import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final, Self

from bench.accounts import Accounts, SharedKeys
from bench.founding import found_room
from bench.member import Member, tls_context
from bench.server import BenchError
from bench.tally import BODY_BYTES
from chatserv.crypto.content import ID_BYTES
from chatserv.crypto.envelope import GUARD_BYTES, HEADER_BYTES
from chatserv.testing.demo.journals import Journal, Judgement, Shown, judge
from chatserv.testing.processes import ServerProgram
from chatserv.wire import messages
from chatserv.wire.codec import encode_message, server_decoder
from chatserv.wire.link import ServerLink, parse_link
from tests.faults.rows import HANGS_SECONDS, RowFailed, check

AGAIN_SECONDS: Final = 0.05
STEP_SECONDS: Final = 0.005
SETTLE_SECONDS: Final = 60.0
MOST_UNANSWERED: Final = 400  # of one person
LEAST_RATE: Final = 100.0  # acknowledged messages a second, without which a crash proves nothing
_REFUSED: Final = frozenset({"storage_full"})  # nothing of it is stored
_UNCERTAIN: Final = frozenset({"read_only", "internal"})  # the disk failed: a later start may find it or not
SYNC_LABEL: Final = 2**31  # of no message that somebody sends
_ID: Final = slice(HEADER_BYTES, HEADER_BYTES + ID_BYTES)


@cache
def shared_keys() -> SharedKeys:
    """The RSA keys of everybody in this process."""
    return SharedKeys.generate()


class Person(Member):
    """One device that talks, reads, and comes back.

    Args:
        link: Where the server is, and who.
        accounts: Makes keys.
        number: Which account this is.
        directory: Gets the journal.
    """

    def __init__(self, link: ServerLink, accounts: Accounts, number: int, directory: Path) -> None:
        self._link, self._context = link, tls_context()
        super().__init__(link, self._context, accounts, number)
        self.journal = Journal(self.account.user, directory / f"{self.account.user}.journal")
        self.shown: list[Shown] = []
        self.acknowledged_at: list[tuple[float, float]] = []  # when, and how long after it was sent
        self.position = self.last_date_ms = 0
        self.connected = True
        self.logins = 0
        self.refusals: list[str] = []
        self.deaf_until = 0.0  # reads nothing till then, as a machine does whose network is gone
        self.muted = False  # says nothing, whatever the rate is
        self.saw_leave: dict[str, float] = {}  # when this person was told that somebody is gone (monotonic)
        self.old: socket.socket | None = None  # of the connection before, where that was left open
        self.resumed_after = 0.0  # how long the last sync took, in seconds; 0: it is not over
        self.drainings = 0  # how often this person was told that the server goes down
        self._asked = self._sync_at = 0.0  # the sync that was asked for, and the one that is to be, as it was refused
        self._unanswered: dict[bytes, tuple[bytes, float]] = {}
        self._labels: dict[int, bytes] = {}
        self._label = 0
        self._hold_until = 0.0

    @property
    def unanswered(self) -> int:
        """Messages that nothing is known of yet."""
        return len(self._unanswered)

    def talk(self) -> None:
        """Sends one more message, or keeps it until there is a connection."""
        message_id = secrets.token_bytes(ID_BYTES)
        filler = secrets.token_bytes(BODY_BYTES - HEADER_BYTES - ID_BYTES)
        envelope = self.next_header(secrets.token_bytes(GUARD_BYTES)) + message_id + filler
        self.journal.send(message_id)
        self._unanswered[message_id] = (envelope, time.monotonic())
        if self.connected and not self._hold_until:
            self._send([message_id])

    def _send(self, ids: Sequence[bytes]) -> None:
        parts = []
        for message_id in ids:
            self._label += 1
            self._labels[self._label] = message_id
            seat, envelope = self.seat, self._unanswered[message_id][0]
            parts.append(encode_message(messages.Send(self._label, seat.room, message_id, seat.epoch, envelope)))
        if parts:
            self.send(parts)

    def sync(self) -> None:
        """Asks for everything from where this person is."""
        self._asked, self._sync_at = time.monotonic(), 0.0
        self.send([encode_message(messages.Sync(SYNC_LABEL, self.store, ((self.seat.room, self.position),)))])

    def come_back(self, *, leaving: bool = False) -> None:
        """Logs in again, syncs, and sends again what was not answered. Raises `BenchError` or OSError.

        Args:
            leaving: Leaves the old connection open, as a machine does that has moved to another network.
        """
        if leaving:
            self.old = self._socket
        else:
            self.close()
        self.log_in()
        self.resume()

    def log_in(self) -> None:
        """Connects anew, and hears how far the room is; any thread may, while there is no connection."""
        self._connect(self._link, self._context, self.account.credentials())
        welcome = self._wait_for(messages.Welcome)
        if welcome.store != self.store:
            self.store = welcome.store
        self.resumed_after = 0.0
        heads = {room.room: room.head for room in welcome.rooms}
        self.journal.read(heads.get(self.seat.room, 0))

    def resume(self) -> None:
        """Goes on, once logged in."""
        self.connected, self.logins = True, self.logins + 1
        self._labels.clear()
        self._hold_until = 0.0
        self.sync()
        self._send(list(self._unanswered))

    def reset(self) -> None:
        """Ends the connection without a word, as a machine does that is switched off; any thread may."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def lose(self) -> None:
        """The connection is gone."""
        self.connected = False
        self.journal.lose_sight()
        self.close()

    def take(self) -> None:
        """Takes what has come."""
        for plaintext in self.receive():
            for message in server_decoder.decode(plaintext):
                self._take(message)

    def take_held(self) -> None:
        """Sends again what had to wait, once it has waited."""
        if self._sync_at and time.monotonic() >= self._sync_at:
            self.sync()
        if self._hold_until and time.monotonic() >= self._hold_until:
            self._hold_until = 0.0
            self._send([each for each in self._unanswered if each not in set(self._labels.values())])

    def _take(self, message: object) -> None:
        match message:
            case messages.Event(seq=seq, at=at, sender=sender, body=body):
                self.shown.append((seq, sender, body[_ID]))  # also one that comes twice, for the judge to see
                self.position, self.last_date_ms = max(self.position, seq), at
            case messages.Sent(label=label, seq=seq) if label in self._labels:
                message_id = self._labels.pop(label)
                _, since = self._unanswered.pop(message_id)
                now = time.monotonic()
                self.acknowledged_at.append((now, now - since))
                self.journal.acknowledge(message_id, seq)
            case messages.Error(label=label) if label in self._labels:
                self._refused(self._labels.pop(label), message)
            case messages.Error(label=label) if label == SYNC_LABEL:
                self.refusals.append(message.code)
                if not message.retryable:
                    raise RowFailed(f"{self.account.user}: sync: {message.code}: {message.text}")
                self._sync_at = time.monotonic() + (message.after_seconds or AGAIN_SECONDS)
            case messages.Ok(label=label) if label == SYNC_LABEL:
                self.resumed_after = time.monotonic() - self._asked
            case messages.DrainingNotice():
                self.drainings += 1
            case messages.Presence(user=user, status=0):
                self.saw_leave[user] = time.monotonic()
            case messages.Keepalive():
                self.send([encode_message(messages.Ping(0))])

    def _refused(self, message_id: bytes, error: messages.Error) -> None:
        self.refusals.append(error.code)
        if error.code in _REFUSED:
            del self._unanswered[message_id]
            self.journal.refuse(message_id, error.code)
        elif error.code in _UNCERTAIN:
            self._unanswered.clear()  # those behind it would wait for it
            self._labels.clear()
        elif error.retryable:
            self._hold_until = time.monotonic() + (error.after_seconds or AGAIN_SECONDS)
        else:
            raise RowFailed(f"{self.account.user}: {error.code}: {error.text}")


class Crowd:
    """People in one room.

    Args:
        server: Runs, with open registration.
        people: How many.
        number: The first one's account.
    """

    def __init__(self, server: ServerProgram, people: int, number: int = 0) -> None:
        link = parse_link(server.link())
        accounts = Accounts(link.fingerprint, shared_keys())
        self.server = server
        self.people: list[Person] = [self._newcomer(link, accounts, number + each) for each in range(people)]
        found_room(self.people, link.fingerprint)
        self.rate = 0.0
        self._pace = 0.0  # the rate that the thread goes by, which sees a new one after its turn
        self.error: BaseException | None = None
        self._sources: dict[int, Person] = {}
        self._epoll = select.epoll()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._again: dict[Person, float] = {}
        for person in self.people:
            person.position = person.seat.head
            person.sync()
            self._watch(person)

    def _newcomer(self, link: ServerLink, accounts: Accounts, number: int) -> Person:
        return Person(link, accounts, number, self.server.directory)

    def _watch(self, person: Person) -> None:
        self._sources[person.fileno()] = person
        self._epoll.register(person.fileno(), select.EPOLLIN)

    # -- what rows ask for ---------------------------------------------------------------------------------------------

    @contextmanager
    def talking(self, rate: float) -> Iterator[Crowd]:
        """While this lasts, everybody together sends so many messages a second, in a thread of its own."""
        self.rate = rate
        self.start()
        try:
            yield self
        finally:
            self.rate = 0.0
        self._fail_with_thread()

    def start(self) -> None:
        """Lets people read and come back, from here to `close`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Waits until everything is answered and everybody was shown as much as the others."""
        self.start()
        deadline = time.monotonic() + seconds
        while self.unsettled:
            self._fail_with_thread()
            check(time.monotonic() < deadline, f"after {seconds:g} s: {self.unsettled}")
            time.sleep(STEP_SECONDS)
        self._fail_with_thread()

    def give_up_last(self) -> Person:
        """The last one is no longer read for, brought back or judged: a row does with that person what it likes."""
        person = self.people.pop()
        self._epoll.unregister(person.fileno())
        del self._sources[person.fileno()]
        return person

    @property
    def unsettled(self) -> str:
        """What is still missing, in words; empty where nothing is."""
        if self._pace != self.rate:
            return f"{self._pace:g} a second, to be {self.rate:g}"
        away = sum(not person.connected for person in self.people)
        unanswered = sum(person.unanswered for person in self.people)
        behind = sum(not person.resumed_after for person in self.people)
        positions = {person.position for person in self.people}
        if not away and not unanswered and not behind and len(positions) == 1:
            return ""
        return f"{away} away, {behind} not in sync, {unanswered} unanswered, at {sorted(positions)[:3]}"

    def judge(self) -> Judgement:
        """What the journals say against what people were shown."""
        return judge(
            [person.journal for person in self.people], {person.account.user: person.shown for person in self.people}
        )

    def check(self) -> str:
        """Ends the talk and settles; fails the row where anything is lost, doubled or reordered. Gives the figure."""
        self.rate = 0.0  # what is shown while it is being judged would be news to the journals
        self.settle()
        judgement = self.judge()
        check(judgement.good, f"{self.count()} messages acknowledged: {judgement}")
        return f"{self.count()} acknowledged, {judgement}"

    def acknowledged(self) -> set[bytes]:
        """The messages that were acknowledged so far."""
        return {message_id for person in self.people for message_id in list(person.journal.acknowledged)}

    def count(self) -> int:
        """How many messages were acknowledged."""
        return sum(len(person.acknowledged_at) for person in self.people)

    def flowing(self, least: float = LEAST_RATE, seconds: float = 0.5, patience: float = HANGS_SECONDS) -> float:
        """Waits until so many messages a second are acknowledged, and gives how many; for without them a crash is none."""
        deadline = time.monotonic() + patience
        while True:
            self._fail_with_thread()
            before, began = self.count(), time.monotonic()
            time.sleep(seconds)
            found = (self.count() - before) / (time.monotonic() - began)
            if found >= least:
                return found
            check(time.monotonic() < deadline, f"only {found:.0f} messages a second flow, {least:g} are needed")

    def latencies(self, since: float = 0.0, until: float = float("inf")) -> list[float]:
        """From sending to acknowledgement, in seconds, of what was acknowledged between two moments (monotonic)."""
        return [took for person in self.people for at, took in list(person.acknowledged_at) if since <= at < until]

    def all_back(self, seconds: float = HANGS_SECONDS) -> float:
        """Waits until everybody has a connection; how long that took, in seconds."""
        began = time.monotonic()
        while not all(person.connected for person in self.people):
            self._fail_with_thread()
            check(time.monotonic() < began + seconds, f"not everybody is back after {seconds:g} s")
            time.sleep(STEP_SECONDS)
        return time.monotonic() - began

    def cut(self, person: Person) -> None:
        """Lets a person's connection end without a word; the thread notices and brings them back."""
        person.reset()

    def cut_and_back(self, person: Person, seconds: float = HANGS_SECONDS) -> float:
        """Cuts a person and waits until they have logged in again; how long that took."""
        logins, since = person.logins, time.monotonic()
        self.cut(person)
        while person.logins == logins:
            self._fail_with_thread()
            check(time.monotonic() < since + seconds, f"{person.account.user} does not get in again")
            time.sleep(0.001)
        return time.monotonic() - since

    def leave_behind(self, person: Person, seconds: float) -> socket.socket:
        """Lets a person hear nothing for a while and then connect from elsewhere; the socket that they left open."""
        person.old, person.deaf_until = None, time.monotonic() + seconds
        deadline = time.monotonic() + HANGS_SECONDS
        while person.old is None:
            self._fail_with_thread()
            check(time.monotonic() < deadline, "nobody takes over")
            time.sleep(STEP_SECONDS / 5)
        return person.old

    def close(self) -> None:
        """Ends the thread and lets go of everything."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(30)
        self._epoll.close()
        for person in self.people:
            person.close()
            person.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _fail_with_thread(self) -> None:
        if self.error is not None:
            raise RowFailed(f"a client broke: {self.error}") from self.error

    def _run(self) -> None:
        try:
            due, turn = time.monotonic(), 0
            while not self._over.is_set():
                if self.rate != self._pace:
                    due, self._pace = time.monotonic(), self.rate
                now = time.monotonic()
                due = max(due, now - 0.2)  # what could not be sent in time is not sent at once later
                while self._pace and due <= now:
                    self._talk(self.people[turn % len(self.people)])
                    turn, due = turn + 1, due + 1 / self._pace
                self._bring_back()
                for descriptor, _ in self._epoll.poll(STEP_SECONDS):
                    self._guard(self._sources[descriptor], Person.take)
                for person in self.people:
                    if person.connected:
                        self._guard(person, Person.take_held)
        except BaseException as error:  # noqa: BLE001 - told in the row's own thread
            self.error = error

    def _talk(self, person: Person) -> None:
        if not person.muted and person.unanswered < MOST_UNANSWERED:
            self._guard(person, Person.talk)

    def _take_over(self, person: Person) -> None:
        descriptor = person.fileno()
        if self._sources.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)
        if time.monotonic() >= person.deaf_until:
            person.deaf_until = 0.0
            person.come_back(leaving=True)
            self._watch(person)

    def _guard(self, person: Person, step: Callable[[Person], None]) -> None:
        descriptor = person.fileno()
        try:
            step(person)
        except (BenchError, OSError):
            if descriptor in self._sources:
                del self._sources[descriptor]
                self._epoll.unregister(descriptor)
            person.lose()

    def _bring_back(self) -> None:
        for person in self.people:
            if person.deaf_until and person.connected:
                self._take_over(person)
            if person.connected or time.monotonic() < self._again.get(person, 0.0):
                continue
            try:
                person.come_back()
            except (BenchError, OSError):
                person.connected = False
                self._again[person] = time.monotonic() + AGAIN_SECONDS
            else:
                self._watch(person)
