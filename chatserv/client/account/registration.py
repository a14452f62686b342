"""From a link to the keys of a new account."""

import secrets
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.threads import deferToThread

from chatserv.client.account.failures import ProfileError
from chatserv.client.account.keyring import Keyring, make_keyring
from chatserv.client.account.profile import Profile
from chatserv.clocks import now_ms
from chatserv.domain.kept_names import new_user_name
from chatserv.domain.names import user_name
from chatserv.domain.passwords import prepared_password
from chatserv.i18n import _
from chatserv.wire.link import ServerLink


async def prepare_account(
    profile: Profile,
    link: ServerLink,
    user: str,
    password: str,
    *,
    in_thread: Callable[..., Any] = deferToThread,
) -> Keyring:
    """Makes the keys of a new account (1 to 3 s, in a thread) and remembers them; `Client.start` then registers.

    Keys of an earlier try for the same server, name and password are taken again, so that a registration whose answer was
    lost works.

    Args:
        profile: Where the account will be kept.
        link: Of the server.
        user: The name wanted.
        password: Stays on this machine; the server gets to know a verifier.
        in_thread: Runs slow functions; by default in the reactor's threads.

    Raises:
        NameInvalid, NameTaken, PasswordInvalid: Name or password cannot be used.
        ProfileError: The profile has an account already.
    """
    known, name = profile.keyring(), user_name(user)
    if known is None or known.user != name:  # else it was begun, when nobody minded
        new_user_name(name)
    if known is not None and known.registered:
        said = _("already has the account {user}; use another --profile").format(user=known.user)
        raise ProfileError(f"{profile.directory}: {said}")
    prepared, address = prepared_password(password), (link.host, link.port)
    if (
        known is not None
        and (known.server_id, known.user) == (link.fingerprint, name)
        and await in_thread(known.has_password, prepared)
    ):
        keyring = known
    else:
        keyring = await in_thread(
            make_keyring, link.fingerprint, address, name, prepared, now_ms(), secrets.token_bytes
        )
    keyring = msgspec.structs.replace(keyring.moved(link.addresses), required_key=link.key)
    await in_thread(profile.save_keyring, keyring)
    return keyring
