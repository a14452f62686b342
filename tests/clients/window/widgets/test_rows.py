"""Tests of `clients.window.widgets.rows`."""

from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import RoomHandle
from clients.window.widgets.rows import MAX_UNREAD, Row, may_act, member_rows, room_row
from tests.client.slash_fakes import FakeClient, member


class RoomRowTests(SynchronousTestCase):
    """Rooms."""

    def row(self, name: str, *, current: bool = False, mentioned: bool = False, unread: int = 0) -> Row:
        """A room of alice's."""
        room = FakeClient().there[name]
        room.unread = unread
        return room_row(cast(RoomHandle, room), name, current=current, mentioned=mentioned)

    def test_what_is_unread_is_counted(self) -> None:
        """But not in the room that is looked at."""
        self.assertEqual(self.row("lobby", unread=3), Row("lobby", "#lobby", "3", ("unread",)))
        self.assertEqual(self.row("lobby", unread=3, current=True), Row("lobby", "#lobby"))
        self.assertEqual(self.row("@bob"), Row("@bob", "@bob"))
        self.assertEqual(self.row("lobby", unread=MAX_UNREAD + 1).facts, "9999+")

    def test_a_mention_has_a_sign(self) -> None:
        """As long as it is unread."""
        self.assertEqual(self.row("plans", unread=2, mentioned=True), Row("plans", "#plans", "@2", ("mentioned",)))

    def test_what_waits_for_consent_says_so(self) -> None:
        """And counts nothing."""
        self.assertEqual(self.row("offer", unread=5), Row("offer", "#offer", "invited", ("offered",)))


class MemberRowTests(SynchronousTestCase):
    """Members."""

    def test_those_who_are_there_come_first_and_who_is_banned_last(self) -> None:
        """Each by name."""
        rows = member_rows(
            [
                member("zoe"),
                member("bob", presence="offline"),
                member("eve", "banned"),
                member("alice", "owner", trust="verified"),
                member("dan", muted=True, presence="away", trust="changed"),
            ]
        )
        self.assertEqual(
            [(row.text, row.facts) for row in rows],
            [
                ("● alice", "✓, owner"),
                ("● zoe", ""),
                ("◐ dan", "IDENTITY CHANGED, muted"),
                ("○ bob", ""),
                ("✗ eve", "banned"),
            ],
        )
        self.assertEqual(rows[2].tags, ("changed",))

    def test_power_is_over_those_below(self) -> None:
        """Moderators over members, owners over both, nobody over equals."""
        roles = ("member", "moderator", "owner")
        allowed = {(ours, theirs) for ours in roles for theirs in roles if may_act(ours, theirs)}
        self.assertEqual(allowed, {("moderator", "member"), ("owner", "member"), ("owner", "moderator")})
        self.assertTrue(may_act("moderator", "banned"))
        self.assertFalse(may_act("", "member"))
