"""PRIVMSG, NOTICE, PING, echoes, labels, tags, line lengths."""

from tests.clients.irc.standard.scene import SceneTestCase


class MessageTests(SceneTestCase):
    """PRIVMSG and NOTICE."""

    def test_to_a_room(self) -> None:
        """Everybody else in the room has it once, and whoever said it has it not."""
        self.play("""
            alice: JOIN #tea
            bob: JOIN #tea
            alice: PRIVMSG #tea :is there some left
            bob< :alice!alice@chat PRIVMSG #tea :is there some left
            bob! * PRIVMSG *
            alice! * PRIVMSG *
        """)

    def test_to_no_room(self) -> None:
        """A room that nobody knows of."""
        self.play("""
            alice: PRIVMSG #nowhere :hello
            alice< :chatserv 403 alice #nowhere *
        """)

    def test_to_somebody(self) -> None:
        """Who agrees has it, and the second one at once."""
        self.play("""
            bob: PING x
            alice: PRIVMSG bob :between us
            bob< :chatserv 718 bob alice alice@chat *
            bob: ACCEPT alice
            bob< :alice!alice@chat PRIVMSG bob :between us
            alice: PRIVMSG bob :more
            bob< :alice!alice@chat PRIVMSG bob more
        """)

    def test_to_nobody(self) -> None:
        """A nick without an account."""
        self.play("""
            alice: PRIVMSG zoe :hello
            alice< :chatserv 401 alice zoe *
        """)

    def test_without_text(self) -> None:
        """Nothing is sent."""
        self.play("""
            alice: JOIN #tea
            bob: JOIN #tea
            alice: PRIVMSG #tea :
            alice< :chatserv 412 alice *
            bob! * PRIVMSG *
        """)

    def test_notice_to_no_room(self) -> None:
        """A NOTICE is never answered."""
        self.play("""
            alice: NOTICE #nowhere :hello
            alice% 0
        """)

    def test_not_utf8(self) -> None:
        """Is refused, and is no reason to go."""
        self.play("""
            alice: JOIN #tea
            bob: JOIN #tea
            alice: PRIVMSG #tea :caf\udce9
            alice< :chatserv FAIL * INVALID_UTF8 *
            alice: PRIVMSG #tea :café
            bob< * PRIVMSG #tea café
            bob! * PRIVMSG *
        """)

    def test_not_utf8_at_first(self) -> None:
        """Nor is it in USER, before anybody is in."""
        self.play("""
            bob ~
            bob: PASS $password
            bob: NICK bob
            bob: USER b\udce9b 0 * :x
            bob< :chatserv FAIL * INVALID_UTF8 *
            bob! * 001 *
            bob: USER b 0 * :\udce9
            bob< :chatserv FAIL * INVALID_UTF8 *
            bob: USER bob 0 * :x
            bob< :chatserv 001 bob *
        """)

    def test_other_alphabets(self) -> None:
        """A nick is the account's name, whatever is asked for."""
        self.play("""
            bob ~
            bob: PASS $password
            bob: NICK Isíl
            bob: USER bob 0 * :x
            bob< :chatserv 001 bob *
            bob: NICK Isíl
            bob< :chatserv 432 bob Isíl *
        """)

    def test_tags_too_long(self) -> None:
        """Tags have a bound of their own; nobody gets the message."""
        self.play(f"""
            alice + message-tags
            alice: JOIN #tea
            bob + message-tags
            bob: JOIN #tea
            alice: @+x={"a" * 4097} PRIVMSG #tea :hello
            alice< :chatserv 417 alice *
            bob! * PRIVMSG *
        """)

    def test_in_pieces(self) -> None:
        """A line may come byte by byte, and several at once."""
        self.play("alice: PING one")
        alice = self.peers["alice"]
        for byte in b"PING two\r\n":
            self.assertEqual(alice.take(), [])
            alice.give(bytes([byte]))
        self.assertEqual(alice.take(), [":chatserv PONG chatserv :two"])
        alice.give(b"PING three\nPING four\r\nPI")
        alice.give(b"NG five\n")
        wanted = [f":chatserv PONG chatserv :{each}" for each in ("three", "four", "five")]
        self.assertEqual(alice.take(), wanted)


class PingTests(SceneTestCase):
    """PING."""

    def test_word(self) -> None:
        """Comes back."""
        self.play("""
            alice: PING tree
            alice< :chatserv PONG chatserv tree
        """)

    def test_without(self) -> None:
        """Nothing to say back."""
        self.play("""
            alice: PING
            alice< :chatserv 409 alice *
        """)

    def test_empty(self) -> None:
        """An empty one comes back empty."""
        self.play("""
            alice: PING :
            alice< :chatserv PONG chatserv :
        """)


class EchoTests(SceneTestCase):
    """``echo-message`` and ``labeled-response``."""

    def test_echo(self) -> None:
        """Whoever asks for it sees their own words, with the id that others see."""
        self.play("""
            alice + echo-message message-tags
            alice: JOIN #tea
            bob + message-tags
            bob: JOIN #tea
            alice: PRIVMSG #tea :hot
            alice< @msgid=$id :alice!alice@chat PRIVMSG #tea :hot
            bob< @msgid=$id :alice!alice@chat PRIVMSG #tea :hot
        """)

    def test_no_echo(self) -> None:
        """Who does not ask for it does not; with times or without."""
        self.play("""
            alice + server-time
            alice: JOIN #tea
            alice: PRIVMSG #tea :hot
            alice% 0
            bob: JOIN #tea
            bob: PRIVMSG #tea :hot
            bob% 0
            alice< @time :bob!bob@chat PRIVMSG #tea :hot
        """)

    def test_echo_with_time(self) -> None:
        """The echo has the time that others see."""
        self.play("""
            alice + echo-message server-time
            alice: JOIN #tea
            bob + server-time
            bob: JOIN #tea
            alice: PRIVMSG #tea :hot
            alice< @time=$when :alice!alice@chat PRIVMSG #tea :hot
            bob< @time=$when :alice!alice@chat PRIVMSG #tea :hot
        """)

    def test_echo_alone(self) -> None:
        """The echo comes to a client that has asked for it and for nothing else, and without tags."""
        self.play("""
            alice + echo-message
            alice: JOIN #tea
            alice: PRIVMSG #tea :hot
            alice< :alice!alice@chat PRIVMSG #tea :hot
            alice: PRIVMSG #tea :cold
            alice! @time *
            alice! @msgid *
            alice< :alice!alice@chat PRIVMSG #tea :cold
        """)

    def test_label_to_somebody(self) -> None:
        """The echo has the label, and what the other one gets has none."""
        self.play("""
            bob + labeled-response
            alice + echo-message batch labeled-response
            alice: PRIVMSG bob :first
            bob: ACCEPT alice
            alice: @label=l1 PRIVMSG bob :hi
            alice< @label=l1 :alice!alice@chat PRIVMSG bob :hi
            bob< :alice!alice@chat PRIVMSG bob :hi
            bob! @label *
        """)

    def test_label_to_a_room(self) -> None:
        """Likewise in a room; tags that are not known go nowhere."""
        self.play("""
            alice + echo-message batch labeled-response
            bob + echo-message batch labeled-response
            alice: JOIN #tea
            bob: JOIN #tea
            alice: @label=l2;+x=y PRIVMSG #tea :hi
            alice< @label=l2 :alice!alice@chat PRIVMSG #tea :hi
            bob< :alice!alice@chat PRIVMSG #tea :hi
            bob! @label *
        """)

    def test_label_alone(self) -> None:
        """What has no answer has an ACK, and only for the one command."""
        self.play("""
            alice + batch labeled-response
            alice: @label=l3 PONG x
            alice< @label=l3 :chatserv ACK
            alice: PONG x
            alice% 0
        """)

    def test_label_one_line(self) -> None:
        """An answer of one line has it itself."""
        self.play("""
            alice + batch labeled-response
            alice: @label=l4 PING x
            alice< @label=l4 :chatserv PONG chatserv x
            alice% 0
        """)

    def test_label_unknown_command(self) -> None:
        """An error has it, too; a command may be any word."""
        self.play("""
            alice + labeled-response
            alice: @label=l5 NO_SUCH_THING
            alice< @label=l5 :chatserv 421 alice NO_SUCH_THING *
        """)

    def test_label_several_lines(self) -> None:
        """An answer of several lines is a batch."""
        self.play("""
            alice + batch labeled-response
            alice: JOIN #tea
            alice: @label=l6 WHO #tea
            alice< @label=l6 :chatserv BATCH +* labeled-response
            alice< @batch :chatserv 352 alice #tea *
            alice< @batch :chatserv 315 alice #tea *
            alice< :chatserv BATCH -*
        """)
