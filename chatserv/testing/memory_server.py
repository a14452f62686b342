"""A whole server in memory: real sessions, TLS and commands over `iosim`, with a clock of its own."""

import functools
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test import iosim
from zope.interface import implementer

from chatserv.backplane.local import LocalBackplane
from chatserv.client.account.keyring import Keyring, rsa_key_der
from chatserv.client.account.profile import Profile
from chatserv.commands.context import Context
from chatserv.commands.effects import Effects
from chatserv.commands.mending import prepare as prepare_mending
from chatserv.commands.uploads import Uploads
from chatserv.config import Config, Security, Server
from chatserv.crypto.password import PasswordParameters, make_verifier, own_secret
from chatserv.crypto.statements import DeviceFacts, make_certificate
from chatserv.crypto.suite import generate_rsa, pss_sign, rsa_key_id, rsa_spki, sha256
from chatserv.domain.roles import Role
from chatserv.limits import Limits
from chatserv.live_settings import LiveSettings
from chatserv.models import Invite, Registration
from chatserv.net.authenticator import Authenticator, first_leaves
from chatserv.net.effects import reactor_effects
from chatserv.net.factory import ChatFactory
from chatserv.net.keys import _self_signed
from chatserv.net.tls import server_context
from chatserv.node_ports import Backplane
from chatserv.own_identity import public_identity
from chatserv.private_files import make_directory
from chatserv.store.limits import StoreLimits
from chatserv.store.memory import MemoryStore
from chatserv.testing.memory_blobs import MemoryBlobs
from chatserv.testing.memory_reactor import InlinePool, MemoryReactor
from chatserv.wire.framing import ALPN
from chatserv.wire.parameters import SessionContext

T = TypeVar("T")
NOW_MS = 1_760_000_000_000
PASSWORD = "correct horse battery"  # noqa: S105 - of accounts that live for a test
CHEAP = PasswordParameters(19_456, 2, 1)


@functools.cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """An RSA-3072 key, made once in a run."""
    assert name
    return generate_rsa()


@functools.cache
def tls_material() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Key and certificate of the listener."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, _self_signed(key, [])


def server_id() -> bytes:
    """What clients pin."""
    return rsa_key_id(rsa_key("server"))


@functools.cache
def keyring(user: str) -> Keyring:
    """A keyring for ``user``, not registered. Users with a number in their name share RSA keys, to save time."""
    shared = any(map(str.isdecimal, user))
    identity, device = (rsa_key(f"{what} {'of many' if shared else user}") for what in ("identity", "device"))
    signing = ed25519.Ed25519PrivateKey.generate()
    device_id = sha256(user.encode())[:16]
    identity_spki = rsa_spki(identity.public_key())
    facts = DeviceFacts(
        server_id=server_id(),
        user=user,
        device_id=device_id,
        rsa_spki=rsa_spki(device.public_key()),
        ed25519=signing.public_key().public_bytes_raw(),
        created_ms=NOW_MS,
        identity_fingerprint=sha256(identity_spki),
    )
    return Keyring(
        server_id=server_id(),
        host="chat.example",
        port=5000,
        user=user,
        device_id=device_id,
        identity_key=rsa_key_der(identity),
        device_key=rsa_key_der(device),
        signing_key=signing.private_bytes_raw(),
        rng_seed=bytes(32),
        certificate=make_certificate(facts, identity, signing),
        verifier=make_verifier(PASSWORD, bytes(16), CHEAP).encode(),
        registered=False,
    )


@implementer(IStreamClientEndpoint)
class MemoryEndpoint:
    """Leads to a `MemoryServer`."""

    def __init__(self, server: "MemoryServer") -> None:
        self._server = server

    def connect(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803 - Twisted's name
        """Connects at once, or is refused where the server is down."""
        return self._server.connect(protocolFactory)


class MemoryServer:
    """The real server without sockets, threads and disk. Nothing moves before `run`.

    Args:
        registration: As in the settings.
        max_connections: As in the settings.
        **limits: Limits other than the defaults.
    """

    def __init__(
        self,
        registration: Any = "invite",
        max_connections: int = 100,
        **limits: Any,
    ) -> None:
        self.reactor = self._make_reactor()
        self.up, self.attempts, self.connections = True, [], []  # type: tuple[bool, list[float], list[Any]]
        self.config = Config(
            server=Server(max_connections=max_connections),
            security=Security(registration=registration),
            limits=Limits(unauthenticated_per_network=100, **limits),
        )
        self.store, self.files = self._open_store(), MemoryBlobs()
        self._random_count = 0
        self.key, self.rotations = "server", ()  # type: tuple[str, tuple[bytes, ...]]
        self.compose()

    def _make_reactor(self) -> MemoryReactor:
        return MemoryReactor()

    def _open_store(self) -> MemoryStore:
        store = MemoryStore(StoreLimits())
        self.await_(store.open())
        return store

    def _make_backplane(self, _effects: Effects) -> Backplane:
        return LocalBackplane()

    def compose(self) -> None:
        """Puts the server together over its store: at first, and after `restart`."""
        key = rsa_key(self.key)
        identity = public_identity(key, self.rotations)
        effects = reactor_effects(self.reactor, self.now_ms, self._random)
        settings = LiveSettings(self.config)
        uploads = Uploads(self.files, self.store, settings, effects)
        parts = self.store, self._make_backplane(effects), settings, effects, identity, self._sign
        self.context = Context.of(*parts, uploads=uploads)
        store = self.store
        rooms, consents = self._rooms_here()
        self.context.take_in(
            rooms,
            consents,
            self.await_(store.log()),
            self.await_(store.bans()),
            self.await_(store.addresses()),
        )
        sign = functools.partial(pss_sign, key)
        self._sign_first(sign)
        prepare_mending(self.context, self.await_(store.mending_state()), sign)
        self.context.mending.begin()
        around = SessionContext(self._random, self.now_ms, self.reactor.seconds)
        secret = own_secret(rsa_key("server"))
        authenticator = Authenticator(self.context, InlinePool(), key, secret)  # type: ignore[arg-type]
        self.factory = ChatFactory(self.context, identity, around, authenticator, self.reactor)
        self.factory.wheel.start()

    def _rooms_here(self) -> Any:
        """The rooms that a start takes in, and what their users say."""
        return self.await_(self.store.rooms()), self.await_(self.store.consents())

    def _sign_first(self, sign: Callable[[bytes], bytes]) -> None:
        self.context.log.sign_first(sign)

    def restart(self) -> None:
        """The process dies and another one starts over the same store."""
        self.cut()
        self.factory.wheel.stop()
        for listeners in (self.store._listeners, self.store._log_listeners, self.store._control_listeners):
            listeners.clear()
        self.compose()

    async def _sign(self, signed: bytes) -> bytes:
        return pss_sign(rsa_key(self.key), signed)

    def _random(self, size: int) -> bytes:
        self._random_count += 1
        return hashlib.shake_256(b"server %d" % self._random_count).digest(size)

    def now_ms(self) -> int:
        """The clock, in milliseconds since 1970."""
        return NOW_MS + int(self.reactor.seconds() * 1000)

    def await_(self, awaitable: Awaitable[T]) -> T:
        """The result of something that does not wait."""

        async def wait() -> T:
            return await awaitable

        results: list[Any] = []
        Deferred.fromCoroutine(wait()).addBoth(results.append)
        assert results, "it waits"
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]  # type: ignore[no-any-return]

    def invite(self, user: str, role: Role = Role.USER) -> bytes:
        """A fresh invite's token for this user."""
        token = sha256(user.encode())
        self.await_(self.store.add_invite(Invite(sha256(token), role, NOW_MS * 2, user), self.now_ms()))
        return token

    def add_account(self, user: str, *, logged: bool = False) -> None:
        """Registers the account of `keyring` without a connection; only where ``logged`` does the log know of it."""
        ring, spki = keyring(user), keyring(user).identity_spki()
        leaves = first_leaves(server_id(), user, spki, ring.certificate, self.now_ms()) if logged else ()
        registration = Registration(None, user, user, spki, ring.device_id, ring.certificate, ring.verifier, leaves)
        self.await_(self.store.register(registration, self.now_ms()))

    def profile(self, directory: str, user: str, *, registered: bool = False) -> Profile:
        """A profile with the keyring of ``user``."""
        path = Path(directory)
        make_directory(path)
        profile = Profile(path)
        profile.save_keyring(msgspec.structs.replace(keyring(user), registered=registered))
        return profile

    # -- connections ---------------------------------------------------------------------------------------------------

    def endpoint(self) -> MemoryEndpoint:
        """Where clients connect to."""
        return MemoryEndpoint(self)

    def connect(self, factory: Any) -> Deferred[Any]:
        """A connection between a client's factory and ours, both behind TLS."""
        self.attempts.append(self.reactor.seconds())
        if not self.up:
            return fail(ConnectError())
        options = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_3, acceptableProtocols=[ALPN])
        ours: Any = TLSMemoryBIOFactory(server_context(*tls_material()), False, self.factory, self.reactor)
        theirs: Any = TLSMemoryBIOFactory(options, True, factory, self.reactor)
        server, client = ours.buildProtocol(None), theirs.buildProtocol(None)
        server_end, client_end = iosim.FakeTransport(server, True), iosim.FakeTransport(client, False)
        pump = iosim.connect(server, server_end, client, client_end, greet=False, clock=self.reactor)
        self.connections.append(pump)
        return succeed(client.wrappedProtocol)

    def run(self) -> bool:
        """Moves bytes until nothing moves any more; says whether anything moved."""
        moved = False
        while any([pump.flush() for pump in list(self.connections)]):  # noqa: C419 - all of them
            moved = True
        self.connections = [
            pump for pump in self.connections if not (pump.clientIO.disconnected and pump.serverIO.disconnected)
        ]
        return moved

    def pass_time(self, seconds: float) -> None:
        """Lets time pass, a second at a time, and moves bytes."""
        while seconds > 0:
            self.reactor.advance(min(seconds, 1.0))
            seconds -= 1.0
            self.run()

    def cut(self) -> None:
        """Every connection dies at once; what was under way is lost."""
        dead, self.connections = self.connections, []
        for pump in dead:
            for end in (pump.serverIO, pump.clientIO):
                end.disconnecting = end.disconnected = True
                end.stream = []
                end.protocol.connectionLost(Failure(ConnectionLost()))
