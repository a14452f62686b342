"""`Requests.rows`: lists that come page by page."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.connection.requests import Requests
from chatserv.client.slash.command import explained
from chatserv.client.state.context import Interrupted, Offline
from chatserv.domain.texts import TextInvalid
from chatserv.errors import BadMessage
from chatserv.wire import messages
from chatserv.wire.codec import client_decoder, join


def ban(subject: str) -> messages.BanInfo:
    """A row of the list."""
    return messages.BanInfo("account", subject, "alice", 1)


class RowsTests(SynchronousTestCase):
    """Each page is asked for after the last row of the one before."""

    def setUp(self) -> None:
        """A list is asked for."""
        self.written: list[bytes] = []
        self.requests = Requests(self.written.append, lambda: 0.0, Clock().callLater)
        self.requests.up()
        self.rows: Deferred[list[messages.BanInfo]] = Deferred.fromCoroutine(
            self.requests.rows(messages.BanList, messages.ListBans, lambda page: page.bans, lambda row: row.subject)
        )

    def answer(self, *subjects: str, more: bool) -> str:
        """Answers what was asked, and says after what it was asked for."""
        (asked,) = client_decoder.decode(join(self.written))
        self.written.clear()
        assert isinstance(asked, messages.ListBans)
        self.requests.answered(messages.BanList(asked.label, tuple(ban(subject) for subject in subjects), more))
        return asked.after

    def test_pages(self) -> None:
        """Until there are no more."""
        self.assertEqual("", self.answer("ann", "bob", more=True))
        self.assertEqual("bob", self.answer("carl", more=True))
        self.assertEqual("carl", self.answer("dora", more=False))
        self.assertEqual(["ann", "bob", "carl", "dora"], [row.subject for row in self.successResultOf(self.rows)])
        self.assertEqual([], self.written)

    def test_empty(self) -> None:
        """An empty page ends the list, whatever the server says."""
        self.answer("ann", more=True)
        self.answer(more=True)
        self.assertEqual([ban("ann")], self.successResultOf(self.rows))

    def test_no_text(self) -> None:
        """A text that no wire can carry is refused to whoever asks, and the connection goes on."""
        self.written.clear()
        self.failureResultOf(self.requests.ask(messages.Announce, text="\udcff"), TextInvalid)
        self.assertEqual([], self.written)
        asked = self.requests.ask(messages.Announce, text="x")
        (sent,) = client_decoder.decode(join(self.written))
        assert isinstance(sent, messages.Announce)
        self.requests.answered(messages.Ok(sent.label))
        self.assertEqual(sent.label, self.successResultOf(asked).label)

    def test_other_answer(self) -> None:
        """Another answer than a page is an error."""
        (asked,) = client_decoder.decode(join(self.written))
        assert isinstance(asked, messages.ListBans)
        self.requests.answered(messages.Ok(asked.label))
        self.failureResultOf(self.rows, BadMessage)


class OfflineTests(SynchronousTestCase):
    """Without a connection."""

    def test_nothing_is_sent_and_nothing_left_in_doubt(self) -> None:
        """A person is told so; what was under way when the connection went may be done."""
        written: list[bytes] = []
        requests = Requests(written.append, lambda: 0.0, Clock().callLater)
        error = self.failureResultOf(requests.ask(messages.ListBans, after="")).value
        self.assertIsInstance(error, Offline)
        self.assertEqual((explained(error), written), ("Not connected to the server: nothing was done.", []))
        requests.up()
        asked = requests.ask(messages.ListBans, after="")
        requests.down()
        error = self.failureResultOf(asked, Interrupted).value
        self.assertIn("check whether it was done", explained(error))
