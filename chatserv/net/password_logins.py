"""Logins by password, on the server's side: what a session core cannot know alone (docs/protocol.rst 4.7 and 4.8)."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from chatserv.account_models import PasswordLogin
from chatserv.commands.context import Context
from chatserv.commands.rate_limits import Share
from chatserv.commands.session import GuestAdmission
from chatserv.crypto.password import PasswordVerifier, network_hash, verifier_of_nobody
from chatserv.crypto.statements import certificate_facts
from chatserv.domain.anteroom import network_of
from chatserv.errors import AuthFailed, BadMessage, Forbidden, WireError
from chatserv.models import Account
from chatserv.wire.password_login import GuestOffer
from chatserv.wire.server_session import ServerSession
from chatserv.wire.session import Event, Failed

NOTE_SECONDS: Final = 86_400.0  # the store is told of a network once in this while


class PasswordTry(Struct, frozen=True):
    """A login by password under way. ``login``: None where there is no such user; ``offer``: once the proof is there."""

    login: PasswordLogin | None
    offer: GuestOffer | None = None


class PasswordLogins:
    """All of them.

    Args:
        context: Store, guests and settings.
        secret: The server's own (`chatserv.crypto.password.own_secret`).
    """

    def __init__(self, context: Context, secret: bytes) -> None:
        self._context, self._secret = context, secret
        self._noted: OrderedDict[tuple[bytes, bytes], float] = OrderedDict()  # when the store was told of a network

    async def challenge(self, session: ServerSession, user: str, host: str) -> tuple[list[Event], PasswordTry]:
        """Answers `chatserv.wire.session.VerifierWanted`. Raises `RateLimited` where too many tries failed."""
        self._context.passwords.check(user, host)
        login = await self._context.store.login(user)
        verifier = verifier_of_nobody(self._secret, user)  # made at any rate: the unknown takes as long as the known
        if login is not None:
            verifier = PasswordVerifier.decode(login.verifier)
        return session.challenge(verifier, known=login is not None), PasswordTry(login)

    async def prove(
        self,
        session: ServerSession,
        user: str,
        offer: GuestOffer,
        host: str,
        known: PasswordTry,
        alive: Callable[[], bool],
    ) -> tuple[list[Event], PasswordTry]:
        """Answers `chatserv.wire.session.ProofWanted`: lets the proof be tried when it is its turn.

        Raises:
            RateLimited, Busy: As `chatserv.commands.password_gate.PasswordGate.turn`.
        """
        gate, login = self._context.passwords, known.login
        account_id = bytes(16) if login is None else login.account.account_id
        network = self._network(account_id, host)  # made at any rate, as in `challenge`
        familiar = login is not None and network in login.networks
        await gate.turn(user, host, familiar=familiar, alive=alive)
        if not alive():
            return [], known
        events = session.proved()
        gate.tried(user, host, familiar=familiar, held=not any(isinstance(event, Failed) for event in events))
        return events, PasswordTry(login, offer)

    async def admit(self, known: PasswordTry) -> GuestAdmission:
        """What the session of a guest begins with that has proved to have the password.

        Raises:
            Forbidden: The account is suspended or banned.
            AuthFailed: The password was changed meanwhile.
            BadMessage: The device that is offered is another one of the account.
            ServerFull: There is no place for a guest.
            RateLimited: The account's devices were told of as many guests as they may be in a day.
        """
        login, offer, context = known.login, known.offer, self._context
        if login is None or offer is None:
            raise AssertionError("a guest without a proof")
        name = login.account.name
        context.flow.check(Share.GUESTS, login.account.account_id)
        while True:
            arrival = context.hub.expect(offer.device_id, name)
            try:
                admission = await self._admission(name, login.verifier, offer)
            finally:
                context.hub.arrived(arrival)
            if not arrival.touched:
                break
        context.guests.check_place(name, offer.device_id)
        context.flow.take(Share.GUESTS, login.account.account_id)
        return admission

    async def _admission(self, name: str, verifier: bytes, offer: GuestOffer) -> GuestAdmission:
        context = self._context
        await context.backplane.arrive({}, await context.store.numbers())  # what is forbidden meanwhile is known here
        login, status = await context.store.login(name), await context.store.account(name)
        if login is None or login.verifier != verifier:
            raise AuthFailed("the password was changed")
        if status is None or status.suspended or context.bans.holds_account(name):
            raise Forbidden("suspended or banned", by="server")
        device = await context.store.device(name, offer.device_id)
        if device is not None and certificate_facts(device.certificate).ed25519 != offer.ed25519:
            raise BadMessage("the device that is offered is another one")
        return GuestAdmission(status, login.identity_spki, offer)

    def note(self, account: Account, host: str) -> None:
        """The account has logged in from there: whoever comes from there waits behind nobody."""
        key = (account.account_id, self._network(account.account_id, host))
        now = self._context.effects.seconds()
        if now - self._noted.get(key, -NOTE_SECONDS) < NOTE_SECONDS:
            return
        self._noted[key] = now
        self._noted.move_to_end(key)
        if len(self._noted) > self._context.config.limits.counters:
            self._noted.popitem(last=False)
        self._context.effects.spawn(self._store(*key))

    async def _store(self, account_id: bytes, network: bytes) -> None:
        try:
            await self._context.store.note_network(account_id, network, self._context.now_ms())
        except WireError:  # a full disk, say: the next login tells it again
            self._noted.pop((account_id, network), None)

    def _network(self, account_id: bytes, host: str) -> bytes:
        return network_hash(self._secret, account_id, network_of(host))
