"""How one comes in: NICK, USER, PASS, and capabilities."""

from tests.clients.irc.standard.scene import SceneTestCase


class RegistrationTests(SceneTestCase):
    """NICK, USER, PASS, QUIT."""

    def test_welcome(self) -> None:
        """001 to 005, in order."""
        self.play("""
            bob ~
            bob: PASS $password
            bob: NICK bob
            bob! *
            bob: USER bob 0 * :Bob
            bob< :chatserv 001 bob *
            bob< :chatserv 002 bob *
            bob< :chatserv 003 bob *
            bob< :chatserv 004 bob chatserv *
            bob< :chatserv 005 bob * :are supported by this server
            bob< :chatserv 422 bob *
        """)

    def test_user_first(self) -> None:
        """NICK and USER come in either order."""
        self.play("""
            bob ~
            bob: PASS $password
            bob: USER bob 0 * :Bob
            bob: NICK bob
            bob< :chatserv 001 bob *
        """)

    def test_wrong_password(self) -> None:
        """The connection ends."""
        self.play("""
            bob ~
            bob: PASS guess
            bob: NICK bob
            bob: USER bob 0 * :Bob
            bob< :chatserv 464 * *
            bob< ERROR *
            bob! * 001 *
            bob#
        """)

    def test_no_password(self) -> None:
        """Likewise."""
        self.play("""
            bob ~
            bob: NICK bob
            bob: USER bob 0 * :Bob
            bob< :chatserv 464 * *
            bob#
        """)

    def test_password_too_late(self) -> None:
        """Once somebody is in there is nothing to say it for."""
        self.play("""
            bob: PASS $password
            bob< :chatserv 462 bob *
            bob: USER bob 0 * :Bob
            bob< :chatserv 462 bob *
        """)

    def test_quit(self) -> None:
        """Is answered by ERROR, and the connection ends."""
        self.play("""
            bob: QUIT :so long
            bob< ERROR *
            bob#
        """)

    def test_quit_before(self) -> None:
        """Also before anybody is in."""
        self.play("""
            bob ~
            bob: QUIT
            bob< ERROR *
            bob#
        """)

    def test_too_little(self) -> None:
        """USER with too few words, and with an empty real name."""
        self.play("""
            bob ~
            bob: PASS $password
            bob: NICK bob
            bob: USER bob
            bob< :chatserv 461 * USER *
            bob: USER bob 0 * :
            bob< :chatserv 461 * USER *
            bob! * 001 *
            bob: USER bob 0 * :Bob
            bob< :chatserv 001 bob *
        """)

    def test_before(self) -> None:
        """Nothing is done for whoever is not in."""
        self.play("""
            bob ~
            bob: JOIN #lobby
            bob< :chatserv 451 * *
            bob: NICK
            bob< :chatserv 461 * NICK *
        """)

    def test_time(self) -> None:
        """TIME."""
        self.play("""
            bob: TIME
            bob< :chatserv 391 bob chatserv *
        """)


class CapabilityTests(SceneTestCase):
    """CAP."""

    def test_unknown_command(self) -> None:
        """410."""
        self.play("""
            bob ~
            bob: CAP WISH echo-message
            bob< :chatserv 410 * WISH *
        """)

    def test_list_only(self) -> None:
        """Who looks and asks for nothing comes in when they say END, and not before."""
        self.play("""
            bob ~
            bob: PASS $password
            bob: CAP LS 302
            bob< :chatserv CAP * LS * echo-message * multi-prefix *
            bob: NICK bob
            bob: USER bob 0 * :Bob
            bob! * 001 *
            bob: CAP END
            bob< :chatserv 001 bob *
        """)

    def test_one(self) -> None:
        """One is asked for, and is there."""
        self.play("""
            bob ~
            bob: PASS $password
            bob: CAP LS 302
            bob: NICK bob
            bob: USER bob 0 * :Bob
            bob: CAP REQ multi-prefix
            bob< :chatserv CAP * ACK multi-prefix
            bob: CAP END
            bob< :chatserv 001 bob *
            bob: CAP LIST
            bob< :chatserv CAP * LIST *multi-prefix*
        """)

    def test_two(self) -> None:
        """Two in one request."""
        self.play("""
            bob ~
            bob: CAP LS
            bob: CAP REQ :multi-prefix userhost-in-names
            bob< :chatserv CAP * ACK :multi-prefix userhost-in-names
        """)

    def test_one_after_the_other(self) -> None:
        """Two requests; the second takes nothing from the first."""
        self.play("""
            bob ~
            bob: CAP LS
            bob: CAP REQ multi-prefix
            bob< :chatserv CAP * ACK multi-prefix
            bob: CAP REQ userhost-in-names
            bob< :chatserv CAP * ACK userhost-in-names
            bob: CAP LIST
            bob< :chatserv CAP * LIST :multi-prefix userhost-in-names
        """)

    def test_later(self) -> None:
        """Also of whoever is in."""
        self.play("""
            bob: CAP LS
            bob< :chatserv CAP * LS *
            bob: CAP REQ echo-message
            bob< :chatserv CAP * ACK echo-message
            bob: CAP END
            bob! * 001 *
        """)

    def test_not_there(self) -> None:
        """One that there is not: nothing of the request is done, and it comes back word for word."""
        self.play("""
            bob ~
            bob: CAP LS
            bob: CAP REQ :wishes
            bob< :chatserv CAP * NAK wishes
            bob: CAP REQ :echo-message wishes multi-prefix
            bob< :chatserv CAP * NAK :echo-message wishes multi-prefix
            bob: CAP LIST
            bob< :chatserv CAP * LIST :
            bob: CAP REQ echo-message
            bob< :chatserv CAP * ACK echo-message
        """)

    def test_taken_back(self) -> None:
        """With a minus in front it is off again."""
        self.play("""
            bob + echo-message server-time
            alice: JOIN #tea
            bob: JOIN #tea
            bob: PRIVMSG #tea :one
            bob< @time :bob!bob@chat PRIVMSG #tea one
            bob: CAP REQ :-echo-message
            bob< :chatserv CAP * ACK -echo-message
            bob: PRIVMSG #tea :two
            bob! * PRIVMSG *
            bob: CAP REQ :-server-time
            alice: PRIVMSG #tea :three
            bob< :alice!alice@chat PRIVMSG #tea three
            bob! @time *
        """)

    def test_old_clients(self) -> None:
        """Who does not say 302 gets names without values, on one line."""
        self.play("""
            bob ~
            bob: CAP LS
            bob! *=*
            bob< :chatserv CAP * LS *sasl*
            bob% 0
        """)

    def test_none(self) -> None:
        """Who has asked for none has an empty list."""
        self.play("""
            bob: CAP LIST
            bob< :chatserv CAP * LIST :
        """)
