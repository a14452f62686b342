"""WHO, WHOIS, AWAY, MONITOR."""

from tests.clients.irc.standard.scene import SceneTestCase


class WhoTests(SceneTestCase):
    """WHO and WHOX."""

    def test_nobody(self) -> None:
        """A nick that nobody has is in no answer; the end has it as it was written."""
        self.play("""
            alice: WHO ZoE
            alice< :chatserv 315 alice ZoE *
            alice% 0
        """)

    def test_masks(self) -> None:
        """A mask finds whom one shares a room with, and nobody whom one knows from direct messages alone."""
        self.play("""
            alice: JOIN #tea
            bob: JOIN #tea
            alice: WHO b*
            alice< :chatserv 352 alice * bob chat chatserv bob H* *
            alice< :chatserv 315 alice b* *
            alice: WHO z*
            alice< :chatserv 315 alice z* *
            alice% 0
            alice: WHO *
            alice< :chatserv 352 alice * alice *
            alice< :chatserv 352 alice * bob *
            alice% 1
            alice: PRIVMSG *chatserv :#lobby part
            alice: PRIVMSG *chatserv :#tea part
            alice: PRIVMSG bob :hello
            bob: ACCEPT alice
            alice: WHO b*
            alice< :chatserv 315 alice b* *
            alice% 0
            alice: WHO bob
            alice< :chatserv 352 alice * bob *
        """)

    def test_fields(self) -> None:
        """Each field alone."""
        self.play("alice: JOIN #tea")
        for field, value in {
            "c": "#tea", "u": "alice", "i": "*.*", "h": "chat", "s": "chatserv", "n": "alice", "f": "H~", "d": "0", "l": "0",
            "a": "alice", "o": "*", "r": "alice",
        }.items():  # fmt: skip
            self.play(f"""
                alice: WHO #tea %{field}
                alice< :chatserv 354 alice {value}
                alice< :chatserv 315 alice #tea *
            """)

    def test_token(self) -> None:
        """What was given to tell answers apart comes back; the order of fields is fixed."""
        self.play("""
            alice: JOIN #tea
            alice: WHO #tea %tn,417
            alice< :chatserv 354 alice 417 alice
            alice: WHO #tea %nt,417
            alice< :chatserv 354 alice 417 alice
        """)

    def test_several_rooms(self) -> None:
        """A room among several says that room."""
        self.play("""
            alice: JOIN #tea,#milk
            bob: JOIN #tea,#milk
            bob: WHO #milk
            bob< :chatserv 352 bob #milk alice chat chatserv alice H~ *
            bob! * 352 bob #tea *
        """)


class WhoisTests(SceneTestCase):
    """WHOIS."""

    def test_nobody(self) -> None:
        """401, and the end."""
        self.play("""
            alice: WHOIS zoe
            alice< :chatserv 401 alice zoe *
            alice< :chatserv 318 alice zoe *
            alice% 0
        """)

    def test_somebody(self) -> None:
        """Account, rooms, whether they are away."""
        self.play("""
            bob: AWAY :lunch
            alice: WHOIS bob
            alice< :chatserv 311 alice bob bob chat * bob
            alice< :chatserv 319 alice bob #lobby
            alice< :chatserv 330 alice bob bob *
            alice< :chatserv 301 alice bob away
            alice< :chatserv 671 alice bob *
            alice< :chatserv 318 alice bob *
        """)


class AwayTests(SceneTestCase):
    """AWAY."""

    def test_answer(self) -> None:
        """306 and 305, and nothing else."""
        self.play("""
            alice: AWAY :lunch
            alice< :chatserv 306 alice *
            alice% 0
            alice: AWAY
            alice< :chatserv 305 alice *
            alice% 0
        """)

    def test_empty(self) -> None:
        """An empty text is none."""
        self.play("""
            alice: AWAY :lunch
            alice: AWAY :
            alice< :chatserv 305 alice *
        """)

    def test_userhost(self) -> None:
        """USERHOST has a minus for who is away."""
        self.play("""
            bob: PING x
            alice: USERHOST bob
            alice< :chatserv 302 alice bob=+bob@chat
            bob: AWAY :lunch
            alice: USERHOST bob
            alice< :chatserv 302 alice bob=-bob@chat
        """)

    def test_joins_away(self) -> None:
        """Who is away when they join is told as such to who asks for it."""
        self.play("""
            alice + away-notify
            bob: AWAY :lunch
            alice: JOIN #tea
            bob: JOIN #tea
            alice< :bob!bob@chat JOIN #tea
            alice< :bob!bob@chat AWAY away
            bob! * AWAY *
        """)


class MonitorTests(SceneTestCase):
    """MONITOR."""

    def test_there(self) -> None:
        """Who is there is 730 at once."""
        self.play("""
            bob: PING x
            alice: MONITOR + bob
            alice< :chatserv 730 alice bob!bob@chat
        """)

    def test_not_there(self) -> None:
        """Who is not is 731, a nick that nobody has, too."""
        self.play("""
            alice: MONITOR + zoe
            alice< :chatserv 731 alice zoe
        """)

    def test_both(self) -> None:
        """Several nicks, each as it is."""
        self.play("""
            bob: PING x
            alice: MONITOR + bob,zoe
            alice< :chatserv 730 alice bob!bob@chat
            alice< :chatserv 731 alice zoe
        """)

    def test_comes_and_goes(self) -> None:
        """Each change is told, once."""
        self.play("alice: MONITOR + bob")
        self.bob.leave_the_machine()
        self.world.settle(60)
        self.play("""
            alice: PING x
            alice: MONITOR S
            alice< :chatserv 731 alice bob
        """)
        self.bob.come_back()
        self.world.settle()
        self._collect()
        self.play("""
            alice< :chatserv 730 alice bob!bob@chat
            alice! * 730 *
        """)

    def test_no_longer(self) -> None:
        """Who is taken off the list is not told of."""
        self.play("""
            alice: MONITOR + bob
            alice: MONITOR - bob
            alice: MONITOR L
            alice! * 732 *
            alice< :chatserv 733 alice *
        """)
        self.bob.leave_the_machine()
        self.world.settle(60)
        self._collect()
        self.play("alice! * 731 *")

    def test_masks(self) -> None:
        """Masks are no nicks."""
        self.play("""
            bob: PING x
            alice: MONITOR + b*,bob!*@*
            alice! * 730 *
            alice: MONITOR L
            alice! * 732 *
        """)

    def test_each_their_own(self) -> None:
        """The lists of two people are two."""
        self.play("""
            alice: MONITOR + carol
            bob: MONITOR + carol
            carol: PING x
            alice: MONITOR - carol
            bob: MONITOR L
            bob< :chatserv 732 bob carol
            alice: MONITOR L
            alice! * 732 *
        """)

    def test_clear(self) -> None:
        """``C`` empties it."""
        self.play("""
            alice: MONITOR + bob,zoe
            alice: MONITOR C
            alice: MONITOR L
            alice< :chatserv 733 alice *
            alice! * 732 *
        """)

    def test_list(self) -> None:
        """``L``."""
        self.play("""
            alice: MONITOR L
            alice< :chatserv 733 alice *
            alice: MONITOR + bob
            alice: MONITOR + zoe
            alice: MONITOR L
            alice< :chatserv 732 alice bob
            alice< :chatserv 732 alice zoe
            alice< :chatserv 733 alice *
        """)

    def test_status(self) -> None:
        """``S``: as they all are now."""
        self.play("""
            bob: PING x
            alice: MONITOR + bob,zoe
            alice: MONITOR S
            alice< :chatserv 730 alice bob!bob@chat
            alice< :chatserv 731 alice zoe
        """)
