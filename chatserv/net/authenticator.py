"""The authenticator: answers what a session core cannot know alone, from the key, the store and the hub."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from chatserv.commands.context import Context
from chatserv.commands.session import Admission, places_of
from chatserv.crypto.log_leaves import LeafType, user_leaf
from chatserv.crypto.statements import DeviceFacts, certificate_facts
from chatserv.crypto.suite import pss_sign, sha256
from chatserv.domain.kept_names import new_user_name
from chatserv.domain.names import skeleton
from chatserv.errors import AuthFailed, Forbidden, InviteInvalid, ServerFull, WireError
from chatserv.models import Account, LeafDraft, Registration
from chatserv.net.pool import CryptoPool
from chatserv.wire.server_session import ServerSession
from chatserv.wire.session import Authenticated, DeviceWanted, Event, RegistrationWanted, SignatureWanted

Wanted = SignatureWanted | DeviceWanted | RegistrationWanted | Authenticated


@dataclass(frozen=True)
class Answer:
    """What goes back into the connection: the core's events, and whom they admit once FINISHED verifies.

    ``admission``: FINISHED has verified, and the account may come in.
    """

    events: list[Event]
    account: Account | None = None
    certificate: bytes = b""
    admission: Admission | None = None


class Authenticator:
    """Answers for all connections.

    Args:
        context: Store, hub and settings.
        pool: Where the identity key signs.
        key: The server's RSA-3072 identity key.
    """

    def __init__(self, context: Context, pool: CryptoPool, key: rsa.RSAPrivateKey) -> None:
        self._context, self._pool, self._key = context, pool, key

    async def answer(self, session: ServerSession, wanted: Wanted, host: str, before: Answer | None = None) -> Answer:
        """Does what is wanted and feeds the core. An error of ours becomes a refusal that the client is told.

        ``host``: where the connection comes from. ``before``: the answer that it had last.
        """
        try:
            self._check_address(host)
            match wanted:
                case SignatureWanted(to_sign):
                    return Answer(session.signed(await self._pool.run(pss_sign, self._key, to_sign)))
                case DeviceWanted():
                    return await self._look_up(session, wanted)
                case RegistrationWanted():
                    return await self._register(session, wanted)
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
            return Answer(session.device(None))
        return Answer(session.device(device.certificate), device.account, device.certificate)

    async def _register(self, session: ServerSession, wanted: RegistrationWanted) -> Answer:
        request, mode, context = wanted.request, self._context.config.security.registration, self._context
        if context.hub.full:
            raise self._full()
        if mode == "closed":
            raise Forbidden("registration is closed")
        if mode == "invite" and not request.token:
            raise InviteInvalid("registration without an invite")
        if await context.store.account(request.user) is None:  # who has such a name from before may repeat the request
            new_user_name(request.user)
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
            leaves=self._leaves(request.user, request.identity_spki, request.certificate),
        )
        account = await context.store.register(registration, context.now_ms())
        await context.log.covered(context.log.size)
        return Answer(session.registered(request.certificate), account, request.certificate)

    def _full(self) -> ServerFull:
        return ServerFull("max_connections", after_seconds=self._context.config.limits.retry_seconds)

    def _leaves(self, user: str, identity_spki: bytes, certificate: bytes) -> tuple[LeafDraft, ...]:
        server_id, now_ms = self._context.log.server_id, self._context.now_ms()
        statements = ((LeafType.UIK, identity_spki), (LeafType.DEVICE, certificate))
        return tuple(
            LeafDraft(user_leaf(kind, server_id, user, sha256(signed), signed, now_ms).encode(), signed)
            for kind, signed in statements
        )

    async def _admit(self, host: str, known: Answer | None) -> Answer:
        """What the session of a device begins with that has proved who it is. Nothing was said about it before that.

        It is true at the moment at which this returns: what is changed while the store is asked is asked for again.

        Raises:
            AuthFailed: The device was revoked meanwhile.
            Forbidden: The account is suspended or banned, or the address.
            ServerFull: There is no place for another session.
        """
        if known is None or known.account is None:
            raise AssertionError("authenticated without an account")
        hub, account = self._context.hub, known.account
        device = certificate_facts(known.certificate)
        while True:
            arrival = hub.expect(device.device_id, account.name)
            try:
                admission = await self._admission(account, device)
            finally:
                hub.arrived(arrival)
            if not arrival.touched:
                break
        self._check_address(host)
        if not hub.has_room_for(device.device_id):
            raise self._full()
        return Answer([], account, known.certificate, admission)

    async def _admission(self, account: Account, device: DeviceFacts) -> Admission:
        context = self._context
        if await context.store.device(account.name, device.device_id) is None:
            raise AuthFailed("the device was revoked")
        status = await context.store.account(account.name)
        if status is None or status.suspended or context.bans.holds_account(account.name):
            raise Forbidden("suspended or banned", by="server")
        reads = await context.store.read_marks(account.account_id)
        prekeys = await context.store.prekeys_left(device.device_id)
        places = await places_of(context, account.name, device.device_id)
        return Admission(status, device.device_id, device.ed25519, places, reads, prekeys)
