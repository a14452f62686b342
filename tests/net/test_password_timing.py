"""Time does not tell whether there is such a user: the server's steps, tried in turns for one who is and one who is not."""

import time
from statistics import median
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.suite import ed_sign
from chatserv.net.password_logins import PasswordLogins
from chatserv.wire.handshake import client_auth_message
from chatserv.wire.password_login import PasswordProof
from chatserv.wire.records import RecordType
from chatserv.wire.session import Failed, ProofWanted, State
from tests.support.server import LOOPBACK, WireServer
from tests.support.sessions import ALICE, SALTED, TLS, Person, SessionPair, Side, server_id

TRIES: Final = 1000
MOST_SECONDS: Final = 0.001


class Guesser:
    """Somebody whose login by password is taken back to where the name is known, and tried again and again.

    Args:
        server: Answers.
        user: The name.
    """

    def __init__(self, server: WireServer, user: str) -> None:
        self._logins, self._person = PasswordLogins(server.context, bytes(32)), Person(user)
        self._pair = SessionPair.at(Side.SERVER, State.VERIFIER, who=self._person, password=SALTED)
        self._core: Any = self._pair.server
        self._keys: Any = vars(self._core)["_keys"]
        self._sequences = self._keys.sending.sequence, self._keys.receiving.sequence
        self._surroundings = self._core._surroundings
        self._kept = {**self._core.__dict__, "_transcript": None}
        self._transcript = self._core._transcript._hash.copy()
        self.seconds: list[float] = []

    def _rewind(self) -> None:
        self._core.__dict__.update(self._kept)
        self._core._transcript = type(self._pair.client._transcript)()
        self._core._transcript._hash = self._transcript.copy()
        self._keys.sending.sequence, self._keys.receiving.sequence = self._sequences

    def guess(self) -> None:
        """One wrong password, from the challenge to the refusal: processor time, without the client's own."""
        self._rewind()
        began = time.thread_time()
        answering = Deferred.fromCoroutine(self._logins.challenge(self._core, self._person.user, LOOPBACK))
        between = time.thread_time()
        _, known = self._result(answering)
        line = self._line()
        resumed = time.thread_time()
        wanted = self._core.receive_line(line)[0]
        assert isinstance(wanted, ProofWanted), wanted
        proving = Deferred.fromCoroutine(
            self._logins.prove(self._core, wanted.user, wanted.offer, LOOPBACK, known, lambda: True)
        )
        self.seconds.append(between - began + time.thread_time() - resumed)
        events, _ = self._result(proving)
        assert isinstance(events[-1], Failed), events

    def _line(self) -> bytes:
        """A proof that does not hold, with a signature that does."""
        offer = self._person.guest.offer
        message = client_auth_message(self._core._t2, TLS, server_id(), self._person.user, offer.device_id)
        signed = ed_sign(self._person.signing_key, "client auth", message)
        proof = PasswordProof(bytes(32), offer, signed).encode()
        return self._pair.forge(Side.CLIENT, RecordType.PASSWORD_PROOF, proof)

    @staticmethod
    def _result(answer: "Deferred[Any]") -> Any:
        found: list[Any] = []
        answer.addBoth(found.append)
        return found[0]


class TimingTests(SynchronousTestCase):
    """An unknown user and a wrong password."""

    def test_medians(self) -> None:
        """Over 1,000 tries of each, in turns, the medians of what the server takes are less than a millisecond apart."""
        server = WireServer(password_tries=10_000, password_tries_account=10_000)
        server.join(ALICE.user)
        known, unknown = Guesser(server, ALICE.user), Guesser(server, "alicf")
        for number in range(TRIES):
            for guesser in (known, unknown) if number % 2 else (unknown, known):
                guesser.guess()
        apart = abs(median(known.seconds) - median(unknown.seconds))
        self.assertLess(apart, MOST_SECONDS)
