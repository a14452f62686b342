"""Passwords as both ends see them: prepared by the OpaqueString profile (RFC 8265 section 4.2)."""

from typing import Final

from precis_i18n import get_profile

from chatserv.errors import ChatError
from chatserv.i18n import N_

MIN_CHARACTERS: Final = 8
MAX_BYTES: Final = 1024


class PasswordInvalid(ChatError):
    """A password that cannot be used. The detail never repeats it."""

    code = "password_invalid"
    text = N_("This password cannot be used: use at least 8 characters, and no control characters.")


def prepared_password(text: str) -> str:
    """The form of a password that keys are derived from. Raises `PasswordInvalid`."""
    try:
        password: str = get_profile("OpaqueString").enforce(text)
    except UnicodeEncodeError:
        raise PasswordInvalid("password: a character that is not allowed") from None
    if len(password) < MIN_CHARACTERS:
        raise PasswordInvalid(f"password: shorter than {MIN_CHARACTERS} characters")
    if len(password.encode()) > MAX_BYTES:
        raise PasswordInvalid(f"password: longer than {MAX_BYTES} bytes")
    return password
