"""Before anything else: the profile is unlocked, or sealed for the first time."""

from collections.abc import Callable
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from chatserv.client import (
    ChatError,
    ProfileKey,
    ProfileLocked,
    leave_unsealed,
    seal_profile,
    translate,
    unlock,
)
from clients.shared.exit_codes import Exit, exit_for
from clients.shared.sealing import Task, find_task, opened_by_another, passphrase_needed, passphrase_of
from clients.window.context import WindowContext
from clients.window.dialogs.dialog import Dialog, tell
from clients.window.dialogs.passphrase import PassphraseForm


class Unlocking:
    """Asks for what it takes, and leaves the session's profile with its key.

    Args:
        context: What all parts share.
        done: The profile can be used.
        in_thread: Runs slow functions.
    """

    def __init__(
        self, context: WindowContext, done: Callable[[], object], in_thread: Callable[..., Any] = deferToThread
    ) -> None:
        self._context, self._done, self._in_thread = context, done, in_thread
        self.form: PassphraseForm | None = None

    def start(self) -> None:
        """Looks what there is to do, and does it."""
        profile, options = self._context.session.profile, self._context.arguments
        try:
            task = find_task(profile, options, somebody=True)
            opened = opened_by_another(profile)
            given = passphrase_of(options) if opened is None else None
            asked = task is Task.UNLOCK and given is None and profile.sealing.value == "passphrase"
        except (ChatError, Exit) as error:
            self._stop(error)
            return
        if opened is not None:
            self._opened(opened.key)
        elif asked:
            self._ask()
        elif task is Task.UNLOCK:
            self._try(unlock, given, self._stop)
        elif task is Task.SEAL:
            self._try(seal_profile, given, self._not_sealed if given is None else self._stop)
        else:
            self._done()

    def seal(self) -> None:
        """Seals a profile that was left unsealed, and goes on as after a start. Nobody must have it open."""
        self._try(seal_profile, None, self._not_sealed)

    def _try(
        self, work: Callable[..., ProfileKey | None], passphrase: str | None, failed: Callable[[Exception], object]
    ) -> None:
        def broken(failure: Failure) -> None:
            if not isinstance(failure.value, ChatError):
                failure.raiseException()
            failed(failure.value)

        trying = self._in_thread(work, self._context.session.profile, passphrase)
        trying.addCallbacks(self._opened, broken)

    def _opened(self, key: ProfileKey | None) -> None:
        session, form = self._context.session, self.form
        session.profile, self.form = session.profile.unlocked(key), None
        if form is not None:
            form.succeed()
        self._done()

    # -- the passphrase ------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        text = translate("What this device keeps is sealed. Enter its passphrase.")
        label, take = translate("Unlock"), lambda passphrase: self._try(unlock, passphrase, self._wrong)
        self.form = PassphraseForm(self._context.root, text, label, take, self._context.quit)
        self.form.ask()

    def _wrong(self, error: Exception) -> None:
        wrong = isinstance(error, ProfileLocked) and error.wrong
        if self.form is not None:
            self.form.refuse(translate("That is not the passphrase.") if wrong else exit_for(error).message)

    # -- the first time ------------------------------------------------------------------------------------------------

    def _not_sealed(self, error: Exception) -> None:
        """No keyring holds the key: a passphrase has to."""
        if not isinstance(error, ProfileLocked):
            self._refused(error)
            return
        self.form = PassphraseForm(
            self._context.root,
            passphrase_needed(),
            translate("Seal"),
            lambda passphrase: self._try(seal_profile, passphrase, self._refused),
            self._done,
            self._leave,
        )
        self.form.ask()

    def _refused(self, error: Exception) -> None:
        """It stays as it was, and can be used as it is."""
        form, self.form = self.form, None
        if form is not None:
            form.succeed()
        tell(self._context.root, translate("Profile"), exit_for(error).message)
        self._done()

    def _leave(self) -> None:
        self.form = None
        try:
            leave_unsealed(self._context.session.profile)
        except ChatError as error:
            tell(self._context.root, translate("Profile"), exit_for(error).message)
        self._done()

    # -- nothing goes --------------------------------------------------------------------------------------------------

    def _stop(self, error: Exception) -> None:
        """Says why the profile cannot be used."""
        dialog = Dialog(self._context.root, translate("Profile"))

        def again() -> None:
            dialog.close()
            self.start()

        dialog.text(str(error) if isinstance(error, Exit) else exit_for(error).message)
        dialog.buttons((translate("Try again"), again), (translate("Quit"), self._context.quit))
        dialog.open()
