"""Tests of `clients.window.session`."""

from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import ChatError, Client, ClientEvent, Profile, ProfileError, Status, StatusChanged
from clients.window.session import STOP_SECONDS, Session, State
from tests.client.slash_fakes import message


class FakeProfile:
    """Remembers an address."""

    def __init__(self) -> None:
        self.address = ("old.example", 5000)

    def keyring(self) -> Any:
        """Who we are, and where."""
        return type("Keyring", (), {"host": self.address[0], "port": self.address[1], "registered": True})()

    def move(self, host: str, port: int, others: tuple[tuple[str, int], ...] = ()) -> None:
        """Remembers another one."""
        self.address, self.others = (host, port), others


class FakeClient:
    """Notes what it is asked for."""

    made: "list[FakeClient]"
    refusal: ChatError | None = None

    def __init__(self, profile: Any, reactor: Any, on_event: Any, **options: Any) -> None:
        del profile, reactor
        self.tell, self.options = on_event, options
        self.token: bytes | None = b"none"
        self.stopped: Deferred[None] = succeed(None)
        self.stops, self.opened = 0, False
        FakeClient.made.append(self)

    def start(self, token: bytes | None = None) -> None:
        """Connects."""
        if FakeClient.refusal is not None:
            raise FakeClient.refusal
        self.token = token
        self.tell(StatusChanged(Status.CONNECTING))

    def open(self) -> None:
        """Opens what is kept."""
        self.opened = True

    def stop(self) -> "Deferred[None]":
        """Ends."""
        self.stops += 1
        return self.stopped


class SessionTests(SynchronousTestCase):
    """One window's connection."""

    def setUp(self) -> None:
        """Not connected."""
        FakeClient.made, FakeClient.refusal = [], None
        self.clock, self.profile = Clock(), FakeProfile()
        self.events: list[ClientEvent] = []
        self.failures: list[Exception | None] = []
        self.states: list[State] = []
        self.session = Session(
            self.clock,
            cast(Profile, self.profile),
            self.events.append,
            self.failures.append,
            lambda: self.states.append(self.session.state),
            make_client=cast(type[Client], FakeClient),
        )

    def connect(self, *statuses: Status) -> FakeClient:
        """A client that tells these statuses."""
        self.session.connect("new.example", 5001, b"token")
        client = FakeClient.made[-1]
        for status in statuses:
            client.tell(StatusChanged(status, ValueError(status.value) if status is Status.OFFLINE else None))
        return client

    def test_a_connection_goes_through_its_states(self) -> None:
        """The profile keeps the address where it was made."""
        client = self.connect(Status.SYNCING, Status.ONLINE)
        self.assertEqual(self.states, [State.CONNECTING, State.SYNCING, State.ONLINE])
        self.assertEqual((client.token, self.profile.address), (b"token", ("new.example", 5001)))
        self.successResultOf(self.session.disconnect())
        self.assertEqual(self.states[-2:], [State.STOPPING, State.OFF])
        self.assertEqual(self.profile.address, ("new.example", 5001))
        self.assertEqual((self.session.running, self.session.connected), (True, False))

    def test_other_addresses_are_kept_too(self) -> None:
        """Those of a link, which are tried as well."""
        self.session.connect("new.example", 5001, b"token", (("b.example", 1),))
        self.assertEqual((self.profile.address, self.profile.others), (("new.example", 5001), (("b.example", 1),)))

    def test_a_first_attempt_that_fails_ends_it(self) -> None:
        """The person is told why; the address is not kept; nothing is tried again."""
        client = self.connect(Status.OFFLINE)
        self.assertEqual(self.session.state, State.STOPPING)
        self.clock.advance(0)
        self.assertEqual([str(each) for each in self.failures], ["offline"])
        self.assertEqual((client.stops, self.session.state), (1, State.OFF))
        self.assertEqual(self.profile.address, ("old.example", 5000))

    def test_a_connection_that_is_lost_later_is_tried_again(self) -> None:
        """That is told as any other event."""
        client = self.connect(Status.SYNCING, Status.ONLINE, Status.OFFLINE)
        self.assertEqual((self.session.state, client.stops, self.failures), (State.WAITING, 0, []))
        client.tell(StatusChanged(Status.ONLINE))
        self.assertEqual(self.session.state, State.ONLINE)

    def test_where_the_account_is_it_is_tried_again_from_the_beginning(self) -> None:
        """A server that is away is waited for; what is kept can be read meanwhile."""
        self.session.connect("old.example", 5000)
        client = FakeClient.made[-1]
        client.tell(StatusChanged(Status.OFFLINE, ValueError("away")))
        self.clock.advance(0)
        self.assertEqual((self.session.state, client.stops, self.failures), (State.WAITING, 0, []))
        self.assertTrue(self.session.running)
        self.assertFalse(self.session.reached)

    def test_what_is_kept_can_be_read_without_a_connection(self) -> None:
        """By a client that is opened only; it ends before another one begins, and at the end."""
        self.session.rest()
        (first,) = FakeClient.made
        self.assertEqual((first.opened, first.token, self.session.state), (True, b"none", State.OFF))
        self.assertEqual((self.session.running, self.session.connected), (True, False))
        self.successResultOf(self.session.disconnect())
        self.assertEqual(first.stops, 0)
        client = self.connect(Status.SYNCING, Status.ONLINE)
        self.assertEqual((first.stops, len(FakeClient.made)), (1, 2))
        self.successResultOf(self.session.disconnect())
        self.assertEqual((client.stops, self.session.client), (1, FakeClient.made[2]))
        self.successResultOf(self.session.close())
        self.assertEqual((FakeClient.made[2].stops, self.session.running, len(FakeClient.made)), (1, False, 3))

    def test_what_another_program_has_connected(self) -> None:
        """What was only opened, and is connected for another program, ends first; what goes wrong then is told."""
        self.session.rest()
        (opened,) = FakeClient.made
        for refusal in (None, ProfileError("another program")):
            stopped: Deferred[None] = Deferred()
            FakeClient.made[-1].stopped = stopped
            self.session.connect("chat.example", 5000)
            self.assertEqual((self.session.state, self.session.running), (State.CONNECTING, False))
            FakeClient.refusal = refusal
            stopped.callback(None)
            self.assertEqual(self.failures, [] if refusal is None else [refusal])
            if refusal is None:
                self.assertEqual(FakeClient.made[-1].token, None)
                self.session.disconnect()
        self.assertEqual((opened.stops, self.session.state), (1, State.OFF))

    def test_nothing_is_opened_at_the_end(self) -> None:
        """Nor where there is no account."""
        client = self.connect(Status.SYNCING, Status.ONLINE)
        self.successResultOf(self.session.close())
        self.assertEqual((client.stops, len(FakeClient.made), self.session.running), (1, 1, False))
        self.patch(self.profile, "keyring", lambda: None)
        self.session.rest()
        self.assertEqual(len(FakeClient.made), 1)

    def test_a_final_refusal_ends_it(self) -> None:
        """Though it was online."""
        client = self.connect(Status.SYNCING, Status.ONLINE)
        client.tell(StatusChanged(Status.FAILED, ProfileError("copied")))
        self.clock.advance(0)
        self.assertEqual(len(self.failures), 1)
        self.assertEqual(self.session.state, State.OFF)

    def test_nothing_is_told_while_it_ends(self) -> None:
        """Nor is a second client made."""
        client = self.connect(Status.SYNCING, Status.ONLINE)
        client.stopped = Deferred()
        first, second = self.session.disconnect(), self.session.disconnect()
        self.events.clear()
        client.tell(message(1))
        self.session.connect("new.example", 5001)
        self.assertEqual((self.events, len(FakeClient.made), client.stops), ([], 1, 1))
        client.stopped.callback(None)
        self.successResultOf(first)
        self.successResultOf(second)

    def test_a_server_that_does_not_answer_keeps_nobody(self) -> None:
        """After a while it is over."""
        client = self.connect(Status.SYNCING, Status.ONLINE)
        client.stopped = Deferred()
        done = self.session.disconnect()
        self.clock.advance(STOP_SECONDS - 0.1)
        self.assertNoResult(done)
        self.clock.advance(0.2)
        self.successResultOf(done)

    def test_a_profile_that_cannot_be_used_is_refused(self) -> None:
        """And can be tried again."""
        FakeClient.refusal = ProfileError("another program")
        self.assertRaises(ProfileError, self.session.connect, "new.example", 5001)
        self.assertEqual((self.session.state, self.profile.address), (State.OFF, ("old.example", 5000)))
        FakeClient.refusal = None
        self.connect(Status.ONLINE)
        self.assertEqual(self.session.state, State.ONLINE)
