"""What each slash command does, one by one."""

from dataclasses import replace
from typing import Any, cast

from chatserv.client.admin import BanView
from chatserv.client.client import Client
from chatserv.client.outbound.pending import FAILED, WaitingMessage
from chatserv.client.slash.dispatcher import COMMANDS, Slash
from chatserv.errors import Forbidden, Muted
from chatserv.wire.messages import PublicRoom
from tests.client.file_fakes import attachment
from tests.client.slash.test_dispatcher import SlashTestCase
from tests.client.slash_fakes import AT_MS, DEVICE_IDS, NUMBER, QR, member, message

ID_1, ID_2 = b"\1" * 16, b"\2" * 16

# What is typed in the lobby, where message 1 is alice's and 2 is bob's: what the library is asked for, and what is shown.
EFFECTS: dict[str, list[tuple[str, list[tuple[Any, ...]], str]]] = {
    "help": [
        ("/help", [], r"/who - shows who is in the room"),
        ("/help who", [], r"^/who\n  shows who is in the room"),
    ],
    "quit": [("/quit", [], r"^$"), ("/QUIT", [], r"^$")],
    "room": [("/room #plans", [], "now in #plans"), ("/room @bob", [], "now in @bob")],
    "rooms": [("/rooms", [], r"^#news  members: 7  what is new$")],
    "list": [
        (
            "/list",
            [],
            r"^  @bob\n\* #lobby  owner, public\n  #offer  invited: /accept #offer or /refuse #offer\n  #plans  owner$",
        )
    ],
    "create": [
        ("/create new", [("create", "new", False, "")], "only its members know"),
        ("/create new a topic", [("create", "new", False, "a topic")], "now in #new"),
    ],
    "create-public": [("/create-public new t", [("create", "new", True, "t")], "the server knows its name and topic")],
    "join": [("/join news", [("join", "news")], "now in #news"), ("/join #news", [("join", "news")], "now in #news")],
    "part": [
        ("/part yes", [("lobby", "leave")], "no longer in #lobby"),
        ("/part #lobby yes", [("lobby", "leave")], "no longer in #lobby"),
        ("/part plans yes", [("plans", "leave")], "no longer in #plans"),
    ],
    "msg": [
        ("/msg bob", [("direct", "bob")], "now in @bob"),
        ("/msg @bob hi  you", [("direct", "bob"), ("@bob", "send", "hi  you", False, None)], "now in @bob"),
        ("/msg carol", [("direct", "carol")], "now in @carol"),
    ],
    "accept": [
        ("/accept", [("offer", "accept")], "now in #offer"),
        ("/accept #offer", [("offer", "accept")], "now in #offer"),
    ],
    "refuse": [("/refuse", [("offer", "leave")], "no longer in #offer")],
    "who": [("/who", [], r"^alice  owner, online, not verified, devices: 1\nbob  member, online")],
    "me": [("/me waves", [("lobby", "send", "waves", True, None)], r"^$")],
    "reply": [
        ("/reply 1 yes, so", [("lobby", "send", "yes, so", False, ID_1)], r"^$"),
        ("/reply -1 no", [("lobby", "send", "no", False, ID_2)], r"^$"),
    ],
    "edit": [
        ("/edit 1 so", [("lobby", "edit", ID_1, "so")], r"^$"),
        ("/edit -1 so", [("lobby", "edit", ID_1, "so")], r"^$"),
    ],
    "delete": [("/delete 1", [("lobby", "delete", ID_1)], r"^$"), ("/delete -1", [("lobby", "delete", ID_1)], r"^$")],
    "react": [("/react 2 +1", [("lobby", "react", ID_2, "+1", True)], r"^$")],
    "unreact": [("/unreact -1 +1", [("lobby", "react", ID_2, "+1", False)], r"^$")],
    "log": [("/log", [], r"^ +1 \[..:..\] <alice> hello\n +2 \[..:..\] <bob> hello$"), ("/log 1", [], "^ +2 .* <bob>")],
    "show": [
        ("/show 1", [], r"^\[..:..\] <alice>\n {8}hello$"),
        ("/show -1", [], r"^\[..:..\] <bob>\n {8}hello$"),
    ],
    "search": [
        ("/search ell", [], r"^2025-10-\d\d \[..:..\] #lobby <alice> hello\n2025-10-\d\d .* #lobby <bob> hello$"),
        ("/search nowhere", [], "No message on this device"),
    ],
    "file": [  # refused where there is none, as tests.client.slash.test_files says with files that are there
        ("/file /dev/null", [("lobby", "send_file", "/dev/null", "")], r"^Sending null \(0 B\)\. .* 100 MB .* 30 days"),
        ("/file /dev/null so it  is", [("lobby", "send_file", "/dev/null", "so it  is")], "Sending null"),
    ],
    "files": [
        (
            "/files",
            [],
            r"^report\.pdf  2\.1 MB, until 2025-10-\d\d  #plans\n"
            r"\(sent from another device\)  7\.0 MB, not complete: 500 kB, until .*\n"
            r"The server has 2\.6 MB of yours, of at most 1\.0 GB\.\nFiles of up to",
        ),
    ],
    "save": [("/save 2 /tmp", [("lobby", "save_file", ID_2, "/tmp")], r"^Saved: /tmp/report\.pdf$")],
    "pause": [
        ("/pause", [("lobby", "pause_file", ID_2)], r"^Paused: report\.pdf \(2\.1 MB, PDF\)\. /pause goes on\.$"),
        ("/pause 2", [("lobby", "pause_file", ID_2)], "Paused"),
    ],
    "keep": [
        ("/keep", [], r"each room: 100000\.\nThe server keeps messages for ever\.$"),
        ("/keep 500", [("keep", 500)], r"each room: 500\.\nOlder messages that were removed from it: 7\.$"),
    ],
    "export": [
        (
            "/export /tmp/all of it",
            [],
            r"(?s)^/tmp/all of it will hold .*sealed.*\nTo do it: /export /tmp/all of it yes$",
        ),
        (
            "/export /tmp/all of it yes",
            [("export", "/tmp/all of it")],
            r"^Messages written to /tmp/all of it: 5\.\nOf these without proof of who wrote them: 2\.$",
        ),
    ],
    "import": [
        (
            "/import /tmp/all of it",
            [("import", "/tmp/all of it")],
            r"(?s)^Messages imported: 5\..*already: 1\..*marked: 2\..*have: 3\..*forged: 1\.\nLine 7: wrong\n.*early",
        ),
    ],
    "share-history": [
        ("/share-history", [("share",)], r"^Messages shared .*: 5\.\nLeft out, as nothing proves who wrote them: 2\.$"),
        ("/share-history #lobby", [("lobby", "share")], r"^Messages shared in #lobby: 5\.\nLeft out, .*: 2\.$"),
    ],
    "resend": [("/resend", [("lobby", "resend", ID_1)], r"^$")],
    "discard": [("/discard", [("lobby", "discard", ID_1)], "Discarded: 1")],
    "read": [("/read", [("lobby", "read")], r"^$")],
    "typing": [("/typing", [("lobby", "typing")], r"^$")],
    "away": [("/away", [("away", True)], "away")],
    "back": [("/back", [("away", False)], "online")],
    "invite": [("/invite @Carol", [("lobby", "invite", "carol")], r"^$")],
    "kick": [("/kick bob", [("lobby", "kick", "bob")], r"^$")],
    "ban": [("/ban carol", [("lobby", "ban", "carol")], r"^$")],
    "unban": [("/unban bob", [("lobby", "unban", "bob")], r"^$")],
    "mute": [("/mute bob", [("lobby", "mute", "bob", True)], r"^$")],
    "unmute": [("/unmute bob", [("lobby", "mute", "bob", False)], r"^$")],
    "role": [
        (f"/role bob {role}", [("lobby", "role", "bob", role)], r"^$") for role in ("owner", "moderator", "member")
    ],
    "topic": [
        ("/topic", [], "#lobby has no topic"),
        ("/topic of today", [("lobby", "topic", "of today")], "The server knows name and topic"),
    ],
    "name": [("/name ideas", [("lobby", "rename", "ideas")], "The server knows name and topic")],
    "slow": [("/slow 5", [("lobby", "slow", 5)], "wait 5 s"), ("/slow 0", [("lobby", "slow", 0)], "off")],
    "open": [
        ("/open on", [("lobby", "open", True)], "Every"),
        ("/open off", [("lobby", "open", False)], "owners can now"),
    ],
    "history": [
        ("/history on", [("lobby", "history", True)], "can give newcomers"),
        ("/history", [], "can give newcomers|from then on"),
        ("/history off", [("lobby", "history", False)], "from then on"),
    ],
    "verify": [
        (
            "/verify bob",
            [],
            rf"(?s){QR}\n.*not verified yet.*with bob:\n  00000 00001 00002 00003\n  .*/verify bob yes",
        ),
        (f"/verify bob {NUMBER}", [("compare", "bob", NUMBER)], "bob is verified"),
        (f"/verify bob {QR}", [("compare", "bob", QR)], "bob is verified"),
    ],
    "ignore": [
        ("/ignore @Eve", [("ignore", "eve")], "no longer see what eve writes"),
        ("/ignore", [], "^You are ignoring: mallory.$"),
    ],
    "unignore": [("/unignore mallory", [("unignore", "mallory")], "see what mallory writes again")],
    "trust": [("/trust eve", [("trust", "eve")], "accepted but not verified")],
    "accept-restored": [
        ("/accept-restored", [], "(?s)restored on .*from a backup of .*would forget: 3\nRooms on hold: plans\n"),
        ("/accept-restored yes", [("accept_restored",)], "Accepted on this device"),
    ],
    "audit": [
        (
            "/audit",
            [],
            r"^The server's log: 42 entries, signed .*\nYou:\n  2025-10-\d\d  identity 1{16}, the first one$",
        ),
        ("/audit bob", [], r"^bob \(not verified\):\n"),
    ],
    "devices": [
        (
            "/devices",
            [],
            r"^aa110000  aa0  since 2025-10-\d\d, online now, has your identity key  \(this one\)\n"
            r"aa220000  aa1  since 2025-10-\d\d, last seen 2025-10-\d\d \d\d:\d\d",
        ),
        ("/devices bob", [], r"^aa110000  bob"),
        ("/devices rename my desk", [("rename", "my desk")], "now called my desk"),
        ("/devices revoke aa22", [], "/revoke aa220000 yes"),
        ("/devices revoke aa22 yes", [("revoke", DEVICE_IDS[1])], "Revoked"),
    ],
    "revoke": [
        ("/revoke AA22", [], "/revoke aa220000 yes"),
        ("/revoke aa11", [], "has your identity key, or may have it: that gets renewed too"),
        ("/revoke aa22", [], "could know your password, change that too"),
        ("/revoke aa22 yes", [("revoke", DEVICE_IDS[1])], "could know your password, change that too"),
        ("/revoke aa22 yes", [("revoke", DEVICE_IDS[1])], "Revoked"),
    ],
    "recovery": [
        ("/recovery", [("recovery", None)], r"JJ544-9N2FP"),
        ("/recovery passphrase", [("recovery", "secret")], r"JJ544-9N2FP"),
    ],
    "approve": [
        ("/approve", [], r"/approve ice turkey dish hundred butter until"),
        ("/approve Ice turkey  dish hundred butter until", [("approve", DEVICE_IDS[1], False)], "Approved"),
        ("/approve with-identity ice turkey dish hundred butter until", [("approve", DEVICE_IDS[1], True)], "Approved"),
        ("/approve no", [("refuse_device", DEVICE_IDS[1])], "Refused"),
    ],
    "password": [("/password", [("change_password", "secret")], "is changed")],
    "delete-account": [
        ("/delete-account", [], "type /delete-account alice"),
        ("/delete-account alic", [], "type /delete-account alice"),
        ("/delete-account @Alice", [("delete_account",)], "is gone"),
    ],
    "invite-link": [
        ("/invite-link", [("invite", "", False)], r"^chatserv://\S+$"),
        ("/invite-link Carol", [("invite", "carol", False)], r"^chatserv://\S+$"),
        ("/invite-link admin", [("invite", "", True)], r"^chatserv://\S+$"),
        ("/invite-link carol admin", [("invite", "carol", True)], r"^chatserv://\S+$"),
    ],
    "reset-identity": [
        ("/reset-identity Carol", [], "IS carol from then on"),
        ("/reset-identity carol yes", [("reset", "carol")], r"in person, and to nobody else.*\nchatserv://\S+$"),
    ],
    "delete-user": [
        ("/delete-user Carol", [], "ends for good"),
        ("/delete-user carol yes", [("delete", "carol")], "carol is gone"),
    ],
    "accounts": [("/accounts", [], r"^alice  administrator, since .*\nbob  user, suspended, muted, since ")],
    "suspend": [("/suspend bob", [("suspend", "bob", True)], "bob is suspended")],
    "unsuspend": [("/unsuspend bob", [("suspend", "bob", False)], "no longer suspended")],
    "server-mute": [("/server-mute bob", [("mute", "bob", True)], "bob is muted")],
    "server-unmute": [("/server-unmute bob", [("mute", "bob", False)], "no longer muted")],
    "server-ban": [
        ("/server-ban address 192.0.2.7", [("ban", "address", "192.0.2.7", True)], "192.0.2.7 is banned"),
        ("/server-ban address 2001:DB8::/32", [("ban", "address", "2001:db8::/32", True)], "is banned"),
        ("/server-ban account Bob", [("ban", "account", "bob", True)], "bob is banned"),
    ],
    "server-unban": [("/server-unban account bob", [("ban", "account", "bob", False)], "no longer banned")],
    "bans": [("/bans", [], r"^address 192\.0\.2\.0/24  by alice, 2025-10-\d\d$")],
    "grant": [("/grant bob", [("set_role", "bob", True)], "now an administrator")],
    "revoke-admin": [("/revoke-admin bob", [("set_role", "bob", False)], "no longer an administrator")],
    "server": [
        (
            "/server status",
            [("operate", "status")],
            r"mending: no\n(?s:.*)nodes: node: aa1, sessions: 2\nnodes: node: aa2\n",
        ),
        ("/server backup", [("operate", "backup")], "listening: a, b"),
        ("/server drain", [], "To do it: /server drain yes"),
        ("/server drain yes", [("operate", "drain")], "nested, x: \ufffd"),
    ],
    "announce": [("/announce we move", [("announce", "we move")], "without end-to-end encryption")],
}


class EffectsTests(SlashTestCase):
    """The table above, and what it leaves out."""

    def setUp(self) -> None:
        """Something was said in the lobby."""
        super().setUp()
        self.client.there["lobby"].kept = [message(1, sender="alice"), message(2)]
        failed, sending = (WaitingMessage(each, "so", False, None, AT_MS) for each in (ID_1, ID_2))
        self.client.there["lobby"].texts = [replace(failed, state=FAILED, error=Muted()), sending]
        self.client.bans = [BanView("address", "192.0.2.0/24", "alice", AT_MS)]

    def test_every_command(self) -> None:
        """Every command has its effect, and every one is in the table."""
        self.assertEqual(set(EFFECTS), set(COMMANDS))
        for name, cases in EFFECTS.items():
            for line, calls, shown in cases:
                with self.subTest(line):
                    self.setUp()
                    self.client.people.trust = "changed" if name == "trust" else "unverified"
                    if name in {"save", "pause"}:
                        self.client.there["lobby"].kept[1] = message(2, file=attachment(2, state="moving"))
                    if name not in {"resend", "discard"}:
                        self.client.there["lobby"].texts = []
                    self.assertRegex("\n".join(self.run_line(line)), shown)
                    self.assertEqual(self.client.calls, calls)

    def test_server_at_which_address(self) -> None:
        """Where it can be reached at several, the answer says which one has been asked."""
        self.assertNotIn("Server:", "\n".join(self.run_line("/server status")))
        self.client.addresses = ("b.example:5000", "a.example:5000")
        self.assertEqual("Server: b.example:5000", self.run_line("/server status")[0])

    def test_own_account_refused(self) -> None:
        """Secrets that differ, words that are not shown, nobody who waits, a program that cannot ask: nothing is done."""
        answers = iter(["one", "other", "one", "other"])

        async def ask(_question: str) -> str:
            return next(answers)

        self.slash.ask_secret = ask
        self.assert_refused("/password", "not the same")
        self.assert_refused("/recovery passphrase", "not the same")
        self.slash.ask_secret = None
        self.assert_refused("/password", "on a terminal or in a window")
        self.assert_refused("/approve ice turkey dish hundred butter", "do not approve it")
        self.client.devices.waiting = ()
        self.assert_refused("/approve", "No new device")
        self.client.last_administrator = True
        self.assert_refused("/delete-account alice", "/grant USER")

    def test_quit(self) -> None:
        """``/quit`` is the program's own."""
        self.run_line("/quit")
        self.assertEqual(self.quits, ["quit"])

    def assert_refused(self, line: str, words: str) -> None:
        """A line that does nothing but say why."""
        before = list(self.client.calls)
        self.assertIn(words, self.refusal(line))
        self.assertEqual(self.client.calls, before)

    # -- rooms ---------------------------------------------------------------------------------------------------------

    def test_where_one_is(self) -> None:
        """Commands that go to another room make it the current one; leaving the current one goes to the lobby."""
        for line, room in (
            ("/room plans", "plans"), ("/create new", "new"), ("/create-public newer", "newer"), ("/join news", "news"),
            ("/msg bob", "@bob"), ("/accept", "offer"), ("/part yes", "lobby"), ("/part plans yes", "lobby"),
        ):  # fmt: skip
            self.run_line(line)
            self.assertEqual(self.slash.room, room)
        self.run_line("/part yes")
        self.assert_refused("x", "You are not in a room #lobby")

    def test_owners_part(self) -> None:
        """Who owns a room is asked before they leave it, with what is lost; others leave at once."""
        here = self.client.there["lobby"]
        alice, bob, carol = member("alice", "owner"), member("bob"), member("carol")
        for public, people, words in (
            (True, [alice, bob], "only owner of #lobby. When you leave, it goes to bob"),
            (
                True,
                [alice, bob, carol],
                "who does not have to give it back: bob, carol. You can join again",
            ),
            (True, [alice, bob, member("dora", "moderator")], "it goes to dora"),
            (True, [alice, bob, member("dora", "owner")], "together with dora. When you leave, it is theirs alone."),
            (True, [alice], "You own #lobby and are alone in it. When you leave, nobody can ever join it again."),
            (False, [alice, bob], "only if somebody invites you"),
            (False, [alice], "nobody can ever join it again"),
            (True, [alice, *(member(f"p{number}") for number in range(6))], ": p0, p1, p2, p3, p4."),
        ):
            here.public, here.people = public, people
            for line in ("/part", "/part lobby", "/part #lobby"):
                self.assert_refused(line, words)
                self.assert_refused(line, "To do it: /part #lobby yes")
        self.assert_refused("/part lobby no", "/part [ROOM] [yes]")
        self.client.add("yes")
        self.assert_refused("/part yes", "/part #yes yes")
        for role in ("member", "moderator"):
            self.client.add("lobby", role=role)
            self.run_line("/part lobby")
        self.assertEqual(self.client.calls, [("lobby", "leave")] * 2)

    def test_no_such_room(self) -> None:
        """Rooms that are not there, and ways that are not theirs."""
        self.assert_refused("/room nowhere", "You are not in a room #nowhere")
        self.assert_refused("/join nowhere", "no public room #nowhere")
        self.assert_refused("/join @bob", "/msg bob")
        self.assert_refused("/part nowhere", "You are not in a room #nowhere")
        self.assert_refused("/part @bob", "You cannot leave direct messages")
        self.client.public = []
        self.assertEqual(self.run_line("/rooms"), ["There are no public rooms."])
        self.client.there.clear()
        self.assertEqual(self.run_line("/list"), ["You are not in any room."])

    def test_bare_room(self) -> None:
        """A public room without a topic has nothing behind it."""
        self.client.public = [PublicRoom(b"r" * 16, "bare", "", 1)]
        self.assertEqual(self.run_line("/rooms"), ["#bare  members: 1"])

    def test_list(self) -> None:
        """The list shows the current room, roles, topics, what is unread and what waits."""
        plans = self.client.there["plans"]
        plans.unread, plans.role, plans.topic = 3, "moderator", "about things"
        self.client.add("@eve").offered = True
        self.run_line("/room plans")
        shown = self.run_line("/list")
        self.assertIn("* #plans  unread: 3, moderator  about things", shown)
        self.assertIn("  @eve  invited: /accept @eve or /refuse @eve", shown)
        self.assertIn("  @bob", shown)

    def test_msg(self) -> None:
        """Direct messages need another one, who exists and has a device, and our consent where they began."""
        self.assert_refused("/msg alice", "That is you")
        self.assert_refused("/msg zoe hi", "nobody named zoe")
        self.assert_refused("/msg dora hi", "No device of dora is ready")
        self.client.add("@eve").offered = True
        self.assertIn("/accept @eve", self.refusal("/msg eve hi"))
        self.assertEqual((self.client.calls, self.slash.room), ([("direct", "eve")], "lobby"))

    def test_accept(self) -> None:
        """Accepting shows what was said meanwhile; which room is meant has to be clear."""
        self.client.there["offer"].kept = [message(1, "early", room="offer")]
        self.client.add("@eve").offered = True
        self.assert_refused("/accept", "Your invitations: @eve, #offer")
        self.assert_refused("/accept plans", "already in #plans")
        self.assertRegex("\n".join(self.run_line("/accept offer")), r"You are now in #offer.\n\[..:..\] <bob> early$")
        self.run_line("/accept")
        self.assert_refused("/accept", "You have no invitations")
        self.assert_refused("/refuse", "You have no invitations")

    def test_refuse_direct(self) -> None:
        """Direct messages are refused for good, and begin with a command of ours."""
        self.client.add("@eve").offered = True
        self.assertIn("not be asked again; to write to them after all, use /msg eve", self.run_line("/refuse @eve")[0])
        self.assertEqual(self.client.calls, [("@eve", "refuse")])

    def test_ignore(self) -> None:
        """Nobody ignores themselves, or nobody."""
        self.assert_refused("/ignore alice", "That is you")
        self.assert_refused("/ignore zoe", "nobody named zoe")
        self.assert_refused("/unignore bob", "not ignoring bob")
        self.run_line("/unignore mallory")
        self.assertEqual(self.run_line("/ignore"), ["You are not ignoring anybody."])

    def test_direct_messages(self) -> None:
        """Direct messages cannot be changed."""
        self.run_line("/room @bob")
        for line in (
            "/invite carol", "/kick bob", "/ban bob", "/unban bob", "/mute bob", "/unmute bob", "/role bob owner",
            "/topic x", "/name x", "/slow 1", "/open on", "/history on",
        ):  # fmt: skip
            self.assert_refused(line, "Direct messages have no name")
        self.assert_refused("/part", "You cannot leave direct messages")

    def test_in_the_clear(self) -> None:
        """Name and topic of a private room are nobody's business, so that nothing is said of the server."""
        self.run_line("/room plans")
        self.assertEqual(self.run_line("/topic secret") + self.run_line("/name secret"), [])

    def test_not_for_members(self) -> None:
        """What a role does not allow is told with who may."""
        for room, word in (
            ("lobby", "Only owners can change the name and topic of a public room"),
            ("plans", "Only moderators and owners"),
        ):
            self.run_line(f"/room {room}")
            self.client.there[room].refusal = Forbidden("x")
            for line in ("/topic x", "/name x"):
                self.assert_refused(line, word)
            for line in ("/slow 1", "/open on", "/history on"):
                self.assert_refused(line, "Only owners of the room can change that")
            self.assert_refused(f"/share-history {room}", "Only moderators and owners can do that")

    # -- members -------------------------------------------------------------------------------------------------------

    def test_members(self) -> None:
        """Somebody who is not there cannot be put out; somebody who is need not be taken in."""
        for line in ("/kick carol", "/mute carol", "/unmute carol", "/role carol owner"):
            self.assert_refused(line, "carol is not in this room")
        self.assert_refused("/unban carol", "carol is not banned")
        self.assert_refused("/invite bob", "already in the room")
        for line in ("/invite zoe", "/ban zoe"):
            self.assert_refused(line, "nobody named zoe")

    def test_invited_before_ready(self) -> None:
        """Somebody whose devices are not ready is a member already, and that is told."""
        self.assertRegex(self.run_line("/invite dora")[0], "dora is now a member, and joins as soon as")

    def test_who(self) -> None:
        """Members with role, mute, presence, trust and devices; banned ones behind them."""
        self.client.there["lobby"].people = [
            member("alice", "owner", trust="verified"),
            member("bob", muted=True, presence="away", trust="changed", devices=0),
            member("eve", "banned"),
        ]
        expected = [
            "alice  owner, online, verified, devices: 1",
            "bob  member, muted, away, IDENTITY CHANGED, no device ready yet",
            "eve  banned",
        ]
        self.assertEqual(self.run_line("/who"), expected)

    # -- messages ------------------------------------------------------------------------------------------------------

    def test_log(self) -> None:
        """The log shows numbers, answers, actions, edits, reactions, and in direct messages who has them."""
        bob = self.client.there["@bob"]
        bob.kept = [
            message(
                1,
                "a question that is quite long, longer than can be quoted",
                edited=True,
                reactions=(("+1", ("alice", "bob")),),
            ),
            message(2, "hm", "alice", reply_to=ID_1),
            message(3, "waves", action=True, reply_to=b"\x63" * 16),
            message(4, None, unreadable=True),
            message(5, None),
        ]
        bob.arrived = {ID_2: {"bob"}}
        self.run_line("/room @bob")
        lines = [line.partition("] ")[2] for line in self.run_line("/log")]
        expected = [
            "<bob> a question that is quite long, longer than can be quoted  (edited)  +1 alice, bob",
            "<alice> (bob: a question that is quite long, longer th…) hm  (delivered to bob)",
            "* bob (a reply) waves",
            "<bob> (a message that cannot be read on this device)",
            "<bob> (a kind of message that this version does not know)",
        ]
        self.assertEqual(lines, expected)

    def test_show(self) -> None:
        """A message line by line: none of its lines stands where a message begins, and each is clean."""
        text = "one\r\n\n[00:00] <eve> \x1b[2Jtwo\n\tthree  "
        self.client.there["lobby"].kept = [message(1, text, edited=True)]
        first, *others = self.run_line("/show 1")
        self.assertEqual(first[8:], "<bob>   (edited)")
        expected = ["one", "", "[00:00] <eve> \ufffd[2Jtwo", "    three"]
        self.assertEqual(others, [f"        {line}".rstrip() for line in expected])

    def test_nothing_failed(self) -> None:
        """Where nothing has failed there is nothing to send again or to give up."""
        self.client.there["lobby"].texts = []
        for line in ("/resend", "/discard"):
            self.assertIn("No message has failed here", self.refusal(line))

    def test_empty_log(self) -> None:
        """A room in which nothing was said says so."""
        self.run_line("/room plans")
        self.assertEqual(self.run_line("/log"), ["Nothing has been said here yet."])

    def test_of_others(self) -> None:
        """The messages of others are not edited, nor taken back where one does not moderate."""
        for line in ("/edit 2 x", "/delete 2"):
            self.assert_refused(line, "somebody else")

    def test_without_text(self) -> None:
        """What has no text is neither answered nor edited nor reacted to."""
        self.client.there["lobby"].kept = [message(1, None, "alice")]
        for line in ("/reply 1 x", "/edit 1 x", "/react 1 x"):
            self.assert_refused(line, "no text")

    # -- people --------------------------------------------------------------------------------------------------------

    def test_verify_states(self) -> None:
        """The state of an identity is told with its number."""
        for trust, words in (("verified", "compared before"), ("changed", "CHANGED"), ("unknown", "not verified yet")):
            self.client.people.trust = trust
            self.assertTrue(any(words in line for line in self.run_line("/verify bob")), trust)

    def test_person_has_compared(self) -> None:
        """``yes`` counts once for the number that was shown, and for no other."""
        self.assert_refused("/verify bob yes", "First look at the number")
        self.run_line("/verify bob")
        self.assertEqual(self.run_line("/verify bob YES"), ["bob is verified."])
        self.assert_refused("/verify bob yes", "First look at the number")
        self.run_line("/verify bob")
        self.client.people.number = NUMBER[::-1]
        self.assertIn("has changed meanwhile", self.refusal("/verify bob yes"))

    def test_not_the_same(self) -> None:
        """Another number is a refusal, and a warning."""
        self.assertIn("do NOT match", self.refusal("/verify bob 12345"))
        self.assertIn("do NOT match", self.refusal("/verify bob CHATSERV-VERIFY:XYZ"))

    def test_nobody_to_verify(self) -> None:
        """There has to be somebody else with a key."""
        self.assert_refused("/verify alice", "That is you")
        self.assert_refused("/verify zoe", "nobody named zoe")
        self.assert_refused("/verify dora", "not available")
        self.assert_refused("/trust bob", "has not changed")
        self.assert_refused("/devices zoe", "nobody named zoe")

    def test_revoke(self) -> None:
        """The device has to be clear, and it is asked about first."""
        self.assert_refused("/revoke aa", "Several of your devices")
        self.assert_refused("/revoke ff yes", "None of your devices")

    def test_revoke_the_only_one(self) -> None:
        """Whose only device it is gets told what that means, and the last administrator keeps theirs."""
        self.assertNotIn("ONLY", " ".join(self.run_line("/revoke aa11")))
        self.client.people.device_ids = DEVICE_IDS[:1]
        said = self.run_line("/revoke aa11")[1]
        self.assertIn("your ONLY device, and you have no recovery code: nobody, not even you, can log in", said)
        self.client.account.recovery = "set"
        self.assertIn("only with your recovery code", self.run_line("/revoke aa11")[1])
        self.assertEqual(self.client.calls, [])
        self.client.people.indispensable = True
        self.assert_refused("/revoke aa11 yes", "left without an administrator")

    def test_oneself(self) -> None:
        """What ends one's own way back is refused, or asked about, before the server is."""
        for line in (
            "/suspend alice", "/revoke-admin @Alice", "/server-ban account alice", "/reset-identity alice yes",
            "/delete-user alice yes",
        ):  # fmt: skip
            self.assert_refused(line, "That is you, and you could not undo it")
        for line in ("/kick alice", "/ban alice"):
            self.assert_refused(line, "/part leaves the room")
        asked = self.run_line("/role alice member")
        self.assertIn("only another owner could undo it", asked[0])
        self.assertIn("/role alice member yes", asked[0])
        self.assertEqual(self.client.calls, [])
        self.run_line("/role alice member yes")
        self.run_line("/role alice owner")
        self.assertEqual([("lobby", "role", "alice", "member"), ("lobby", "role", "alice", "owner")], self.client.calls)
        self.assert_refused("/role alice member no", "Usage: /role")

    def test_no_registrations(self) -> None:
        """Where nobody can register, no link is made, and that is told."""
        self.client.is_admin = False
        self.assert_refused("/invite-link", "does not accept registrations")

    def test_bans_of_too_many(self) -> None:
        """A ban of nearly everybody is refused with what may be banned, one of where one comes from with that."""
        for subject in ("0.0.0.0/1", "2000::/3", "::ffff:0.0.0.0/97"):
            self.assert_refused(f"/server-ban address {subject}", "almost everybody")
        self.assert_refused("/server-ban address 198.51.100.7", "You connect from there yourself")
        self.assert_refused("/server-ban account root", "use /revoke-admin first")
        self.run_line("/server-unban address 0.0.0.0/1")
        self.assertEqual([("ban", "address", "0.0.0.0/1", False)], self.client.calls)

    # -- the server ----------------------------------------------------------------------------------------------------

    def test_nobody_to_administer(self) -> None:
        """Accounts have to exist, addresses to be some."""
        for command in ("suspend", "unsuspend", "server-mute", "server-unmute", "grant", "revoke-admin"):
            self.assert_refused(f"/{command} zoe", "nobody named zoe")
        for wrong in ("x", "300.1.1.1", "192.0.2.0/33", "::g"):
            self.assert_refused(f"/server-ban address {wrong}", "neither an address")

    def test_no_bans(self) -> None:
        """Without bans, that is told."""
        self.client.bans = []
        self.assertEqual(self.run_line("/bans"), ["Nobody is banned from the server."])

    def test_not_for_users(self) -> None:
        """The server refuses who is no administrator."""
        self.client.is_admin = False
        self.refusal("/suspend bob", Forbidden)

    def test_without_codes(self) -> None:
        """Who hears lines read out gets no drawing."""
        self.slash = Slash(cast(Client, self.client), codes=False)
        lines = self.run_line("/verify bob")
        self.assertIn(QR, lines)
        self.assertFalse(any("█" in line or "▀" in line for line in lines))
