"""A whole server in memory for the client's tests: real sessions, TLS and commands over `iosim`, with a clock of its own."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test import iosim
from zope.interface import implementer

from chatserv.backplane.local import LocalBackplane
from chatserv.client.keyring import Keyring
from chatserv.client.profile import Profile
from chatserv.commands.context import Context
from chatserv.config import Config, Limits, Security, Server
from chatserv.crypto.password import PasswordParameters, make_verifier
from chatserv.crypto.statements import DeviceFacts, make_certificate
from chatserv.crypto.suite import generate_rsa, rsa_spki, sha256
from chatserv.domain.hub import Hub, LiveRoom
from chatserv.domain.names import skeleton
from chatserv.domain.roles import Role
from chatserv.net.factory import ChatFactory
from chatserv.net.keys import _self_signed
from chatserv.net.login import LoginDesk
from chatserv.net.tls import server_context
from chatserv.ports import Invite, Registration
from chatserv.private_files import make_directory
from chatserv.store.limits import StoreLimits
from chatserv.store.memory import MemoryStore
from chatserv.wire.framing import ALPN
from chatserv.wire.handshake import METHOD_DEVICE, METHOD_REGISTER
from chatserv.wire.parameters import ServerIdentity, Surroundings

NOW_MS = 1_760_000_000_000
PASSWORD = "correct horse battery"
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
    return sha256(rsa_spki(rsa_key("server").public_key()))


@functools.cache
def keyring(user: str) -> Keyring:
    """A keyring for ``user``, not registered; the RSA keys are shared to save time."""
    identity, device = rsa_key("identity"), rsa_key("device")
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
        identity_key=_der(identity),
        device_key=_der(device),
        signing_key=signing.private_bytes_raw(),
        rng_seed=bytes(32),
        certificate=make_certificate(facts, identity, signing),
        verifier=make_verifier(PASSWORD, bytes(16), CHEAP).encode(),
        registered=False,
    )


def _der(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class InlinePool:
    """A thread pool that does everything at once, in the calling thread."""

    def callInThreadWithCallback(  # noqa: N802 - Twisted's name
        self, done: Callable[[bool, Any], None], function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        """Runs it and tells the result."""
        try:
            result = function(*args, **kwargs)
        except Exception:  # noqa: BLE001 - the caller gets the Failure
            done(False, Failure())
        else:
            done(True, result)

    def run(self, operation: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """The face of `chatserv.net.pool.CryptoPool`."""
        return succeed(operation(*args))


class MemoryReactor(Clock):
    """A clock with the threads of `InlinePool`."""

    def getThreadPool(self) -> InlinePool:  # noqa: N802 - Twisted's name
        """The pool."""
        return InlinePool()

    def callFromThread(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:  # noqa: N802
        """There are no threads."""
        function(*args, **kwargs)


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
    """

    def __init__(self, registration: Any = "invite", max_connections: int = 100) -> None:
        self.reactor = MemoryReactor()
        self.up, self.attempts, self.connections = True, [], []  # type: tuple[bool, list[float], list[Any]]
        self.store = MemoryStore(StoreLimits())
        self.await_(self.store.open())
        config = Config(
            server=Server(max_connections=max_connections),
            security=Security(registration=registration),
            limits=Limits(),
        )
        hub = Hub(max_connections)
        rooms = self.await_(self.store.rooms())
        hub.add_rooms(LiveRoom(room.room_id, room.name, room.epoch, room.head) for room in rooms)
        self.lobby: bytes = rooms[0].room_id
        self.context = Context(self.store, hub, config, lambda: NOW_MS, self._random)
        backplane = LocalBackplane()
        self.store.subscribe(backplane.publish)
        backplane.subscribe(self.context.deliver)
        self._counter = 0
        identity = rsa_key("server")
        methods = (METHOD_DEVICE,) if registration == "closed" else (METHOD_DEVICE, METHOD_REGISTER)
        surroundings = Surroundings(self._random, lambda: NOW_MS, self.reactor.seconds)
        self.factory = ChatFactory(
            self.context,
            ServerIdentity(rsa_spki(identity.public_key()), bytes(methods)),
            surroundings,
            LoginDesk(self.context, InlinePool(), identity),  # type: ignore[arg-type]
            self.reactor,
        )
        self.factory.wheel.start()

    @staticmethod
    def await_(awaitable: Any) -> Any:
        """The result of something that does not really wait."""
        result: list[Any] = []
        Deferred.fromCoroutine(awaitable).addBoth(result.append)
        if isinstance(result[0], Failure):
            result[0].raiseException()
        return result[0]

    def _random(self, size: int) -> bytes:
        self._counter += 1
        return (sha256(b"%d" % self._counter) * 3)[:size]

    # -- accounts -------------------------------------------------------------------------------------------------------

    def add_invite(self, token: bytes, name: str = "", role: Role = Role.USER) -> None:
        """An invite."""
        self.await_(self.store.add_invite(Invite(sha256(token), role, NOW_MS + 3_600_000, name), NOW_MS))

    def add_account(self, user: str, role: Role = Role.USER) -> None:
        """Registers the account of `keyring` without a connection."""
        ring, token = keyring(user), sha256(user.encode())
        self.add_invite(token, user, role)
        registration = Registration(
            token_hash=sha256(token),
            name=user,
            skeleton=skeleton(user),
            identity_spki=ring.new_account(b"").identity_spki,
            device_id=ring.device_id,
            certificate=ring.certificate,
            verifier=ring.verifier,
        )
        self.await_(self.store.register(registration, NOW_MS))

    def profile(self, directory: str, user: str, *, registered: bool = True) -> Profile:
        """A profile with the keyring of ``user``."""
        path = Path(directory)
        make_directory(path)
        profile = Profile(path)
        profile.save_keyring(msgspec.structs.replace(keyring(user), registered=registered))
        return profile

    def stored(self) -> list[tuple[str, bytes]]:
        """Who said what in the lobby."""
        events = self.await_(self.store.events(self.lobby, 0, 100_000))
        return [(event.sender, event.body) for event in events]

    # -- connections ----------------------------------------------------------------------------------------------------

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

    def run(self) -> None:
        """Moves bytes until nothing moves any more."""
        while sum(pump.flush() for pump in list(self.connections)):
            pass
        self.connections = [
            pump for pump in self.connections if not (pump.clientIO.disconnected and pump.serverIO.disconnected)
        ]

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
