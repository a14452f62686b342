"""Everything that is no message, on a line."""

from typing import Any, get_args

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import (
    Alarm,
    ClientEvent,
    DeviceAsks,
    DeviceGone,
    DeviceSeen,
    FileGone,
    HistoryReceived,
    IdentityChanged,
    Imported,
    KeysBroken,
    fingerprint_text,
    moment,
)
from chatserv.client.events import (
    Announced,
    ArchiveFull,
    Delivered,
    GapSeen,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessagesExpired,
    MessagesMissing,
    OtherServer,
    PresenceSeen,
    Reacted,
    ReadMoved,
    RetentionChanged,
    RoomChanged,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomRewound,
    RoomTitled,
    RotationDone,
    RotationOpen,
    SendAcknowledged,
    SendDelayed,
    SendFailed,
    SendHeld,
    SendQueued,
    ServerKeyChanged,
    ServerRestored,
    Status,
    StatusChanged,
    TypingSeen,
)
from chatserv.client.file_events import FileProgress, FileState
from chatserv.errors import Muted, StorageFull
from clients.shared.event_text import news
from tests.client.slash_fakes import AT_MS, message
from tests.clients.shared.test_event_text import HOSTILE

ID = b"\1" * 16
KNOWN = message(7, "how are you")


def change(*lines: tuple[str, tuple[str, ...]], by: str = "alice") -> RoomChanged:
    """A commit."""
    return RoomChanged("plans", by, lines)


def rules(*changed: tuple[str, bool | int | str]) -> RoomChanged:
    """A commit that sets rules."""
    return RoomChanged("plans", "alice", (("policy", ()),), rules=changed)


RULES = "#plans: alice changed the room's rules."
# What happens, and what is told of it: to carol, who has message 7 of the lobby.
TOLD: list[tuple[ClientEvent, list[str]]] = [
    (MessageEdited("lobby", ID, "bob", "well?"), [f"#lobby: bob edited a message ({moment(AT_MS)}): well?"]),
    (MessageEdited("lobby", b"?" * 16, "bob", "well?"), ["#lobby: bob edited an older message: well?"]),
    (MessageDeleted("@bob", ID, "bob"), [f"@bob: bob deleted a message ({moment(AT_MS)})."]),
    (MessageDeleted("lobby", ID, "eve"), [f"#lobby: eve deleted a message from bob ({moment(AT_MS)})."]),
    (MessageDeleted("lobby", b"?" * 16, "eve"), ["#lobby: eve deleted an older message."]),
    (Reacted("lobby", ID, "eve", "+1", on=True), ["#lobby: eve reacted with +1 to bob: how are you"]),
    (Reacted("lobby", ID, "eve", "+1", on=False), ["#lobby: eve removed +1 from bob: how are you"]),
    (Reacted("lobby", b"?" * 16, "eve", "+1", on=True), ["#lobby: eve reacted with +1 to an older message"]),
    (RoomOffered("plans", "bob"), ["bob invites you to #plans: /accept #plans or /refuse #plans"]),
    (RoomOffered("@bob", "bob"), ["bob wants to chat with you: /accept @bob or /refuse @bob"]),
    (RoomJoined("plans"), ["You joined #plans."]),
    (RoomLeft("plans"), ["You are no longer in #plans."]),
    (RoomLeft("plans", "carol"), ["You are no longer in #plans."]),
    (RoomLeft("plans", "bob"), ["bob removed you from #plans."]),
    (RoomTitled("ideas", "plans", "t", "bob"), ["bob renamed #plans to #ideas; topic: t"]),
    (RoomTitled("plans", "plans", "t", "bob"), ["#plans: bob changed the topic to: t"]),
    (change(("joined", ("bob", "eve"))), ["#plans: alice added bob, eve."]),
    (change(("joined", ("bob",)), by="bob"), ["#plans: bob joined."]),
    (change(("left", ("bob",))), ["#plans: bob left."]),
    (change(("kicked", ("bob",)), ("banned", ("eve",))),
     ["#plans: alice removed bob.", "#plans: alice banned eve."]),
    (change(("unbanned", ("eve",))), ["#plans: alice unbanned eve."]),
    (change(("muted", ("bob",))), ["#plans: alice muted bob."]),
    (change(("unmuted", ("bob",))), ["#plans: alice unmuted bob."]),
    (change(("owner", ("bob",))), ["#plans: alice changed the role of bob to owner."]),
    (change(("moderator", ("bob",))), ["#plans: alice changed the role of bob to moderator."]),
    (change(("member", ("bob",))), ["#plans: alice changed the role of bob to member."]),
    (change(("devices", ())), ["#plans: alice updated the list of devices."]),
    (change(("policy", ())), ["#plans: alice changed the room's rules, name or topic."]),
    (rules(("history", True)), [
        f"{RULES} Moderators and owners can give newcomers what was said before "
        "(/share-history)."
    ]),
    (rules(("history", False), ("members_add", True)), [
        f"{RULES} Newcomers read what is said from then on. Every member can now invite others."
    ]),
    (rules(("slow_seconds", 10)), [f"{RULES} Slow mode: members wait 10 s between messages."]),
    (rules(("slow_seconds", 0), ("members_add", False)), [
        f"{RULES} Slow mode is off. Only moderators and owners can now invite others."
    ]),
    (rules(("name", "ideas"), ("topic", "{by}\n/x")), [
        f"{RULES} New name: #ideas. New topic: {{by}}⏎/x"
    ]),
    (rules(("public", False), ("name", ""), ("topic", "")), [
        f"{RULES} Only who is invited can join. Its name is no longer public. There is no topic."
    ]),
    (rules(("public", True), ("max_devices", 7), ("rotate_seconds", 60), ("rotate_messages", 5)), [
        f"{RULES} Anybody can join. Devices that the room takes: 7. New keys after 60 s. New "
        "keys after 5 messages."
    ]),
    (rules(("of a later version", 1), ("slow_seconds", 0)), [
        "#plans: alice changed the room's rules, name or topic. Slow mode is off."
    ]),
    (change(("rotated", ())), []),
    (RoomRewound("lobby", 9, 4), ["#lobby: The server lost messages of this room; what is left may be shown again."]),
    (
        RoomRewound("lobby", 9, 4, stopped=True),
        [
            "#lobby: The server lost changes of this room that you have seen: nothing can be sent or shown here any more. "
            "Make a new room and invite the others, or ask whoever runs the server."
        ],
    ),
    (
        ArchiveFull("lobby", 500),
        [
            "#lobby: this device has reached the 500 messages of a room that it keeps; with each new one the oldest goes. "
            "/keep changes that."
        ],
    ),
    (MessagesExpired("lobby", 3, 5), ["#lobby: Older messages are gone by the server's rule: 3."]),
    (RetentionChanged(7776000.0, 0), ["The server deletes messages that are older than 90 days."]),
    (RetentionChanged(7200.0, 0), ["The server deletes messages that are older than 2 hours."]),
    (RetentionChanged(0.0, 5 * 2**30), ["The server deletes the oldest messages while it has more than 5,120 MB."]),
    (RetentionChanged(0.0, 0), ["The server keeps messages for ever."]),
    (RetentionChanged(172800.0, 2**20), [
        "The server deletes messages that are older than 2 days, and the oldest while it has more than 1 MB."]),
    (GapSeen("lobby", 3, 5), ["#lobby: Messages missing here: 3. The server lost or withheld them."]),
    (
        GapSeen("lobby", 3, 5, backup_ms=1_760_000_000_000),
        [
            "#lobby: Messages missing here: 3. The server lost or withheld them. The server says that it was restored from "
            f"a backup of {moment(1_760_000_000_000)}: that may be the reason, or what somebody says who hides something. "
            "/accept-restored says more."
        ],
    ),
    (
        ServerRestored(1_760_000_000_000, 1_760_000_900_000, mending=True),
        [
            f"The server says that it was restored on {moment(1_760_000_900_000)} from a backup of "
            f"{moment(1_760_000_000_000)}. It is getting back what it lacks from people's devices, from this one too; until "
            "then it stores nothing. What you write waits."
        ],
    ),
    (MessagesMissing("lobby", "bob", 2),
     ["#lobby: Messages of bob are missing (2): the server lost or withheld them, or bob never sent them."]),
    (MessagesMissing("lobby", "bob", 2, "dave"),
     ["#lobby: Messages of bob are missing (2), as dave says: the server lost or withheld them, or dave made them up."]),
    (MessagesMissing("lobby", "carol", 2),
     ["#lobby: Messages of yours that never arrived here, although the server had confirmed them: 2. It lost or withheld"
      " them; send them again."]),
    (MessagesMissing("lobby", "carol", 2, "bob"),
     ["#lobby: Messages of yours that bob did not get, although the server had confirmed them: 2. It lost or withheld them,"
      " or bob cannot read them. Ask bob, and send them again."]),
    (KeysBroken("lobby", "bob"),
     ["#lobby: bob changed the room with keys that do not work here. The room gets new ones automatically. If it "
      "happens again, ask bob why; a moderator can remove them from the room."]),
    (SendFailed(ID, Muted(by="room")), ["Not sent: You are muted and cannot write here. This is a rule of the room."]),
    (SendDelayed("lobby", StorageFull()), ["#lobby: The server's disk is full; nothing was stored. Trying again..."]),
    (TypingSeen("lobby", "bob"), ["bob is typing in #lobby"]),
    (PresenceSeen("bob", "away"), ["bob is away"]),
    (PresenceSeen("bob", "online"), ["bob is online"]),
    (PresenceSeen("bob", "offline"), ["bob is offline"]),
    (DeviceSeen("bob", b"\xab" * 16), ["bob has a new device: abababab"]),
    (DeviceSeen("carol", b"\xab" * 16),
     ["Your account has another device now: abababab. If that was not you, revoke it with /revoke abababab, and make a "
      "new recovery code with /recovery."]),
    (DeviceAsks(ID, "ice turkey dish hundred butter until"),
     ["A new device has logged in with your password. If it is yours and shows the same six words, type /approve and "
      "the words; if not, type /approve no, and change your password with /password.",
      "  ice turkey dish hundred butter until"]),
    (ServerKeyChanged(bytes(32)), ["The server has a new key, signed with the previous one: there is nothing to do. Its "
        f"fingerprint: {fingerprint_text(bytes(32))}"]),
    (OtherServer("b.example:5000"),
     ["What answers at b.example:5000 is not your server: it cannot show the server's key. Nothing was sent there, and the "
      "server's other addresses are tried. Either its operator has named a wrong address, or somebody is in the middle "
      "there: tell whoever runs the server."]),
    (HistoryReceived("old", Imported(5, 1, left_out=2, whole=True)),
     ["Your device old has shared its messages.", "Messages imported: 5.", "Messages that were here already: 1.",
      "Left out, as nothing proves who wrote them: 2."]),
    (HistoryReceived("old", None, FileGone()),
     ["Your device old has shared its messages, and they could not be had: The server does not have this file any more."]),
    (HistoryReceived("", Imported(5, whole=True), None, "plans", "bob", bytes(16)),
     ["bob has shared what was said in #plans before.", "Messages imported: 5."]),
    (HistoryReceived("", None, FileGone(), "plans", "bob", bytes(16)),
     ["bob has shared what was said in #plans before, and it could not be had: The server does not have this file any"
      " more."]),
    (RotationDone(), ["Your identity key was renewed, signed with the previous one: nobody has to verify you again. Your"
                      " recovery code no longer works: type /recovery for a new one."]),
    (RotationOpen(("phone", "pad")),
     ["phone, pad had your identity key when it was revoked, and the key is still in use. Start chatserv on one of your"
      " devices that has it: it gets renewed automatically. /devices shows which."]),
]  # fmt: skip
BEGINNINGS: list[tuple[ClientEvent, str]] = [
    (
        SendHeld("lobby", ("bob", "eve")),
        "#lobby: The identity of bob, eve has changed; nothing is sent until you have checked it",
    ),
    (Announced("we move", 0), "Announcement from the server's administrators, not end-to-end encrypted: we move"),
    (IdentityChanged("bob", was_verified=False), "WARNING: bob has a new identity key: a new account"),
    (IdentityChanged("bob", was_verified=True), "WARNING: bob, whom you had verified, has a new identity key."),
    (Alarm("log_forked"), "ALARM: the server breaks the rules: it shows different logs"),
    (Alarm("room_forked"), "ALARM: the server breaks the rules: it shows different members"),
    (Alarm("bad_commit", "plans: x"), "ALARM: the server breaks the rules: it passed on a change"),
    (Alarm("unknown_device"), "ALARM: the log lists a device of yours"),
    (Alarm("old_log"), "ALARM: the server breaks the rules: its log"),
    (Alarm("false_statement"), "ALARM: the server breaks the rules: it says that a device was revoked"),
    (Alarm("false_rotation"), "ALARM: the server breaks the rules: it says that somebody has a new identity"),
    (
        IdentityChanged("bob", True, accepted_on="phone"),
        "bob has a new identity key, which was accepted on your device",
    ),
    (IdentityChanged("bob", True, signed=True), "bob has a new identity key, signed with the previous one"),
    (Alarm("new_trouble", "why"), "ALARM: the server breaks the rules: new_trouble (why)"),
]
SILENT: list[ClientEvent] = [
    DeviceGone(ID),
    Delivered("lobby", "bob", (ID,)),
    SendQueued("lobby", ID, "so", 0),
    SendAcknowledged(ID, 1),
    FileProgress("lobby", ID, 1, 2, "up", FileState.MOVING),
    ReadMoved("lobby", "bob", 3),
    StatusChanged(Status.ONLINE),
    message(1),
]


def find(room: str, message_id: bytes) -> MessageReceived | None:
    """Of all messages, this one is kept."""
    del room
    return KNOWN if message_id == ID else None


class NewsTests(SynchronousTestCase):
    """`clients.shared.event_text.news`."""

    def test_told(self) -> None:
        """Each event has its lines."""
        for event, lines in TOLD:
            self.assertEqual(news(event, find, "carol"), lines, event)
        for event, start in BEGINNINGS:
            (line,) = news(event, find, "carol")
            self.assertTrue(line.startswith(start), line)

    def test_silent(self) -> None:
        """What a line interface does not show has none."""
        for event in SILENT:
            self.assertEqual(news(event, find), [], event)

    def test_every_event(self) -> None:
        """The tables here hold every kind of event that there is."""
        here = {type(event) for event, _ in [*TOLD, *BEGINNINGS]} | {type(event) for event in SILENT}
        self.assertEqual(here, set(get_args(ClientEvent)))

    def test_hostile(self) -> None:
        """Whatever others choose, each line stays one line, and no terminal obeys it."""
        for text in HOSTILE.values():
            events: list[Any] = [
                MessageEdited(text, ID, text, text),
                MessageDeleted(text, ID, text),
                Reacted(text, ID, text, text, on=True),
                RoomOffered(text, text),
                RoomJoined(text),
                RoomLeft(text, text),
                RoomTitled(text, "x", text, text),
                RoomTitled(text, text, text, text),
                RoomChanged(text, text, (("joined", (text,)), ("kicked", (text, text)), (text, (text,)))),
                MessagesMissing(text, text, 1),
                KeysBroken(text, text),
                SendHeld(text, (text,)),
                PresenceSeen(text, text),
                Announced(text, 0),
                IdentityChanged(text, was_verified=True),
                DeviceSeen(text, b"x" * 16),
                RotationOpen((text,)),
                Alarm(text, text),
            ]
            hostile = message(1, text, text)
            for event in events:
                for line in news(event, lambda _room, _id, found=hostile: found):  # type: ignore[misc]
                    self.assertEqual(len(line.splitlines()), 1, repr(line))
                    self.assertFalse(any(ord(each) < 32 or 0x7F <= ord(each) < 0xA0 for each in line), repr(line))
                    self.assertNotIn("\u202e", line)
