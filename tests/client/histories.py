"""Random histories of people and their devices: who may read reads everything since they came in, and nobody else anything.

`Histories` is a machine of Hypothesis over `chatserv.testing.world`: everything is in memory and has a time of its own. The
model knows of each device whether it is there, whether it has a place in a room, and so which of the lines it must have.
"""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from unittest import mock

from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from chatserv.client.account import keyring as keyring_module
from chatserv.client.client import Client
from chatserv.client.events import Alarm, MessageReceived
from chatserv.client.joining.remote_client import RemoteClient
from chatserv.client.own import identity as identity_module
from chatserv.client.room_handle import RoomHandle
from chatserv.domain.roles import Role
from chatserv.errors import ChatError, NotFound
from chatserv.testing.memory_door import MemoryDoor
from chatserv.testing.memory_server import rsa_key
from chatserv.testing.world import Person, World
from tests.support.devices import reset_account

ROOMS: Final = ("lobby", "plans")
OWNER: Final = "alice1"
PEOPLE: Final = ("bob1", "carol1")  # whose devices come and go
OUTSIDER: Final = "eve1"
MAX_DEVICES: Final = 4
MOMENT: Final = 12  # seconds within which everything that clients do by themselves is done
LONG: Final = 60
HERE, AWAY, LOST, REVOKED = "here", "away", "lost", "revoked"
PICK: Final = st.integers(0, 1000)


@dataclass
class Copy:
    """An old copy of a device's files, and what was on it."""

    place: Path
    must: set[str]
    identities: int


@dataclass
class Device:
    """A device as the model has it.

    Attributes:
        person: Its program.
        state: Whether it runs, is away for a while, was lost, or was revoked.
        must: The lines that it has to have.
        may: Those that it may have too: what an old copy can no longer open.
        seen: The lines that it has shown.
        identities: How many identities its owner had when it got the identity key; -1: it never did.
        marks: What was read, by room, as one of the owner's devices has said.
        copy: From before.
        excused: Alarms that are due: an old copy of a device does not have all keys that were made for it.
    """

    person: Person
    state: str = HERE
    must: set[str] = field(default_factory=set)
    may: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    identities: int = 0
    marks: dict[str, int] = field(default_factory=dict)
    copy: Copy | None = None
    excused: frozenset[str] = frozenset()

    @property
    def user(self) -> str:
        """Whose."""
        return self.person.name

    def look(self, client: Client | None = None) -> None:
        """Takes note of what the program shows and keeps; ``client``: where it is another one than usual."""
        self.seen |= {event.text for event in self.person.events(MessageReceived) if event.text is not None}
        if self.state == HERE:
            client = client or self.person.client
            self.seen.update(line for name in set(client.rooms) & set(ROOMS) for line in lines(client.room(name)))

    def kept(self) -> list[str]:
        """The lines in the rooms that it is in now."""
        return [line for name in ROOMS for line in lines(self.person.room(name))]


def lines(room: RoomHandle) -> list[str]:
    """What was said in a room, as far as a device has it."""
    return [message.text for message in room.history(1000) if message.text is not None]


@contextmanager
def quick_keys() -> Iterator[None]:
    """Keys of devices are made once in a run, as making them takes the most time by far."""
    numbers = itertools.count()

    def made() -> rsa.RSAPrivateKey:
        return rsa_key(f"of a history {next(numbers)}")

    with (
        mock.patch.object(keyring_module, "generate_rsa", made),
        mock.patch.object(identity_module, "generate_rsa", made),
    ):
        yield


class Histories(RuleBasedStateMachine):
    """Bob and Carol with devices that come and go, Alice in whose room they are, and Eve, who is not in it."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._stack.enter_context(quick_keys())
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="chatserv-history-")))
        self.world = World(str(self.directory / "profiles"))
        self._stack.callback(self.world.close)
        self._lines, self._names = itertools.count(1), itertools.count(1)
        self.codes: dict[str, str] = {}
        self.identities = dict.fromkeys(PEOPLE, 0)
        self.devices: list[Device] = []

    def teardown(self) -> None:
        """Everybody goes."""
        self._stack.close()

    # -- helpers -------------------------------------------------------------------------------------------------------

    def of(self, user: str, *states: str) -> list[Device]:
        """Somebody's devices in these states."""
        return [each for each in self.devices if each.user == user and each.state in states]

    def valid(self, user: str) -> list[Device]:
        """Somebody's devices that were not revoked."""
        return self.of(user, HERE, AWAY, LOST)

    def here(self, pick: int, *users: str) -> Device | None:
        """One of the devices that run."""
        found = [each for user in users for each in self.of(user, HERE)]
        return found[pick % len(found)] if found else None

    def new(self, person: Person, identities: int) -> Device:
        """A device that is in all of its person's rooms."""
        device = Device(person, identities=identities)
        self.devices.append(device)
        return device

    def holders(self, user: str) -> list[Device]:
        """The devices that run and have the newest identity key."""
        return [each for each in self.of(user, HERE) if each.identities == self.identities.get(user, 0)]

    def check(self) -> None:
        """Whoever may read has read, and nobody else has."""
        for device in self.devices:
            device.look()
            who = f"{device.person.profile.directory.name} ({device.state})"
            wrong = device.seen - device.must - device.may
            assert not wrong, f"{who} reads what it must not: {sorted(wrong)}"
            if device.state == HERE:
                assert device.person.online, f"{who} is not online"
                kept = device.kept()
                missing = device.must - set(kept)
                assert not missing, f"{who} does not have {sorted(missing)}"
                assert len(set(kept)) == len(kept), f"{who} has something twice: {kept}"
                told = {event.what for event in device.person.events(Alarm)} - device.excused
                assert not told, f"{who} is warned: {sorted(told)}"
                for name, seq in device.marks.items():
                    row = device.person.room(name)._room.row
                    assert row is not None
                    assert row.read >= seq, f"{who} does not know that {name} was read to {seq}"
        self.outsider.told[:] = [event for event in self.outsider.told if isinstance(event, MessageReceived)]
        assert not self.outsider.texts("plans")

    def settle(self, seconds: int = MOMENT) -> None:
        """Time passes, and then all is well."""
        self.world.settle(seconds)
        self.check()

    def leave(self, device: Device) -> None:
        """Its program ends."""
        device.look()
        device.person.leave_the_machine()

    # -- the beginning -------------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """Alice has a private room with Bob and Carol."""
        self.alice = self.world.person(OWNER, Role.ADMIN)
        people = [self.world.person(name) for name in PEOPLE]
        self.outsider = self.world.person(OUTSIDER)
        self.alice.do(self.alice.client.create_room("plans"))
        for person in people:
            self.alice.do(self.alice.room("plans").invite(person.name))
        self.world.settle()
        for person in people:
            person.room("plans").accept()
        for person in (self.alice, *people):
            self.new(person, 0)
        self.settle()

    # -- what happens --------------------------------------------------------------------------------------------------

    @rule(pick=PICK, room=st.sampled_from(ROOMS))
    def send(self, pick: int, room: str) -> None:
        """Somebody says something; a device that is valid has a place there, and must have it."""
        device = self.here(pick, OWNER, *PEOPLE)
        assert device is not None  # alice is
        text = f"line {next(self._lines)}"
        device.person.say(room, text)
        self._said(text)
        self.settle(2)

    def _said(self, text: str) -> None:
        """Something is stored: whatever is valid at this moment has to have it."""
        for each in self.devices:
            if each.state != REVOKED:
                each.must.add(text)

    @rule(pick=PICK, room=st.sampled_from(ROOMS))
    def read(self, pick: int, room: str) -> None:
        """Somebody reads a room to its end, and all of their devices know."""
        device = self.here(pick, *PEOPLE)
        if device is None:
            return
        handle = device.person.room(room)
        handle.mark_seen()
        row = handle._room.row
        assert row is not None
        for each in self.valid(device.user):
            each.marks[room] = max(row.read, each.marks.get(room, 0))
        self.settle()

    @rule(pick=PICK)
    def go_away(self, pick: int) -> None:
        """A program ends for a while."""
        device = self.here(pick, *PEOPLE)
        if device is not None:
            self.leave(device)
            device.state = AWAY

    @rule(pick=PICK)
    def come_back(self, pick: int) -> None:
        """A program starts again."""
        away = [each for user in PEOPLE for each in self.of(user, AWAY)]
        if away:
            device = away[pick % len(away)]
            device.person.come_back()
            device.state = HERE
            self.settle()

    @rule(pick=PICK)
    def lose(self, pick: int) -> None:
        """A machine is gone."""
        device = self.here(pick, *PEOPLE)
        if device is not None:
            self.leave(device)
            device.state = LOST

    @rule(pick=PICK)
    def thief(self, pick: int) -> None:
        """Who has found a machine that was lost, or revoked, looks at what comes."""
        gone = [each for user in PEOPLE for each in self.of(user, LOST, REVOKED)]
        if gone:
            device = gone[pick % len(gone)]
            device.person.come_back()
            self.world.settle(MOMENT)
            self.check()
            self.leave(device)

    @rule(user=st.sampled_from(PEOPLE), pick=PICK)
    def write_code(self, user: str, pick: int) -> None:
        """A new recovery code."""
        holders = self.holders(user)
        if holders:
            person = holders[pick % len(holders)].person
            self.codes[user] = person.do(person.client.account.new_recovery()).code
            self.settle(2)

    @rule(user=st.sampled_from(PEOPLE))
    def recover(self, user: str) -> None:
        """One more device by the code, whatever has become of the others."""
        if user not in self.codes or len(self.valid(user)) >= MAX_DEVICES:
            return
        about = self.devices_of_any(user)
        arrived = self.world.new_device(about.person, self.codes[user], f"recovered{next(self._names)}")
        self.new(arrived, self.identities[user])
        self.settle()

    def devices_of_any(self, user: str) -> Device:
        """Any device of somebody."""
        return next(each for each in self.devices if each.user == user)

    @rule(user=st.sampled_from(PEOPLE), pick=PICK, hand_over=st.booleans())
    def approve(self, user: str, pick: int, hand_over: bool) -> None:
        """One more device by approval."""
        holders = self.holders(user)
        if not holders or len(self.valid(user)) >= MAX_DEVICES:
            return
        approver = holders[pick % len(holders)]
        name = f"approved{next(self._names)}"
        arrived = self.world.approved_device(approver.person, name, hand_over=hand_over)
        self.new(arrived, self.identities[user] if hand_over else -1)
        self.settle()

    @rule(user=st.sampled_from(PEOPLE), pick=PICK, which=PICK)
    def revoke(self, user: str, pick: int, which: int) -> None:
        """One device ends another one for good."""
        holders = self.holders(user)
        if not holders:
            return
        by = holders[pick % len(holders)]
        others = [each for each in self.valid(user) if each is not by]
        if not others:
            return
        device = others[which % len(others)]
        by.person.do(by.person.client.devices.revoke(device.person.client.keyring.device_id))
        if device.state == HERE:
            self.leave(device)
        held = device.identities == self.identities[user]
        device.state = REVOKED
        if held:
            self.codes.pop(user, None)
            self.world.settle(LONG)  # the key is renewed, and handed to those that had it
            self.identities[user] += 1
            for each in self.of(user, HERE):
                if each.identities == self.identities[user] - 1:
                    each.identities += 1
        self.settle()

    @rule(user=st.sampled_from(PEOPLE))
    def reset(self, user: str) -> None:
        """Who has lost everything begins anew by an administrator's link, and is taken in again."""
        before = self.valid(user)
        if any(each.state == HERE for each in before):
            return
        again = reset_account(self.world, self.alice, self.devices_of_any(user).person, f"again{next(self._names)}")
        for each in before:
            each.state = REVOKED
        self.codes.pop(user, None)
        self.identities[user] += 1
        for each in self.devices:
            if each.state == HERE:
                with suppress(NotFound):
                    each.person.client.people.accept_identity(user)
        self.world.settle(MOMENT)
        with suppress(ChatError):
            self.alice.do(self.alice.room("plans").invite(user))
        self.world.settle(MOMENT)
        again.room("plans").accept()
        self.new(again, self.identities[user])
        self.settle()

    @rule(pick=PICK)
    def copy(self, pick: int) -> None:
        """Somebody's files are copied while the program does not run."""
        device = self.here(pick, OWNER, *PEOPLE)
        assert device is not None
        self.leave(device)
        place = self.directory / f"copy{next(self._names)}"
        shutil.copytree(device.person.profile.directory, place)
        device.copy = Copy(place, set(device.must), device.identities)
        device.person.come_back()
        self.settle()

    @rule(pick=PICK)
    def restore(self, pick: int) -> None:
        """The old copy is put back: what came in between may be unreadable, and what comes from then on is read."""
        copied = [each for each in self.devices if each.copy is not None and each.state == HERE]
        if not copied:
            return
        device = copied[pick % len(copied)]
        assert device.copy is not None
        self.leave(device)
        place = device.person.profile.directory
        shutil.rmtree(place)
        shutil.copytree(device.copy.place, place)
        device.may |= device.must
        device.must, device.identities = set(device.copy.must), device.copy.identities
        device.marks.clear()
        device.excused = frozenset({"forgotten_keys"})
        device.person.come_back()
        self.settle(LONG)

    @rule(pick=PICK, room=st.sampled_from(ROOMS))
    def take_over(self, pick: int, room: str) -> None:
        """The program that holds a profile ends while another one, which has joined it, is saying something."""
        device = self.here(pick, *PEOPLE)
        if device is None:
            return
        self.leave(device)
        person, door = device.person, MemoryDoor(self.world.reactor)
        first, second = (
            RemoteClient(
                person.profile, self.world.reactor, told, meeting=door, sleep=self.world.server.pass_time, name=name,
                **self.world.surroundings,
            )
            for name, told in (("first", lambda _: None), ("second", person.told.append))
        )  # fmt: skip
        first.start()
        self.world.settle(3)
        second.start()
        self.world.settle(3)
        text = f"line {next(self._lines)}"
        sent = second.send(room, text)
        first.stop()
        self.world.do(sent)
        self._said(text)
        device.look(second)
        second.stop()
        self.world.run()
        person.come_back()
        self.settle()
