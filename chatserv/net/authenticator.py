"""The authenticator: answers what a session core cannot know alone, from the key, the store and the hub."""

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct

from chatserv.commands.attendance import let_go
from chatserv.commands.context import Context
from chatserv.commands.endings import register, reset_account
from chatserv.commands.session import Admission, GuestAdmission, places_in
from chatserv.crypto.log_leaves import LeafType, user_leaf
from chatserv.crypto.statements import DeviceFacts, certificate_facts
from chatserv.crypto.suite import pss_sign, sha256
from chatserv.domain.kept_names import new_user_name
from chatserv.domain.names import skeleton
from chatserv.errors import AuthFailed, Busy, Forbidden, InviteInvalid, ReadOnly, ServerFull, WireError
from chatserv.failpoints import failpoint
from chatserv.models import Account, LeafDraft, Registration
from chatserv.net.password_logins import PasswordLogins, PasswordTry
from chatserv.net.pool import CryptoPool
from chatserv.wire.handshake import RegistrationRequest
from chatserv.wire.server_session import ServerSession
from chatserv.wire.session import (
    Authenticated,
    DeviceWanted,
    Event,
    ProofWanted,
    RegistrationWanted,
    SignatureWanted,
    VerifierWanted,
)

Wanted = SignatureWanted | DeviceWanted | RegistrationWanted | VerifierWanted | ProofWanted | Authenticated


class Answer(Struct, frozen=True):
    """What goes back into the connection: the core's events, and whom they admit once FINISHED verifies.

    ``password``: where a password is tried. ``admission``: FINISHED has verified, and the account may come in.
    """

    events: list[Event]
    account: Account | None = None
    certificate: bytes = b""
    password: PasswordTry | None = None
    admission: Admission | GuestAdmission | None = None

    def forget(self, context: Context) -> None:
        """The connection has gone meanwhile."""
        if self.admission is not None:
            self.admission.forget(context)


class Authenticator:
    """Answers for all connections.

    Args:
        context: Store, hub and settings.
        pool: Where the identity key signs.
        key: The server's RSA-3072 identity key.
        login_secret: What it makes secrets of logins by password from, 32 bytes.
    """

    def __init__(self, context: Context, pool: CryptoPool, key: rsa.RSAPrivateKey, login_secret: bytes) -> None:
        self._context, self._pool, self._key = context, pool, key
        self._passwords = PasswordLogins(context, login_secret)

    async def answer(
        self,
        session: ServerSession,
        wanted: Wanted,
        host: str,
        before: Answer | None = None,
        alive: Callable[[], bool] = lambda: True,
    ) -> Answer:
        """Does what is wanted and feeds the core. An error of ours becomes a refusal that the client is told.

        ``host``: where the connection comes from. ``before``: the answer that it had last. ``alive``: whether the
        connection is still there.
        """
        try:
            self._check_address(host)
            match wanted:
                case SignatureWanted(to_sign):
                    return Answer(session.signed(await self._pool.run(pss_sign, self._key, to_sign)))
                case DeviceWanted():
                    return await self._look_up(session, wanted)
                case RegistrationWanted():
                    await self._context.backplane.current()  # a ban of another node counts here
                    self._check_address(host)
                    return await self._register(session, wanted)
                case VerifierWanted(user):
                    events, known = await self._passwords.challenge(session, user, host)
                    return Answer(events, password=known)
                case ProofWanted(user, offer):
                    if before is None or before.password is None:
                        raise AssertionError("a proof without a challenge")
                    events, known = await self._passwords.prove(session, user, offer, host, before.password, alive)
                    return Answer(events, password=known)
                case Authenticated():
                    return await self._admit(host, before)
        except WireError as error:
            return Answer(session.refuse(error))

    def _check_address(self, host: str) -> None:
        """The address may have been banned since the connection was taken."""
        if self._context.bans.holds_address(host):
            raise Forbidden("banned address", by="server")

    async def _look_up(self, session: ServerSession, wanted: DeviceWanted) -> Answer:
        device = await self._context.store.device(wanted.user, wanted.device_id)
        if device is None:
            if self._context.mending.active:  # it may have come after the backup, and be offered yet
                raise ReadOnly("unknown device, while mending", after_seconds=self._context.mending.retry_seconds)
            return Answer(session.device(None))
        return Answer(session.device(device.certificate), device.account, device.certificate)

    async def _register(self, session: ServerSession, wanted: RegistrationWanted) -> Answer:
        request, context = wanted.request, self._context
        if context.hub.full:
            raise self._full()
        if context.mending.active:
            raise ReadOnly("a restored server mends", after_seconds=context.mending.retry_seconds)
        reset = await self._resets(request.token)
        if not reset:
            await self._check_open(request)
        await self._check_name(request.user)
        await context.backplane.current()
        if context.bans.holds_account(request.user):
            raise Forbidden("registration of a banned name", by="server")
        registration = Registration(
            token_hash=sha256(request.token) if request.token else None,
            name=request.user,
            skeleton=skeleton(request.user),
            identity_spki=request.identity_spki,
            device_id=wanted.facts.device_id,
            certificate=request.certificate,
            verifier=request.verifier,
            leaves=first_leaves(
                context.log.server_id,
                request.user,
                request.identity_spki,
                request.certificate,
                context.now_ms(),
                LeafType.RESET if reset else LeafType.UIK,
            ),
            reset=reset,
        )
        failpoint("registration.checked")
        account = await (reset_account if reset else register)(context, registration)
        failpoint("registration.stored")
        await context.log.covered()
        return Answer(session.registered(request.certificate), account, request.certificate)

    async def _check_open(self, request: RegistrationRequest) -> None:
        """Raises `InviteInvalid` where nobody may come in so, but who repeats what was done already."""
        mode = self._context.config.security.registration
        if mode == "open" or (mode == "invite" and request.token):
            return
        if not await self._context.store.certificates([sha256(request.certificate)]):
            raise InviteInvalid("registration is closed" if mode == "closed" else "registration without an invite")

    async def _check_name(self, name: str) -> None:
        """Raises as `new_user_name`, but for who has such a name from before, and may repeat the request."""
        try:
            new_user_name(name)
        except WireError:
            if await self._context.store.account(name) is None:
                raise

    def _full(self) -> ServerFull:
        return ServerFull("max_connections", after_seconds=self._context.config.limits.retry_seconds)

    async def _resets(self, token: bytes) -> bool:
        """Whether this is the token of a link by which an account is given a new identity."""
        invite = await self._context.store.open_invite(sha256(token)) if token else None
        return invite is not None and invite.reset

    async def _admit(self, host: str, known: Answer | None) -> Answer:
        if known is not None and known.password is not None:
            guest = await self._passwords.admit(known.password)
            answer = Answer([], guest.status.account, admission=guest)
        else:
            answer = await self._admit_device(known)
        self._check_address(host)
        self._context.effects.count("logins", "device" if known is None or known.password is None else "password")
        if answer.account is not None:
            self._passwords.note(answer.account, host)
        return answer

    async def _admit_device(self, known: Answer | None) -> Answer:
        """What the session of a device begins with that has proved who it is. Nothing was said about it before that.

        It is true at the moment at which this returns: what is changed while the store is asked is asked for again. What is
        for the device is heard from the other nodes by then, and until `attendance.let_go`.

        Raises:
            AuthFailed: The device was revoked meanwhile.
            Forbidden: The account is suspended or banned, or the address.
            ServerFull: There is no place for another session.
            Busy: The device has begun a session on another node meanwhile.
        """
        if known is None or known.account is None:
            raise AssertionError("authenticated without an account")
        failpoint("login.proved")
        device = certificate_facts(known.certificate)
        arrival = self._context.hub.expect(device.device_id)  # else an earlier one that ends stops the hearing
        try:
            await self._context.backplane.attend(device.device_id)
            admission = await self._admission_now(known.account, device)
        except BaseException:
            self._context.hub.arrived(arrival)
            let_go(self._context, device.device_id)
            raise
        self._context.hub.arrived(arrival)
        return Answer([], known.account, known.certificate, admission=admission)

    async def _admission_now(self, account: Account, device: DeviceFacts) -> Admission:
        hub = self._context.hub
        while True:
            arrival = hub.expect(device.device_id, account.name)
            try:
                admission = await self._admission(account, device)
            finally:
                hub.arrived(arrival)
            if not arrival.touched:
                break
        if arrival.overtaken > admission.number:
            raise Busy("the device has logged in elsewhere", after_seconds=self._context.config.limits.retry_seconds)
        if not hub.has_room_for(device.device_id):
            raise self._full()
        return admission

    async def _admission(self, account: Account, device: DeviceFacts) -> Admission:
        context, name = self._context, account.name
        found = await context.store.arriving(name, device.device_id)
        if found is None:
            raise AuthFailed("the device was revoked")
        if found.status.suspended or context.bans.holds_account(name):
            raise Forbidden("suspended or banned", by="server")
        places = await places_in(context, name, found.standing)
        await context.log.covered(context.log.endings)  # else a room that has just ended would be missing unexplained
        number = await context.store.session_number()
        return Admission(
            found.status, device.device_id, device.ed25519, places, found.reads, found.prekeys, found.backup, number
        )


def first_leaves(
    server_id: bytes, user: str, identity_spki: bytes, certificate: bytes, now_ms: int, kind: LeafType = LeafType.UIK
) -> tuple[LeafDraft, ...]:
    """What the log says of a new account, or of one that is reset: its identity, and its first device."""
    statements = ((kind, identity_spki), (LeafType.DEVICE, certificate))
    return tuple(
        LeafDraft(user_leaf(each, server_id, user, sha256(signed), signed, now_ms).encode(), signed)
        for each, signed in statements
    )
