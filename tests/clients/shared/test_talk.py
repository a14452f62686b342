"""A person who talks faster than the server answers."""

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Client, NotMember, RoomHandle, SlashError, explained
from chatserv.errors import Forbidden
from clients.shared.talk import MAX_WAITING, Talk
from tests.client.slash_fakes import FakeClient


class TalkTests(SynchronousTestCase):
    """`clients.shared.talk.Talk`."""

    def setUp(self) -> None:
        """Opening direct messages takes until ``self.opened`` fires."""
        self.client = FakeClient()
        self.written: list[str] = []
        self.said: list[str] = []
        self.quits: list[str] = []
        self.opened: Deferred[Any] = Deferred()

        async def direct(user: str) -> Any:
            del user
            return await self.opened

        self.patch(self.client, "direct", direct)
        self.talk = Talk(
            cast(Client, self.client),
            "lobby",
            write=self.written.append,
            say=self.said.append,
            sent=lambda _stored: None,
            quit=lambda: self.quits.append("quit"),
        )

    def test_no_line_in_the_wrong_room(self) -> None:
        """What is typed while direct messages are being opened goes there, in order, and not to the room before."""
        for line in ("before", "/msg bob first", "second", "/me waves", "/room plans", "third"):
            self.talk.line_typed(line)
        self.assertEqual([call[:3] for call in self.client.calls], [("lobby", "send", "before")])
        self.opened.callback(self.client.there["@bob"])
        expected = [
            ("lobby", "before"), ("@bob", "first"), ("@bob", "second"), ("@bob", "waves"), ("plans", "third"),
        ]  # fmt: skip
        self.assertEqual([(call[0], call[2]) for call in self.client.calls], expected)

    def test_opening_fails(self) -> None:
        """Where that fails, it is told, and what was typed meanwhile stays in the room where one is."""
        self.talk.line_typed("/msg bob x")
        self.talk.line_typed("y")
        self.opened.errback(NotMember("x"))
        self.assertEqual(self.said, ["You are not a member of this room."])
        self.assertEqual([call[:3] for call in self.client.calls], [("lobby", "send", "y")])

    def test_quit_waits_for_nothing(self) -> None:
        """``/quit`` is heard at once."""
        self.talk.line_typed("/msg bob")
        self.talk.line_typed("/quit")
        self.assertEqual(self.quits, ["quit"])

    def test_too_many_lines(self) -> None:
        """So many lines wait, and no more; the one above is dropped, and that is told."""
        self.talk.line_typed("/msg bob")
        for number in range(MAX_WAITING + 1):
            self.talk.line_typed(str(number))
        self.assertEqual(self.said, ["Too many lines are waiting; this one was dropped."])
        self.opened.callback(self.client.there["@bob"])
        self.assertEqual([call[2] for call in self.client.calls], [str(number) for number in range(MAX_WAITING)])

    def test_others_do_not_wait(self) -> None:
        """A command that stays in the room keeps nothing back."""
        waiting: Deferred[Any] = Deferred()

        async def set_away(*, away: bool) -> None:
            del away
            await waiting

        self.patch(self.client, "set_away", set_away)
        self.talk.line_typed("/away")
        self.talk.line_typed("x")
        self.assertEqual(len(self.client.calls), 1)
        waiting.callback(None)
        self.assertEqual(self.written, ["You are now away."])

    def carry_out(self, line: str, room: str = "") -> "Deferred[list[str]]":
        """A command that was not typed."""
        return Deferred.fromCoroutine(self.talk.carry_out(line, self.room(room) if room else None))

    def test_commands_that_were_not_typed(self) -> None:
        """They keep lines back like those that were, and what waits goes on when they end."""
        done = self.carry_out("/msg bob")
        self.talk.line_typed("first")
        self.assertEqual((self.talk.waits, self.client.calls), (True, []))
        self.opened.callback(self.client.there["@bob"])
        self.assertEqual(self.successResultOf(done), ["You are now in @bob."])
        self.assertEqual([call[:3] for call in self.client.calls], [("@bob", "send", "first")])
        self.assertEqual((self.talk.waits, self.written, self.said), (False, [], []))

    def test_commands_that_were_not_typed_fail(self) -> None:
        """What waits goes on as well; the error is for whoever has asked, whatever it is."""
        for error in (NotMember("x"), ValueError("x")):
            done = self.carry_out("/msg bob")
            self.talk.line_typed("y")
            opened, self.opened = self.opened, Deferred()
            opened.errback(error)
            self.assertIs(self.failureResultOf(done).value, error)
            self.assertEqual([call[:3] for call in self.client.calls], [("lobby", "send", "y")])
            self.client.calls.clear()
        self.assertEqual(self.said, [])

    def test_commands_for_another_room(self) -> None:
        """They are refused where they would be carried out, which may be later than where they were asked for."""
        self.talk.go(self.room("lobby"))
        self.talk.line_typed("/msg bob")
        done = self.carry_out("/kick bob", "lobby")
        self.assertNoResult(done)
        self.opened.callback(self.client.there["@bob"])
        self.assertIn("switched rooms meanwhile", explained(self.failureResultOf(done, SlashError).value))
        self.assertEqual(self.client.calls, [])
        self.talk.go(self.room("lobby"))
        self.successResultOf(self.carry_out("/kick bob", "lobby"))
        self.assertEqual(self.client.calls, [("lobby", "kick", "bob")])

    def room(self, name: str) -> RoomHandle:
        """A room of alice's."""
        return cast(RoomHandle, self.client.there[name])

    def test_too_many_commands(self) -> None:
        """Those that were not typed count as well."""
        self.talk.line_typed("/msg bob")
        for number in range(MAX_WAITING - 1):
            self.talk.line_typed(str(number))
        last = self.carry_out("/away")
        self.assertNoResult(last)
        self.failureResultOf(self.carry_out("/away"), SlashError)

    def test_not_sent(self) -> None:
        """A text that is not taken says so; a command says why."""
        self.client.there["lobby"].refusal = Forbidden("x")
        for line in ("x", "//x", "/me x"):
            self.talk.line_typed(line)
        said = "You are not allowed to do that."
        self.assertEqual(self.said, [f"Not sent: {said}", f"Not sent: {said}", said])
