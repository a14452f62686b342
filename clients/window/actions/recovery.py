"""The recovery code of our account: the first one, and those after it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from chatserv.client import ChatError, NewRecovery, shown, translate
from clients.shared.exit_codes import Exit
from clients.shared.first_code import write_code
from clients.shared.patience import Patience
from clients.window.actions.doing import Doing
from clients.window.dialogs.dialog import Field, tell
from clients.window.dialogs.recovery_code import CheckingCode, ShowingCode

REMIND_SECONDS: Final = 3.0  # the client learns of a backup when it has caught up
FILE_NAME: Final = "chatserv-{user}-recovery.txt"


class RecoveryActions:
    """Makes codes, and sees to it that somebody has them.

    Args:
        doing: Does it.
    """

    def __init__(self, doing: Doing) -> None:
        self._doing, self._context = doing, doing.context
        self._reminding = Patience(doing.context.reactor, REMIND_SECONDS, self._remind)
        self._making = False  # or shown, until somebody has entered it or not

    @property
    def missing(self) -> bool:
        """Whether there is none that somebody has, as far as we know."""
        client = self._context.client
        if client is None:
            return False
        return client.account.recovery == "none" or self._context.layout.settings.code_unchecked

    def make_first(self) -> None:
        """The account is new."""
        client = self._context.client
        if client is None:
            return

        async def work() -> None:
            self._making = True
            try:
                self._show(await client.account.new_recovery())
            except ChatError:
                self._making = False
                raise

        self._doing.run(work())

    def remind(self) -> None:
        """We are in: says in the conversation that there is none, once the client has looked."""
        self._reminding.end()
        self._reminding.begin()

    def stop(self) -> None:
        """Nothing is said any more."""
        self._reminding.end()

    def _remind(self) -> None:
        if self.missing and not self._making:
            said = translate(
                "You have no recovery code: whoever loses all devices loses the account. Make one with Account, No recovery "
                "code."
            )
            self._doing.presenter.say(said)

    def ask_for_new(self) -> None:
        """Asks before a code takes the place of the one before, and whether a passphrase shall do the same."""
        client = self._context.client
        if client is None:
            return
        text = translate(
            "Makes a new recovery code; codes and passphrases from before are of no use then. A passphrase beside it is at "
            "your choice: at least five words, chosen by chance."
        )
        fields = [Field(translate("Passphrase"), secret=True), Field(translate("Repeat passphrase"), secret=True)]

        async def make(values: list[str]) -> Callable[[], object]:
            made = await client.account.new_recovery(values[0] or None)
            return lambda: self._show(made)

        self._doing.ask_for(
            translate("New recovery code"), text, fields, translate("Make a code"), make,
            lambda values: "" if values[0] == values[1] else translate("The two passphrases differ."),
        )  # fmt: skip

    # -- shown, kept, asked for ----------------------------------------------------------------------------------------

    def _note(self, *, unchecked: bool) -> None:
        layout = self._context.layout
        layout.settings.code_unchecked = unchecked
        layout.remember()

    def _show(self, made: NewRecovery) -> None:
        self._note(unchecked=True)
        root = self._context.root
        dialog = ShowingCode(
            root, made, lambda: self._check(made), lambda: self._ask_for_file(dialog, made), self._skipped
        )
        dialog.open()

    def _check(self, made: NewRecovery) -> None:
        CheckingCode(self._context.root, made, self._right, lambda: self._show(made), self._skipped).ask()

    def _right(self) -> None:
        self._making = False
        self._note(unchecked=False)
        self._doing.presenter.say(translate("Your recovery code is right. Keep it well."))

    def _skipped(self) -> None:
        self._making = False
        text = translate(
            "Nobody knows whether you have the code, and it is not shown again. Without it, who loses all devices loses the "
            "account. Account, No recovery code makes another one."
        )
        tell(self._context.root, translate("No recovery code"), text)

    def _ask_for_file(self, dialog: ShowingCode, made: NewRecovery) -> None:
        name = FILE_NAME.format(user=self._context.session.us)
        text = translate(
            "Only you can read the file. Keep it apart from this device, such as on paper or a memory stick."
        )

        def save(values: list[str]) -> str | None:
            try:
                file = Path(values[0].strip()).expanduser()
                write_code(file, made)
            except Exit as error:
                return error.message
            except RuntimeError as error:  # whose home is that?
                return shown(str(error))
            dialog.say(translate("The recovery code is in {file}.").format(file=shown(str(file))))
            return None

        self._doing.form_for(
            translate("Save the recovery code"), text, [Field(translate("File"), str(Path.home() / name))],
            translate("Save"), save,
        )  # fmt: skip
