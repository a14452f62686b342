"""What can be wrong with a profile, in words that say what to do."""

from chatserv.i18n import N_
from chatserv.local_errors import LocalFileError


class ProfileError(LocalFileError):
    """A profile that cannot be used; the detail says what to do."""

    code = "profile"
    text = N_("The profile on this machine cannot be used.")


class ProfileInUse(ProfileError):
    """Another program holds the profile."""


class ProfileLocked(ProfileError):
    """The profile is sealed, and its key is not at hand; nothing is lost.

    Args:
        detail, file: As for every error of a file.
        wrong: Whether a passphrase was given, and was not the right one.
    """

    code = "profile_locked"
    text = N_("The profile on this machine is sealed, and could not be opened.")

    def __init__(self, detail: str = "", *, file: object = "", wrong: bool = False) -> None:
        super().__init__(detail, file=file)
        self.wrong = wrong
