"""A client and its rooms that do nothing but note what they are asked for."""

from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, succeed

from chatserv.client.account.keyring import NoIdentityKey
from chatserv.client.admin import AccountView, BanView
from chatserv.client.device_list import OwnDevice
from chatserv.client.events import MessageReceived, RetentionChanged
from chatserv.client.history_results import Exported, Imported, RefusedLine
from chatserv.client.mending.acceptance import RestoreToAccept
from chatserv.client.outbound.pending import WaitingMessage
from chatserv.client.people import DeviceView, Verification
from chatserv.client.recovery.approvals import DeviceRequest
from chatserv.client.recovery.backups import NewRecovery
from chatserv.client.room_view import MemberView
from chatserv.client.verification.audit import Audit, AuditEntry, PersonAudit
from chatserv.clocks import now_ms
from chatserv.errors import BadKey, Forbidden, NameTaken, NotFound, NotMember
from chatserv.wire.link import ServerLink
from chatserv.wire.messages import PublicRoom
from tests.client.file_fakes import FakeFiles, FakeFilesRoom

AT_MS = 1_760_000_000_000
NUMBER = "".join(f"{group:05}" for group in range(12))
QR = "CHATSERV-VERIFY:" + "A" * 104
DEVICE_IDS = (bytes.fromhex("aa11" + "00" * 14), bytes.fromhex("aa22" + "00" * 14))


def message(seq: int, text: str | None = "hello", sender: str = "bob", **fields: Any) -> MessageReceived:
    """A message of the lobby."""
    given: dict[str, Any] = {
        "room": "lobby",
        "at_ms": AT_MS,
        "message_id": bytes([seq % 256]) * 16,
        "own": sender == "alice",
    }
    return MessageReceived(seq=seq, text=text, sender=sender, **given | fields)


def member(user: str, role: str = "member", **fields: Any) -> MemberView:
    """Somebody in a room."""
    given: dict[str, Any] = {"muted": False, "devices": 1, "presence": "online", "trust": "unverified"}
    return MemberView(user, role, **given | fields)


@dataclass(eq=False)
class FakeRoom(FakeFilesRoom):
    """A room of alice's."""

    client: "FakeClient"
    name: str
    topic: str = ""
    public: bool = False
    role: str = "owner"
    unread: int = 0
    offered: bool = False
    people: list[MemberView] = field(default_factory=lambda: [member("alice", "owner"), member("bob")])
    kept: list[MessageReceived] = field(default_factory=list)
    signs: dict[bytes, dict[str, list[str]]] = field(default_factory=dict)
    arrived: dict[bytes, set[str]] = field(default_factory=dict)
    refusal: Exception | None = None
    read: int = 0
    position: int = 10**6
    stands_still: bool = False
    texts: list[WaitingMessage] = field(default_factory=list)

    @property
    def room_id(self) -> bytes:
        """As messages of these tests have it."""
        return b""

    @property
    def direct(self) -> bool:
        """Whether it is direct messages."""
        return self.name.startswith("@")

    def _agreed(self) -> None:
        """As in the library: nothing of an offer is shown."""
        if self.offered:
            raise NotMember(self.name)

    def _note(self, *call: Any) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.client.calls.append((self.name, *call))

    def _stored(self, *call: Any) -> "Deferred[int]":
        self._note(*call)
        return self.client.storing()

    def members(self, *, banned: bool = False) -> list[MemberView]:
        """Who is there, or is banned."""
        self._agreed()
        return [each for each in self.people if (each.role == "banned") is banned]

    def history(self, limit: int = 50, before: int | None = None) -> list[MessageReceived]:
        """The last messages."""
        self._agreed()
        return [each for each in self.kept if before is None or each.seq < before][-limit:]

    def following(self, seq: int, limit: int = 50) -> list[MessageReceived]:
        """The first messages behind a place."""
        self._agreed()
        return [each for each in self.kept if each.seq > seq][:limit]

    def message(self, reference: str, *, own: bool) -> MessageReceived:
        """The message that is meant."""
        self._agreed()
        for each in reversed(self.kept):
            if (reference == "-1" and each.own is own) or reference == str(each.seq):
                return each
        raise NotFound("message")

    def find(self, message_id: bytes) -> MessageReceived:
        """The message with this id."""
        self._agreed()
        found = next((each for each in self.kept if each.message_id == message_id), None)
        if found is None:
            raise NotFound("message")
        return found

    def reactions(self, message_id: bytes) -> dict[str, list[str]]:
        """Who put which sign."""
        self._agreed()
        return self.signs.get(message_id, {})

    def delivered_to(self, message_id: bytes) -> set[str]:
        """Who has it."""
        self._agreed()
        return self.arrived.get(message_id, set())

    def send(self, text: str, *, action: bool = False, reply_to: bytes | None = None) -> "Deferred[int]":
        """Says something."""
        return self._stored("send", text, action, reply_to)

    def waiting(self) -> list[WaitingMessage]:
        """What is on its way."""
        return self.texts

    def resend(self, message_id: bytes) -> "Deferred[int]":
        """Sends a text again."""
        self.texts = [each for each in self.texts if each.message_id != message_id]
        return self._stored("resend", message_id)

    def discard(self, message_id: bytes) -> None:
        """Gives a text up."""
        self.texts = [each for each in self.texts if each.message_id != message_id]
        self._note("discard", message_id)

    def mark_seen(self, seq: int | None = None) -> None:
        """Moves the marker on this device."""
        self.read = seq if seq is not None else max((each.seq for each in self.kept), default=0)
        self.unread = 0

    def _own(self, message_id: bytes) -> None:
        if any(each.message_id == message_id and not each.own for each in self.kept):
            raise Forbidden("the message of somebody else")

    def edit(self, message_id: bytes, text: str) -> "Deferred[int]":
        """Replaces a text."""
        self._own(message_id)
        return self._stored("edit", message_id, text)

    def delete(self, message_id: bytes) -> "Deferred[int]":
        """Takes a message back."""
        self._own(message_id)
        return self._stored("delete", message_id)

    def react(self, message_id: bytes, emoji: str, *, on: bool = True) -> "Deferred[int]":
        """Puts a sign."""
        return self._stored("react", message_id, emoji, on)

    async def mark_read(self) -> None:
        """Moves the marker."""
        self._note("read")

    async def typing(self) -> None:
        """Somebody types."""
        self._note("typing")

    def accept(self) -> list[MessageReceived]:
        """Agrees."""
        self._note("accept")
        self.offered = False
        return self.kept

    async def refuse(self) -> None:
        """Refuses what was offered."""
        self._note("refuse")
        del self.client.there[self.name]

    async def leave(self) -> None:
        """Leaves."""
        self._note("leave")
        del self.client.there[self.name]

    def _present(self, user: str) -> None:
        if all(each.user != user for each in self.people):
            raise NotFound(user)

    async def invite(self, user: str) -> None:
        """Takes somebody in."""
        if user not in self.client.accounts:
            raise NotFound(user)
        self._note("invite", user)
        if user == "dora":
            self.people.append(member("dora", devices=0))
            raise NotFound("no device is ready yet")

    async def kick(self, user: str) -> None:
        """Puts somebody out."""
        self._present(user)
        self._note("kick", user)

    async def ban(self, user: str) -> None:
        """For good."""
        if user not in self.client.accounts:
            raise NotFound(user)
        self._note("ban", user)

    async def unban(self, user: str) -> None:
        """Lifts it."""
        self._present(user)
        self._note("unban", user)

    async def mute(self, user: str, *, on: bool = True) -> None:
        """Mutes somebody."""
        self._present(user)
        self._note("mute", user, on)

    async def set_role(self, user: str, role: str) -> None:
        """Gives a role."""
        self._present(user)
        self._note("role", user, role)

    async def rename(self, name: str) -> None:
        """Another name."""
        self._note("rename", name)

    async def set_topic(self, topic: str) -> None:
        """Another topic."""
        self._note("topic", topic)

    async def set_slow(self, seconds: int) -> None:
        """Slow mode."""
        self._note("slow", seconds)

    async def set_open(self, *, members_add: bool) -> None:
        """Who may invite."""
        self._note("open", members_add)

    @property
    def history_shared(self) -> bool:
        """What was set last."""
        return [call[2] for call in self.client.calls if call[:2] == (self.name, "history")][-1:] == [True]

    async def set_history(self, *, shared: bool) -> None:
        """Whether newcomers may be given what was said."""
        self._note("history", shared)

    async def share_history(self) -> Exported:
        """Gives newcomers what this device keeps."""
        self._note("share")
        return Exported(5, 2, 1)


class FakePeople:
    """Identities."""

    def __init__(self, client: "FakeClient") -> None:
        self.client, self.number, self.trust = client, NUMBER, "unverified"
        self.user = ""
        self.silent = ["mallory"]
        self.device_ids: tuple[bytes, ...] = DEVICE_IDS
        self.indispensable = False  # the only administrator, on this device

    def _known(self, user: str) -> None:
        if user not in self.client.accounts:
            raise NotFound(user)
        if user == "dora":
            raise BadKey(user)

    def ignore(self, user: str) -> None:
        """Hears somebody no more."""
        if user == "alice":
            raise Forbidden(user)
        if user not in self.client.accounts:
            raise NotFound(user)
        self.client.calls.append(("ignore", user))
        self.silent.append(user)

    def unignore(self, user: str) -> None:
        """Hears them again."""
        if user not in self.silent:
            raise NotFound(user)
        self.silent.remove(user)
        self.client.calls.append(("unignore", user))

    def ignored(self) -> list[str]:
        """Whom."""
        return self.silent

    async def verification(self, user: str) -> Verification:
        """The number."""
        self._known(user)
        return Verification(user, self.number, QR, self.trust)

    async def compare(self, user: str, given: str) -> bool:
        """Whether it is the same."""
        self._known(user)
        self.client.calls.append(("compare", user, given))
        return given.replace(" ", "") in {self.number, QR}

    def accept_identity(self, user: str) -> None:
        """Takes the new one."""
        if self.trust != "changed":
            raise NotFound(user)
        self.client.calls.append(("trust", user))

    async def audit(self, user: str) -> PersonAudit:
        """What the log says about somebody."""
        self._known(user)
        entry = AuditEntry("identity", 0, AT_MS, b"\x11" * 32)
        return PersonAudit(user, "" if user == "alice" else self.trust, (entry,))

    async def devices(self, user: str = "") -> list[DeviceView]:
        """All that are valid."""
        self._known(user or "alice")
        return [DeviceView(user or "alice", each, AT_MS, each == DEVICE_IDS[0]) for each in self.device_ids]


class FakeDevices:
    """Alice's own devices."""

    def __init__(self, client: "FakeClient") -> None:
        self._client = client
        self.rotation_open: tuple[str, ...] = ()
        self.waiting: tuple[DeviceRequest, ...] = (
            DeviceRequest(DEVICE_IDS[1], "ice turkey dish hundred butter until", "CHATSERV-ENROL:", AT_MS),
        )

    async def approve(self, device_id: bytes, *, hand_over: bool = False) -> None:
        """Lets a new one in."""
        self._client.calls.append(("approve", device_id, hand_over))

    async def refuse(self, device_id: bytes) -> None:
        """Turns it away."""
        self._client.calls.append(("refuse_device", device_id))

    async def list(self) -> list[OwnDevice]:
        """All that are valid; the first is this one and holds the identity key."""
        ids = self._client.people.device_ids
        return [
            OwnDevice(each, f"aa{number}", AT_MS, AT_MS, not number, not number, not number, not number)
            for number, each in enumerate(ids)
        ]

    async def rename(self, name: str) -> None:
        """Calls this one otherwise."""
        self._client.calls.append(("rename", name))

    async def share_history(self) -> Exported:
        """Gives the others what this one keeps."""
        if self._client.people.indispensable:
            raise NotFound("another device")
        self._client.calls.append(("share",))
        return Exported(5, 2, 3)

    async def revoke(self, device_id: bytes) -> None:
        """Ends one."""
        if self._client.people.indispensable:
            raise Forbidden("the last administrator")
        self._client.calls.append(("revoke", device_id))


class FakeAccount:
    """Our own account."""

    recovery = "none"

    def __init__(self, client: "FakeClient") -> None:
        self._client = client
        self.refusal = False  # whether the identity key is elsewhere

    async def new_recovery(self, passphrase: str | None = None) -> NewRecovery:
        """A code."""
        if self.refusal:
            raise NoIdentityKey
        self.recovery = "set"
        self._client.calls.append(("recovery", passphrase))
        code = "JJ544-9N2FP-QKEXK-7WC57-8ZVWJ-H3254-89R9D-CQ28D"
        return NewRecovery(code, "CHATSERV-RECOVERY:", f"  {code}")

    async def restore_to_accept(self) -> RestoreToAccept:
        """Something was lost."""
        return RestoreToAccept(1_760_000_000_000, 1_760_000_900_000, 3, ("plans",))

    async def accept_restored(self) -> RestoreToAccept:
        """It is accepted."""
        self._client.calls.append(("accept_restored",))
        return await self.restore_to_accept()

    async def change_password(self, new: str) -> None:
        """Another one."""
        self._client.calls.append(("change_password", new))

    async def delete(self) -> None:
        """The end."""
        if self._client.last_administrator:
            raise Forbidden("the last administrator")
        self._client.calls.append(("delete_account",))


class FakeAdministration:
    """What administrators do."""

    def __init__(self, client: "FakeClient") -> None:
        self._client = client

    def _note(self, *call: Any) -> None:
        if not self._client.is_admin:
            raise Forbidden("administrators")
        self._client.calls.append(call)

    def _about(self, user: str, *call: Any) -> None:
        if user not in self._client.accounts:
            raise NotFound(user)
        self._note(*call)

    async def make_invite(self, name: str = "", *, admin: bool = False) -> ServerLink:
        """A link."""
        self._note("invite", name, admin)
        return ServerLink("chat.example", 5000, b"s" * 32, b"t" * 32)

    async def reset_link(self, user: str) -> ServerLink:
        """Another."""
        self._about(user, "reset", user)
        return ServerLink("chat.example", 5000, b"s" * 32, b"t" * 32)

    async def delete(self, user: str) -> None:
        """Ends one."""
        self._about(user, "delete", user)

    async def accounts(self) -> list[AccountView]:
        """All."""
        return [AccountView("alice", "admin", False, False, AT_MS), AccountView("bob", "user", True, True, AT_MS)]

    async def suspend(self, user: str, *, on: bool = True) -> None:
        """Lets nobody in."""
        self._about(user, "suspend", user, on)

    async def mute(self, user: str, *, on: bool = True) -> None:
        """Takes nothing."""
        self._about(user, "mute", user, on)

    async def set_role(self, user: str, *, admin: bool) -> None:
        """Makes an administrator."""
        self._about(user, "set_role", user, admin)

    async def ban(self, kind: str, subject: str, *, on: bool = True) -> None:
        """Keeps off."""
        if subject in {"198.51.100.7", "root"}:
            raise Forbidden("ban")
        self._note("ban", kind, subject, on)

    async def bans(self) -> list[BanView]:
        """All."""
        return self._client.bans

    async def operate(self, name: str) -> dict[str, Any]:
        """Does it, but for a reload."""
        self._note("operate", name)
        if name == "reload":
            return {"error": {"code": "settings", "text": "x\x1b: wrong"}}
        return {
            "result": {
                "sessions": 3,
                "mending": False,
                "none": [],
                "listening": ["a", "b"],
                "nodes": [{"node": "aa1", "sessions": 2}, {"node": "aa2"}],
                "nested": {"x": "\u202e"},
            },
            "code": 0,
        }

    async def announce(self, text: str) -> None:
        """Tells all."""
        self._note("announce", text)


class FakeClient(FakeFiles):
    """Alice's client: in the lobby, in #plans, in direct messages with bob; #offer and @eve wait for her."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.accounts = {"alice", "bob", "carol", "dora", "eve"}
        self.is_admin = True
        self.bans: list[BanView] = []
        self.stored: Deferred[int] | None = None  # what a send gives, where it is not stored at once
        self.public: list[PublicRoom] = [PublicRoom(b"r" * 16, "news", "what is new", 7)]
        self.there: dict[str, FakeRoom] = {}
        for name in ("lobby", "plans", "@bob"):
            self.add(name)
        self.there["lobby"].public = True
        self.add("offer").offered = True
        self.people, self.admin = FakePeople(self), FakeAdministration(self)
        self.account, self.devices, self.last_administrator = FakeAccount(self), FakeDevices(self), False
        self.keyring = type("Keyring", (), {"user": "alice"})()
        self.user = "alice"
        self.addresses: tuple[str, ...] = ("chat.example:5000",)
        self.archive_limit = 100_000
        self.server_keeps = RetentionChanged(0, 0)
        self.imported = Imported(5, 1, 2, 0, 3, (RefusedLine(7, "wrong"),), 1, whole=False)
        self.unacknowledged, self.distrusted = 0, False
        self.refusal: Exception | None = None  # why the server did not store the last message

    @property
    def address(self) -> str:
        """Where we are."""
        return self.addresses[0]

    async def audit(self) -> Audit:
        """What the log says about us."""
        return Audit(42, bytes(32), now_ms(), (), False, "", (await self.people.audit("alice"),))

    def set_archive_limit(self, messages: int) -> int:
        """Keeps so many."""
        self.calls.append(("keep", messages))
        return 7

    async def export_history(self, path: str, room: str = "") -> Exported:
        """Writes a file."""
        self.calls.append(("export", path) + ((room,) if room else ()))
        return Exported(5, 2, 3)

    async def import_history(self, path: str) -> Imported:
        """Reads one."""
        self.calls.append(("import", path))
        return self.imported

    def search(self, words: str, room: str = "", limit: int = 50) -> list[MessageReceived]:
        """Messages that hold these words, the newest first."""
        there = [each for name, one in self.there.items() if room in {"", name} for each in one.kept]
        return [each for each in reversed(there) if words in (each.text or "")][:limit]

    def add(self, name: str, **fields: Any) -> FakeRoom:
        """One more room."""
        room = self.there[name] = FakeRoom(self, name, **fields)
        return room

    def storing(self) -> "Deferred[int]":
        """What a message that is sent gives."""
        return succeed(1) if self.stored is None else self.stored

    @property
    def rooms(self) -> list[str]:
        """Names."""
        return sorted(self.there)

    def handles(self) -> list[FakeRoom]:
        """All of them."""
        return [self.there[name] for name in self.rooms]

    def room(self, name: str) -> FakeRoom:
        """One of them."""
        found = self.there.get(name) or self.there.get(name.removeprefix("#").lower())
        if found is None:
            raise NotMember(name)
        return found

    async def create_room(self, name: str, *, public: bool = False, topic: str = "") -> FakeRoom:
        """One more."""
        if name in self.there:
            raise NameTaken(name)
        self.calls.append(("create", name, public, topic))
        return self.add(name, public=public, topic=topic)

    async def join(self, name: str) -> FakeRoom:
        """A public one."""
        bare = name.removeprefix("#")
        if all(room.name != bare for room in self.public):
            raise NotFound(name)
        self.calls.append(("join", bare))
        return self.add(bare, public=True, role="member")

    async def direct(self, user: str) -> FakeRoom:
        """Direct messages."""
        if user not in self.accounts:
            raise NotFound(user)
        if user == "dora":
            raise BadKey(user)
        self.calls.append(("direct", user))
        return self.there.get(f"@{user}") or self.add(f"@{user}")

    async def public_rooms(self) -> list[PublicRoom]:
        """All of them."""
        return self.public

    async def set_away(self, *, away: bool) -> None:
        """Presence."""
        self.calls.append(("away", away))

    def follow(self, wanted: bool = True) -> None:
        """Whether to show messages."""

    def unfollow(self) -> None:
        """Wants no more messages."""

    def forget_unsent(self) -> int:
        """Gives up."""
        self.calls.append(("forget",))
        return 0
