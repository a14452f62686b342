"""Why a person does not get back into their account, in words that say what to do."""

from chatserv.errors import ChatError
from chatserv.i18n import N_


class NoBackup(ChatError):
    """The server has no backup of the account."""

    code = "no_backup"
    text = N_(
        "The server has no backup of this account. Approve this device on another one of yours; if you have none left, ask "
        "an administrator for a reset link."
    )


class WrongCode(ChatError):
    """A code or passphrase without a typing error that does not open the backup."""

    code = "wrong_code"
    text = N_(
        "This does not open the backup. A newer code replaces the one before, and the server may be showing an older "
        "backup."
    )


class BackupDamaged(ChatError):
    """The code is right, and what the server gives as the backup is not what a device left there."""

    code = "backup_damaged"
    text = N_("The code is right, but the server's backup is damaged or was changed. Ask whoever runs the server.")


class BackupOutdated(ChatError):
    """The identity in the backup is not the one that the log has for the account."""

    code = "backup_outdated"
    text = N_(
        "Your identity has changed since this backup was made, so it is of no use: the server shows an old one, or an "
        "administrator has reset your account. Ask whoever runs the server, and warn the people you talk to."
    )


class IdentityMismatch(ChatError):
    """The server says that the account has another identity than the log has."""

    code = "identity_mismatch"
    text = N_("The server says something else about your identity than its log does. Ask whoever runs the server.")


class EnrolmentRefused(ChatError):
    """The person has refused this device on another one of theirs."""

    code = "enrolment_refused"
    text = N_("This device was refused on another device of yours.")
