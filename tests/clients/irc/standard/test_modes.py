"""MODE: roles and bans."""

from tests.clients.irc.standard.scene import SceneTestCase


class OperatorTests(SceneTestCase):
    """``+o``."""

    def test_told(self) -> None:
        """As one change, to everybody; who has it may do more then, and who loses it less."""
        self.play("""
            alice: JOIN #tea
            bob: JOIN #tea
            alice: MODE #tea +o bob
            alice< :alice!alice@chat MODE #tea +o bob
            alice! * MODE *
            bob< :alice!alice@chat MODE #tea +o bob
            bob: NAMES #tea
            bob< :chatserv 353 bob = #tea :~alice @bob
            alice: MODE #tea -o bob
            bob< :alice!alice@chat MODE #tea -o bob
            alice: MODE #tea +q bob
            bob< :alice!alice@chat MODE #tea +q bob
            alice: MODE #tea +o bob
            alice< :chatserv 482 alice #tea *
        """)

    def test_not_allowed(self) -> None:
        """Members may not."""
        self.play("""
            alice: JOIN #tea
            bob: JOIN #tea
            bob: MODE #tea +o bob
            bob< :chatserv 482 bob #tea *
            bob% 0
        """)

    def test_not_in_the_room(self) -> None:
        """Of somebody who is known and not there."""
        self.play("""
            bob: JOIN #milk
            alice: JOIN #tea
            alice: MODE #tea +o bob
            alice< :chatserv 441 alice bob #tea *
            alice% 0
        """)

    def test_nobody(self) -> None:
        """Of a nick that nobody has."""
        self.play("""
            alice: JOIN #tea
            alice: MODE #tea +o zoe
            alice< :chatserv 401 alice zoe *
            alice% 0
        """)

    def test_nowhere(self) -> None:
        """In a room that there is not."""
        self.play("""
            alice: MODE #nowhere +o alice
            alice< :chatserv 403 alice #nowhere *
            alice% 0
        """)

    def test_nobody_nowhere(self) -> None:
        """Neither the room nor the nick."""
        self.play("""
            alice: MODE #nowhere +o zoe
            alice< :chatserv 403 alice #nowhere *
            alice% 0
        """)

    def test_outside(self) -> None:
        """In a room of others."""
        self.play("""
            bob: JOIN #milk
            alice: MODE #milk +o bob
            alice< :chatserv 442 alice #milk *
            alice% 0
        """)

    def test_both_outside(self) -> None:
        """Of oneself in a room of others."""
        self.play("""
            bob: JOIN #milk
            alice: MODE #milk +o alice
            alice< :chatserv 442 alice #milk *
            alice% 0
        """)


class BanTests(SceneTestCase):
    """``+b``."""

    def test_keeps_out(self) -> None:
        """Who is banned stays out, until they are not any more; who was not in the room is not kicked."""
        self.play("""
            bob: PING x
            alice: JOIN #tea
            alice: MODE #tea +b bob!*@*
            alice< :alice!alice@chat MODE #tea +b bob!*@*
            alice! * KICK *
            bob: JOIN #tea
            bob< :chatserv 474 bob #tea *
            alice: MODE #tea -b bob!*@*
            alice< :alice!alice@chat MODE #tea -b bob!*@*
            bob: JOIN #tea
            bob< :bob!bob@chat JOIN #tea
        """)

    def test_list(self) -> None:
        """The list has the masks, and an end."""
        self.play("""
            bob: PING x
            alice: JOIN #tea
            alice: MODE #tea +b
            alice< :chatserv 368 alice #tea *
            alice: MODE #tea +b bob!*@*
            alice: MODE #tea +b
            alice< :chatserv 367 alice #tea bob!*@*
            alice< :chatserv 368 alice #tea *
        """)

    def test_out(self) -> None:
        """Who is in the room goes, behind the change."""
        self.play("""
            alice: JOIN #tea
            bob: JOIN #tea
            carol: JOIN #tea
            alice: MODE #tea +b bob!*@*
            carol< :alice!alice@chat MODE #tea +b bob!*@*
            carol< :alice!alice@chat KICK #tea bob alice
            bob< :alice!alice@chat KICK #tea bob alice
        """)
