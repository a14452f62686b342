"""Rooms as channels, and what may be done there by whom."""

from tests.clients.irc.irc_world import MODERN, IrcTestCase

ALICE, BOB, CAROL = ":alice!alice@chat", ":bob!bob@chat", ":carol!carol@chat"
NOTICE = ":*chatserv!chatserv@chat NOTICE"


class RoomTests(IrcTestCase):
    """JOIN, PART and the rest."""

    def test_invited(self) -> None:
        """An offer is an INVITE; JOIN agrees; others saw the member come at once."""
        alice, bob = self.peer(self.alice), self.peer(self.bob)
        alice.say("PRIVMSG *chatserv :create plans", seconds=8)
        self.assert_line(alice.say("INVITE bob #plans", seconds=8), f"{BOB} JOIN #plans")
        self.assert_numeric(alice.say("INVITE bob #plans"), "443")
        self.assertEqual(bob.take(), [f"{ALICE} INVITE bob :#plans"])
        self.assert_numeric(bob.say("PRIVMSG #plans :x"), "442")
        lines = bob.say("JOIN #Plans", seconds=8)
        self.assertEqual(lines[0], f"{BOB} JOIN #plans")
        self.assert_numeric(lines, "353", "~alice")
        self.assert_numeric(alice.say("INVITE nobody #plans"), "401")

    def test_join(self) -> None:
        """A public room; one that there is not; a name that is none; JOIN 0; keys are nothing."""
        self.alice.do(self.alice.client.create_room("news", public=True, topic="what is new"))
        bob = self.peer(self.bob)
        lines = bob.say("JOIN #news key", seconds=8)
        self.assert_line(lines, f"{BOB} JOIN #news")
        self.assert_numeric(lines, "332", "what is new")
        self.assertEqual(bob.say("JOIN #news"), [])
        self.assert_numeric(bob.say("JOIN #attic,#a!b,lobby", seconds=8), "403", "#attic", "lobby")
        self.assertIn("leaves one for good", bob.say("JOIN 0")[0])
        for setting, modes in (("private", "+nist"), ("public", "+nt")):
            self.settings(self.bob).set("create_on_join", setting)
            self.assert_line(bob.say(f"JOIN #{setting}", seconds=8), f"{BOB} JOIN #{setting}")
            self.assert_numeric(bob.say(f"MODE #{setting}"), "324", modes)

    def test_part(self) -> None:
        """PART hides a room from this client alone, also the next time; JOIN brings it back."""
        bob, other = self.peer(self.bob), self.peer(self.bob, client="other")
        lines = bob.say("PART #lobby")
        self.assertEqual(lines[0], f"{BOB} PART #lobby")
        self.assertIn("still in it", lines[1])
        self.assert_numeric(bob.say("PART #lobby"), "442")
        self.alice.say("lobby", "unseen")
        self.world.settle()
        self.assertEqual((bob.take(), other.take()), ([], [f"{ALICE} PRIVMSG #lobby :unseen"]))
        bob.connection.connectionLost()
        again = self.stranger(self.bob)
        lines = again.say(f"PASS {self.settings(self.bob).password}", "NICK x", "USER x 0 * :x")
        self.assertNotIn("#lobby", "".join(lines))
        self.assert_line(again.say("JOIN #lobby"), f"{BOB} JOIN #lobby")
        self.alice.say("lobby", "seen")
        self.world.settle()
        self.assertEqual(again.take(), [f"{ALICE} PRIVMSG #lobby :seen"])

    def test_rules(self) -> None:
        """Another rule of a room is told with what it says now; IRC has words of its own for names and topics."""
        self.alice.do(self.alice.client.create_room("news", public=True))
        bob = self.peer(self.bob)
        bob.say("JOIN #news", seconds=8)
        news = self.alice.room("news")
        self.alice.do(news.set_history(shared=True))
        self.world.settle()
        said = "alice changed the room's rules. Moderators and owners can give newcomers what was said before"
        self.assertEqual(bob.take(), [f"{NOTICE} #news :{said} (/msg *chatserv share-history)."])
        self.alice.do(news.set_topic("what is new"))
        self.world.settle()
        self.assertEqual(bob.take(), [f"{ALICE} TOPIC #news :what is new"])

    def test_topic(self) -> None:
        """Told, set, taken away; who may not is told."""
        alice, bob = self.peer(self.alice), self.peer(self.bob)
        self.assert_numeric(bob.say("TOPIC #lobby"), "331")
        self.assert_numeric(bob.say("TOPIC #lobby :mine", seconds=8), "482", "#lobby")
        self.assert_numeric(bob.say("TOPIC #attic"), "403")
        self.assert_line(alice.say("TOPIC #lobby :all of us", seconds=8), f"{ALICE} TOPIC #lobby :all of us")
        self.assertEqual(bob.take(), [f"{ALICE} TOPIC #lobby :all of us"])
        self.assert_numeric(bob.say("TOPIC #lobby"), "332", "all of us")
        alice.say("TOPIC #lobby :", seconds=8)
        self.assertEqual(bob.take(), [f"{ALICE} TOPIC #lobby :"])

    def test_private_topic(self) -> None:
        """Of a private room, whose topic nobody else knows; and its name."""
        alice, modern = self.peer(self.alice), self.peer(self.alice, MODERN, "m")
        alice.say("PRIVMSG *chatserv :create plans", seconds=8)
        modern.take()
        self.assert_line(alice.say("TOPIC #plans :secret", seconds=8), f"{ALICE} TOPIC #plans :secret")
        modern.take()
        self.assert_numeric(alice.say("RENAME #plans #ideas"), "421")
        self.assert_line(modern.say("RENAME #plans #ideas", seconds=8), f"{ALICE} RENAME #plans #ideas :")
        lines = alice.take()
        self.assertEqual(lines[:2], [f"{ALICE} PART #plans :renamed to #ideas", f"{ALICE} JOIN #ideas"])

    def test_kick(self) -> None:
        """Owners and moderators do, others may not; who is not there; the one who is put out is told by whom."""
        carol = self.world.person("carol")
        alice, bob, third = self.peer(self.alice), self.peer(self.bob), self.peer(carol)
        self.assert_numeric(bob.say("KICK #lobby carol", seconds=8), "482")
        self.assert_numeric(alice.say("KICK #lobby nobody"), "401", "nobody")
        self.assert_line(alice.say("KICK #lobby carol :go", seconds=8), f"{ALICE} KICK #lobby carol :alice")
        self.assert_line(bob.take(), f"{ALICE} KICK #lobby carol :alice")
        self.assertEqual(third.take()[-1], f"{ALICE} KICK #lobby carol :alice")

    def test_leave(self) -> None:
        """Who leaves for good parts, also from the others' view."""
        alice, bob = self.peer(self.alice), self.peer(self.bob)
        lines = bob.say("PRIVMSG *chatserv :#lobby part", seconds=8)
        self.assert_line(lines, f"{BOB} PART #lobby")
        self.assert_line(alice.take(), f"{BOB} PART #lobby")

    def test_names(self) -> None:
        """Ranks, and whole sources where they are wanted; many names take several lines; of nothing there is none."""
        bob = self.peer(self.bob)
        self.assert_numeric(bob.say("NAMES #lobby"), "353", ":~alice bob")
        self.assert_numeric(bob.say("NAMES"), "366", "*")
        self.assertEqual(len(bob.say("NAMES #attic")), 1)
        whole = self.peer(self.bob, "userhost-in-names no-implicit-names", "whole")
        self.assertEqual(whole.take(), [])
        self.assert_numeric(whole.say("NAMES #lobby"), "353", ":~alice!alice@chat bob!bob@chat")

    def test_list(self) -> None:
        """Public rooms, with how many are in them."""
        lines = self.peer(self.bob).say("LIST")
        for code in ("321", "323"):
            self.assert_numeric(lines, code)
        self.assert_numeric(lines, "322", "#lobby 2")


class ModeTests(IrcTestCase):
    """MODE, for who may and who may not."""

    def test_roles(self) -> None:
        """Owner, moderator, member, as the others are told; who is not there, and what is missing."""
        alice, bob = self.peer(self.alice), self.peer(self.bob)
        for change, told in (
            ("+o", "+o :bob"),
            ("-o", "-o :bob"),
            ("+q", "+q :bob"),
        ):
            self.assert_line(alice.say(f"MODE #lobby {change} bob", seconds=8), f"{ALICE} MODE #lobby {told}")
            self.assert_line(bob.take(), f"{ALICE} MODE #lobby {told}")
        self.assertEqual(alice.say("MODE #lobby -o bob", seconds=8), [])
        self.assert_numeric(alice.say("MODE #lobby -q bob", seconds=8), "482")
        carol = self.peer(self.world.person("carol"))
        self.assert_numeric(carol.say("MODE #lobby +o carol", seconds=8), "482")
        self.assert_numeric(alice.say("MODE #lobby +o nobody"), "401")
        self.assert_numeric(alice.say("MODE #lobby +o"), "461")
        for change in ("+k x", "+nt", "+oo a b", "x"):
            self.assert_numeric(alice.say(f"MODE #lobby {change}"), "472")
        self.assert_numeric(alice.say("MODE #attic"), "403")

    def test_bans(self) -> None:
        """Bans and mutes of accounts, and nothing wider; the list has both."""
        alice, bob = self.peer(self.alice), self.peer(self.bob)
        alice.say("MODE #lobby +b m:bob", seconds=8)
        self.assert_line(bob.take(), f"{ALICE} MODE #lobby +b :m:bob")
        self.assert_numeric(alice.say("MODE #lobby"), "324", "+ntm")
        self.assert_numeric(alice.say("MODE #lobby b"), "367", "m:bob")
        alice.say("MODE #lobby -b m:bob", seconds=8)
        self.assert_line(bob.take(), f"{ALICE} MODE #lobby -b :m:bob")
        lines = alice.say("MODE #lobby +b bob!*@*", seconds=8)
        self.assert_line(lines, f"{ALICE} KICK #lobby bob :alice")
        self.assert_line(lines, f"{ALICE} MODE #lobby +b :bob!*@*")
        self.assert_line(bob.take(), f"{ALICE} KICK #lobby bob :alice")
        self.assert_numeric(alice.say("MODE #lobby +b"), "367", "bob!*@*")
        self.assert_numeric(bob.say("JOIN #lobby", seconds=8), "474")
        self.assert_line(alice.say("MODE #lobby -b bob", seconds=8), f"{ALICE} MODE #lobby -b :bob!*@*")
        for mask in ("*!*@*", "*!*@host", "m:*", "m:"):
            self.assert_numeric(alice.say(f"MODE #lobby +b {mask}"), "472")
        modern = self.peer(self.alice, MODERN, "m")
        self.assertTrue(any("FAIL MODE INVALID_MASK" in line for line in modern.say("MODE #lobby +b *!*@*")))

    def test_own(self) -> None:
        """Of oneself there is none, and those of others cannot be seen."""
        bob = self.peer(self.bob)
        self.assert_numeric(bob.say("MODE bob"), "221")
        self.assert_numeric(bob.say("MODE alice +i"), "502")
