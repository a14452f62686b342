"""CHATHISTORY, MARKREAD, REDACT, messages of several lines."""

from tests.clients.irc.standard.scene import SceneTestCase

HISTORY = "batch message-tags server-time draft/chathistory"


class HistoryTests(SceneTestCase):
    """CHATHISTORY."""

    def ask(self, question: str, *texts: str) -> None:
        """Bob asks about the room; these messages are the answer, in one batch, in this order."""
        between = "\n".join(f"bob< @batch;msgid;time :alice!alice@chat PRIVMSG #tea :{text}" for text in texts)
        self.play(
            f"bob: CHATHISTORY {question}\nbob< :chatserv BATCH +* chathistory #tea\n{between}\nbob< :chatserv BATCH -*"
        )
        self.play("bob% 0")

    def said(self) -> None:
        """Alice says five things; bob notes the ids."""
        self.play(f"""
            bob + {HISTORY}
            alice: JOIN #tea
            bob: JOIN #tea
        """)
        for number in range(1, 6):
            self.play(f"""
                alice: PRIVMSG #tea :{number}
                bob< @msgid=$m{number};time=$t{number} :alice!alice@chat PRIVMSG #tea :{number}
            """)

    def test_latest(self) -> None:
        """The newest, and the newest behind something."""
        self.said()
        self.ask("LATEST #tea * 2", "4", "5")
        self.ask("LATEST #tea * 10", "1", "2", "3", "4", "5")
        self.ask("LATEST #tea msgid=$m3 10", "4", "5")
        self.ask("LATEST #tea timestamp=$t3 10", "4", "5")

    def test_before(self) -> None:
        """Those before, nearest last."""
        self.said()
        self.ask("BEFORE #tea msgid=$m4 2", "2", "3")
        self.ask("BEFORE #tea timestamp=$t4 10", "1", "2", "3")
        self.ask("BEFORE #tea msgid=$m1 10")

    def test_after(self) -> None:
        """Those behind, nearest first."""
        self.said()
        self.ask("AFTER #tea msgid=$m2 2", "3", "4")
        self.ask("AFTER #tea timestamp=$t2 10", "3", "4", "5")
        self.ask("AFTER #tea msgid=$m5 10")

    def test_between(self) -> None:
        """From either side, without the ends."""
        self.said()
        self.ask("BETWEEN #tea msgid=$m1 msgid=$m5 10", "2", "3", "4")
        self.ask("BETWEEN #tea msgid=$m5 msgid=$m1 2", "3", "4")
        self.ask("BETWEEN #tea msgid=$m1 msgid=$m5 2", "2", "3")
        self.ask("BETWEEN #tea timestamp=$t1 timestamp=$t5 10", "2", "3", "4")

    def test_around(self) -> None:
        """On both sides of one, which is there, too."""
        self.said()
        self.ask("AROUND #tea msgid=$m3 1", "3")
        self.ask("AROUND #tea msgid=$m3 3", "2", "3", "4")

    def test_only_texts(self) -> None:
        """Who came and went is in no history."""
        self.said()
        self.play("""
            carol: JOIN #tea
            alice: TOPIC #tea :new
            alice: PRIVMSG #tea :6
        """)
        self.ask("LATEST #tea * 3", "4", "5", "6")

    def test_wrong_targets(self) -> None:
        """A room that is not ours, and a nick that nobody has: FAIL."""
        self.play(f"""
            bob + {HISTORY}
            bob: CHATHISTORY LATEST #nowhere * 10
            bob< :chatserv FAIL CHATHISTORY INVALID_TARGET LATEST #nowhere *
            bob: CHATHISTORY LATEST zoe * 10
            bob< :chatserv FAIL CHATHISTORY INVALID_TARGET LATEST zoe *
        """)

    def test_spelled(self) -> None:
        """Of direct messages the target comes back as it was written."""
        self.play(f"""
            bob + {HISTORY}
            alice: PRIVMSG bob :hello
            bob: ACCEPT alice
            bob: CHATHISTORY LATEST ALICE * 10
            bob< :chatserv BATCH +* chathistory ALICE
            bob< @batch :alice!alice@chat PRIVMSG bob :hello
        """)

    def test_targets(self) -> None:
        """Where something was said between two moments, and where something was said since."""
        self.said()
        self.play("""
            alice: JOIN #milk
            bob: JOIN #milk
            alice: PRIVMSG #milk :later
            bob< @time=$late * PRIVMSG #milk :later
            bob: CHATHISTORY TARGETS timestamp=$t1 timestamp=2100-01-01T00:00:00.000Z 10
            bob< :chatserv BATCH +* draft/chathistory-targets
            bob< :chatserv CHATHISTORY TARGETS #tea $t5
            bob< :chatserv CHATHISTORY TARGETS #milk $late
            bob< :chatserv BATCH -*
            bob: CHATHISTORY TARGETS timestamp=$t1 timestamp=$late 10
            bob< :chatserv CHATHISTORY TARGETS #tea *
            bob! * CHATHISTORY TARGETS *
            bob: CHATHISTORY TARGETS timestamp=$t1 timestamp=$t4 10
            bob! * CHATHISTORY TARGETS #tea *
        """)


class MarkerTests(SceneTestCase):
    """MARKREAD."""

    def test_join(self) -> None:
        """Comes with JOIN, in front of the end of the names."""
        self.play("""
            alice + draft/read-marker
            alice: JOIN #tea
            alice< * JOIN #tea
            alice< :chatserv MARKREAD #tea *
            alice< :chatserv 366 alice #tea *
        """)

    def test_wrong(self) -> None:
        """Without a room; with a time that is none; with a star, which is for answers."""
        self.play("""
            alice + draft/read-marker
            alice: JOIN #tea
            alice: MARKREAD
            alice< :chatserv FAIL MARKREAD NEED_MORE_PARAMS *
            alice: MARKREAD #tea timestamp=yesterday
            alice< :chatserv FAIL MARKREAD INVALID_PARAMS *
            alice: MARKREAD #tea *
            alice< :chatserv FAIL MARKREAD INVALID_PARAMS *
        """)


class RedactTests(SceneTestCase):
    """REDACT."""

    def said(self) -> None:
        """Bob says something in a room of alice's."""
        self.play("""
            alice + message-tags echo-message draft/message-redaction
            bob + message-tags echo-message draft/message-redaction
            alice: JOIN #tea
            bob: JOIN #tea
            carol: JOIN #tea
            bob: PRIVMSG #tea :oops
            bob< @msgid=$m :bob!bob@chat PRIVMSG #tea oops
        """)

    def test_own(self) -> None:
        """Everybody who knows of it is told; others by a notice."""
        self.said()
        self.play("""
            bob: REDACT #tea $m
            bob< :bob!bob@chat REDACT #tea $m
            alice< :bob!bob@chat REDACT #tea $m
            carol! * REDACT *
        """)

    def test_others(self) -> None:
        """Members take back nothing of others."""
        self.said()
        self.play("""
            alice: PRIVMSG #tea :mine
            bob< @msgid=$a :alice!alice@chat PRIVMSG #tea mine
            bob: REDACT #tea $a
            bob< :chatserv FAIL REDACT REDACT_FORBIDDEN #tea $a *
            alice! * REDACT *
        """)

    def test_unknown(self) -> None:
        """A message that there is not, and a room that there is not."""
        self.said()
        self.play("""
            bob: REDACT #tea 00112233445566778899aabbccddeeff
            bob< :chatserv FAIL REDACT UNKNOWN_MSGID #tea 00112233445566778899aabbccddeeff *
            bob: REDACT #nowhere $m
            bob< :chatserv FAIL REDACT INVALID_TARGET #nowhere *
        """)

    def test_direct(self) -> None:
        """Between two people."""
        self.play("""
            alice + message-tags echo-message draft/message-redaction
            bob + message-tags draft/message-redaction
            alice: PRIVMSG bob :oops
            alice< @msgid=$m * PRIVMSG bob oops
            bob: ACCEPT alice
            alice: REDACT bob $m
            bob< :alice!alice@chat REDACT bob $m
            bob! * REDACT *
        """)


class SeveralLinesTests(SceneTestCase):
    """``draft/multiline``."""

    def test_batches(self) -> None:
        """Lines of no batch, an empty line that goes on, and what is no PRIVMSG are refused."""
        self.play("""
            alice + batch message-tags draft/multiline
            bob: JOIN #tea
            alice: JOIN #tea
            alice: @batch=no PRIVMSG #tea :x
            alice< :chatserv FAIL BATCH MULTILINE_INVALID *
            alice: BATCH +a draft/multiline #tea
            alice: @batch=a PRIVMSG #tea :one
            alice: @batch=a;draft/multiline-concat PRIVMSG #tea :
            alice: BATCH -a
            alice< :chatserv FAIL BATCH MULTILINE_INVALID *
            bob! * PRIVMSG *
        """)
