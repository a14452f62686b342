"""From a link, a name and a password to a guest of that account, on a machine that has no device of it yet."""

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.threads import deferToThread

from chatserv.client.account.failures import ProfileError
from chatserv.client.account.keyring import Keyring, NewDevice, unwrapper
from chatserv.client.account.profile import Profile
from chatserv.client.connection.addresses import chance, in_turn
from chatserv.client.connection.endpoints import CONNECT_SECONDS, plain_endpoint, tls_endpoint
from chatserv.client.connection.guest import GuestConnection
from chatserv.client.connection.protocol import Login
from chatserv.client.recovery.guest import Guest
from chatserv.clocks import now_ms, steady_seconds
from chatserv.crypto.server_keys import ServerKeys
from chatserv.domain.names import user_name
from chatserv.domain.passwords import prepared_password
from chatserv.errors import ChatError
from chatserv.i18n import _
from chatserv.wire.client_session import PinMismatch
from chatserv.wire.link import Address, ServerLink
from chatserv.wire.parameters import GuestCredentials


async def log_in(
    profile: Profile,
    link: ServerLink,
    user: str,
    password: str,
    *,
    reactor: Any,
    plain: bool = False,
    endpoint: IStreamClientEndpoint | None = None,
    in_thread: Callable[..., Any] = deferToThread,
    clock: Callable[[], int] = now_ms,
    seconds: Callable[[], float] = steady_seconds,
) -> Guest:
    """Logs in to an account that has no device here, to make this machine one; takes a second, and nothing is kept yet.

    What an earlier run has begun is finished at once (`Guest.complete`).

    Args:
        profile: Where the account will be kept. Unlocked, where it is sealed.
        link: Of the server; its token is not used.
        user: The account.
        password: Stays on this machine.
        reactor: The reactor.
        plain: Without TLS, as for a `Client`.
        endpoint: Where to connect, by default the link's addresses, one after the other.
        in_thread: Runs slow functions; by default in the reactor's threads.
        clock: The date, milliseconds since 1970.
        seconds: A clock that never goes back.

    Raises:
        NameInvalid, PasswordInvalid: No account can have such a name or password.
        AuthFailed: There is no such account, or the password is another one.
        RateLimited: Too many passwords were tried; its ``after_seconds`` say when to go on.
        Forbidden: The account is suspended or banned.
        PinMismatch: Another server answers than the link names.
        Offline: The server cannot be reached.
        Interrupted: The connection went meanwhile.
        ProfileError: The profile has an account already, or another program uses it.
    """
    name, prepared = user_name(user), prepared_password(password)
    release = profile.hold()
    try:
        begun = _begun(profile, link, name)
        if begun is None:
            device = await in_thread(NewDevice.make, clock(), secrets.token_bytes)
        else:
            device = NewDevice.of(begun)
        keys = ServerKeys(link.fingerprint, link.key)
        login = Login(keys, GuestCredentials(name, device.offer, device.signing))

        known = link.addresses if endpoint is None else link.addresses[:1]
        patience = CONNECT_SECONDS / len(known)

        def connect(guest: Guest) -> GuestConnection:
            return GuestConnection(
                reactor, login, prepared, unwrapper(device.device_key),
                on_notice=guest.told, on_lost=guest.lost, plain=plain, seconds=seconds, patience=patience,
            )  # fmt: skip

        make = partial(plain_endpoint if plain else tls_endpoint, reactor)

        async def enter(addresses: tuple[Address, ...]) -> tuple[Guest, ChatError | None]:
            guest = Guest(profile, keys, addresses, name, device, connect, in_thread, release)
            try:
                await guest.begin(endpoint or make(*addresses[0], patience), begun)
            except ChatError as error:
                return guest, error
            return guest, None

        return await _somewhere(enter, known)
    except BaseException:
        release()
        raise


async def _somewhere(
    enter: Callable[[tuple[Address, ...]], Awaitable[tuple[Guest, ChatError | None]]], known: tuple[Address, ...]
) -> Guest:
    """Enters at the first of these addresses at which our server answers; what it says there is final, or raised."""
    troubles: list[ChatError] = []
    for address in in_turn(known, None, chance):
        guest, error = await enter(tuple(dict.fromkeys([address, *known])))
        if error is None:
            return guest
        troubles.append(error)
        if guest.proven:
            raise error
    raise next((each for each in troubles if not isinstance(each, PinMismatch)), troubles[0])


def _begun(profile: Profile, link: ServerLink, user: str) -> Keyring | None:
    """The keyring of an enrolment that was not finished. Raises `ProfileError` where there is an account already."""
    known = profile.keyring()
    if known is None:
        return None
    if known.registered:
        said = _("already has the account {user}; use another --profile").format(user=known.user)
        raise ProfileError(f"{profile.directory}: {said}")
    if not known.enrolling or (known.server_id, known.user) != (link.fingerprint, user):
        return None
    return known
