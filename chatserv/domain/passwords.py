"""Passwords as both ends see them: prepared by the OpaqueString profile (RFC 8265 section 4.2)."""

from typing import Final

from precis_i18n import get_profile

from chatserv.errors import ChatError
from chatserv.i18n import N_

MIN_CHARACTERS: Final = 8
MAX_BYTES: Final = 1024
MIN_WORDS: Final = 5
MIN_WORD_CHARACTERS: Final = 3


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


class PassphraseInvalid(ChatError):
    """A recovery passphrase that is too easy to find. The detail never repeats it."""

    code = "passphrase_invalid"
    text = N_("This passphrase cannot be used: take at least five different words by chance, and not your password.")


def prepared_passphrase(text: str, password: str = "") -> str:  # nosec B107  # none to compare with
    """The form of a recovery passphrase that keys are derived from: words in small letters with single spaces between.

    Whoever gets at the sealed backup can try passphrases without anybody noticing, so it has to be longer than a password.

    Args:
        text: As it was typed.
        password: The one for logging in, where it is known: the server's rate limit protects that one alone.

    Raises:
        PassphraseInvalid: It has fewer than five different words of three letters, or is the password.
    """
    try:
        passphrase: str = get_profile("OpaqueString").enforce(" ".join(text.casefold().split()))
    except UnicodeEncodeError:
        raise PassphraseInvalid("passphrase: a character that is not allowed, or nothing") from None
    words = {word for word in passphrase.split(" ") if len(word) >= MIN_WORD_CHARACTERS}
    if len(words) < MIN_WORDS:
        raise PassphraseInvalid(f"passphrase: {len(words)} different words, {MIN_WORDS} wanted")
    if len(passphrase.encode()) > MAX_BYTES:
        raise PassphraseInvalid(f"passphrase: longer than {MAX_BYTES} bytes")
    if passphrase == " ".join(password.casefold().split()):
        raise PassphraseInvalid("passphrase: the password")
    return passphrase
