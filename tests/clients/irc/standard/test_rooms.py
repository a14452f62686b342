"""JOIN, NAMES, KICK, TOPIC, LIST."""

from tests.clients.irc.standard.scene import SceneTestCase


class JoinTests(SceneTestCase):
    """JOIN."""

    def test_twice(self) -> None:
        """The second time nothing happens."""
        self.play("""
            alice: JOIN #tea
            alice< :alice!alice@chat JOIN #tea
            alice< :chatserv 353 alice = #tea ~alice
            alice< :chatserv 366 alice #tea *
            alice: JOIN #tea
            alice% 0
        """)

    def test_partly(self) -> None:
        """Of several rooms those that can be joined are."""
        self.play("""
            alice: JOIN #tea,te@a
            alice< :alice!alice@chat JOIN #tea
            alice< :chatserv 366 alice #tea *
            alice< :chatserv 403 alice te@a *
            alice% 0
        """)

    def test_partly_labelled(self) -> None:
        """The same as one batch."""
        self.play("""
            alice + batch labeled-response
            alice: @label=x JOIN #tea,te@a
            alice< @label=x :chatserv BATCH +* labeled-response
            alice< @batch :alice!alice@chat JOIN #tea
            alice< @batch :chatserv 403 alice te@a *
            alice< :chatserv BATCH -*
        """)

    def test_labelled(self) -> None:
        """Everything that comes of one JOIN is one batch, and each line says in which."""
        self.play("""
            alice + batch labeled-response
            alice: @label=x JOIN #tea
            alice< @label=x :chatserv BATCH +* labeled-response
            alice< @batch=$b :alice!alice@chat JOIN #tea
            alice< @batch=$b :chatserv 353 *
            alice< @batch=$b :chatserv 366 *
            alice< :chatserv BATCH -$b
            alice% 0
        """)

    def test_key(self) -> None:
        """Keys are ignored: there is none that would be wrong."""
        self.play("""
            alice: JOIN #tea
            alice: MODE #tea +k leaf
            bob: JOIN #tea leaf
            bob< :bob!bob@chat JOIN #tea
        """)

    def test_keys(self) -> None:
        """Also of several rooms, all with one."""
        self.play("""
            alice: JOIN #tea,#milk
            bob: JOIN #tea,#milk leaf,cow
            bob< :bob!bob@chat JOIN #tea
            bob< :bob!bob@chat JOIN #milk
        """)

    def test_fewer_keys(self) -> None:
        """And fewer keys than rooms."""
        self.play("""
            alice: JOIN #tea,#milk
            bob: JOIN #tea,#milk leaf
            bob< :bob!bob@chat JOIN #tea
            bob< :bob!bob@chat JOIN #milk
        """)


class NamesTests(SceneTestCase):
    """NAMES."""

    def test_invalid(self) -> None:
        """What is no name of a room has no names."""
        self.play("""
            alice: NAMES te@a
            alice< :chatserv 366 alice te@a *
            alice% 0
        """)

    def test_nowhere(self) -> None:
        """Nor has a room that there is not."""
        self.play("""
            alice: NAMES #nowhere
            alice< :chatserv 366 alice #nowhere *
            alice% 0
        """)


class KickTests(SceneTestCase):
    """KICK."""

    def test_reason(self) -> None:
        """Without a reason it is the name of whoever did it, for who goes and who stays."""
        self.play("""
            alice: JOIN #tea
            bob: JOIN #tea
            carol: JOIN #tea
            alice: KICK #tea bob
            alice< :alice!alice@chat KICK #tea bob alice
            bob< :alice!alice@chat KICK #tea bob alice
            carol< :alice!alice@chat KICK #tea bob alice
        """)

    def test_told(self) -> None:
        """Each is told once, and bob is out."""
        self.play("""
            alice: JOIN #tea
            bob: JOIN #tea
            alice: KICK #tea bob :too sweet
            bob< * KICK #tea bob *
            bob! * KICK *
            bob: PRIVMSG #tea :hello
            bob< :chatserv 442 bob #tea *
        """)

    def test_nowhere(self) -> None:
        """In a room that there is not."""
        self.play("""
            alice: KICK #nowhere bob
            alice< :chatserv 403 alice #nowhere *
        """)


class TopicTests(SceneTestCase):
    """TOPIC."""

    def test_set(self) -> None:
        """Everybody is told, who has set it too; and who asks."""
        self.play("""
            alice: JOIN #tea
            bob: JOIN #tea
            alice: TOPIC #tea :green or black
            alice< :alice!alice@chat TOPIC #tea :green or black
            bob< :alice!alice@chat TOPIC #tea :green or black
            bob: TOPIC #tea
            bob< :chatserv 332 bob #tea :green or black
        """)

    def test_new_members(self) -> None:
        """Who comes is told between JOIN and the names."""
        self.play("""
            alice: JOIN #tea
            alice: TOPIC #tea :green or black
            bob: JOIN #tea
            bob< :bob!bob@chat JOIN #tea
            bob< :chatserv 332 bob #tea :green or black
            bob< :chatserv 366 bob #tea *
        """)

    def test_nowhere(self) -> None:
        """A room that there is not has none."""
        self.play("""
            alice: TOPIC #nowhere
            alice< :chatserv 403 alice #nowhere *
        """)

    def test_taken_away(self) -> None:
        """An empty one is none: 331, and not 332, and nothing for who comes."""
        self.play("""
            alice: JOIN #tea
            alice: TOPIC #tea
            alice< :chatserv 331 alice #tea *
            alice: TOPIC #tea :black
            alice: TOPIC #tea :
            alice< :alice!alice@chat TOPIC #tea :
            alice: TOPIC #tea
            alice< :chatserv 331 alice #tea *
            alice! * 332 *
            bob: JOIN #tea
            bob! * 332 *
        """)


class ListTests(SceneTestCase):
    """LIST."""

    def test_all(self) -> None:
        """Each public room once, with how many are in it."""
        self.play("""
            alice: LIST
            alice< :chatserv 321 alice *
            alice! * 322 alice #tea *
            alice< :chatserv 323 alice *
            alice: JOIN #tea
            bob: LIST
            bob< :chatserv 322 bob #tea 1 *
            bob! * 322 bob #tea *
            bob: JOIN #tea
            bob: LIST
            bob< :chatserv 322 bob #tea 2 *
        """)

    def test_of_none(self) -> None:
        """A name that there is not is in no list."""
        self.play("""
            alice: LIST #nowhere
            alice< :chatserv 321 alice *
            alice! * 322 alice #nowhere *
            alice< :chatserv 323 alice *
        """)
