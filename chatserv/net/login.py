"""The login desk: answers what a session core cannot know alone, from the key, the store and the hub."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa

from chatserv.commands.context import Context
from chatserv.crypto.suite import pss_sign, sha256
from chatserv.domain.names import skeleton
from chatserv.errors import Forbidden, InviteInvalid, ServerFull, WireError
from chatserv.net.pool import CryptoPool
from chatserv.ports import Account, Membership, Registration
from chatserv.wire.server_session import ServerSession
from chatserv.wire.session import DeviceWanted, Event, RegistrationWanted, SignatureWanted

NOBODY = bytes(16)  # an account id that no account has
Wanted = SignatureWanted | DeviceWanted | RegistrationWanted


@dataclass(frozen=True)
class Answer:
    """What goes back into the connection: the core's events, and whom they admit once FINISHED verifies."""

    events: list[Event]
    account: Account | None = None
    memberships: dict[bytes, int] = field(default_factory=dict)


class LoginDesk:
    """Answers for all connections.

    Args:
        context: Store, hub and settings.
        pool: Where the identity key signs.
        key: The server's RSA-3072 identity key.
    """

    def __init__(self, context: Context, pool: CryptoPool, key: rsa.RSAPrivateKey) -> None:
        self._context, self._pool, self._key = context, pool, key

    async def answer(self, session: ServerSession, wanted: Wanted) -> Answer:
        """Does what is wanted and feeds the core. An error of ours becomes a refusal that the client is told."""
        try:
            match wanted:
                case SignatureWanted(to_sign):
                    return Answer(session.signed(await self._pool.run(pss_sign, self._key, to_sign)))
                case DeviceWanted():
                    return await self._look_up(session, wanted)
                case RegistrationWanted():
                    return await self._register(session, wanted)
        except WireError as error:
            return Answer(session.refuse(error))

    async def _look_up(self, session: ServerSession, wanted: DeviceWanted) -> Answer:
        # The same look-ups for a device that does not exist: who asks must not learn it from the time.
        store = self._context.store
        device = await store.device(wanted.user, wanted.device_id)
        rooms = await store.memberships(NOBODY if device is None else device.account.account_id)
        if device is None:
            return Answer(session.device(None))
        return _admitted(session.device(device.certificate), device.account, rooms)

    async def _register(self, session: ServerSession, wanted: RegistrationWanted) -> Answer:
        request, mode = wanted.request, self._context.config.security.registration
        if self._context.hub.full:
            raise ServerFull("max_connections", after_seconds=self._context.config.limits.retry_seconds)
        if mode == "closed":
            raise Forbidden("registration is closed")
        if mode == "invite" and not request.token:
            raise InviteInvalid("registration without an invite")
        registration = Registration(
            token_hash=sha256(request.token) if request.token else None,
            name=request.user,
            skeleton=skeleton(request.user),
            identity_spki=request.identity_spki,
            device_id=wanted.facts.device_id,
            certificate=request.certificate,
            verifier=request.verifier,
        )
        store = self._context.store
        account = await store.register(registration, self._context.now_ms())
        rooms = await store.memberships(account.account_id)
        return _admitted(session.registered(request.certificate), account, rooms)


def _admitted(events: list[Event], account: Account, rooms: Sequence[Membership]) -> Answer:
    return Answer(events, account, {room.room_id: room.since for room in rooms})
