"""What a person asks for about their own account: password, end, what proves what, history as a file."""

from pathlib import Path
from typing import Final

from chatserv.client import ChatError, Exported, explained, prepared_password, shown, translate
from chatserv.client.errors import Forbidden, SlashError
from clients.shared.evidence_text import evidence_lines
from clients.window.actions.doing import Doing
from clients.window.dialogs.dialog import Field
from clients.window.dialogs.report import Report

HISTORY_NAME: Final = "chatserv-{user}-history.jsonl"


class AccountActions:
    """Each asks first, and stays until it is done.

    Args:
        doing: Does it.
    """

    def __init__(self, doing: Doing) -> None:
        self._doing, self._context = doing, doing.context

    def change_password(self) -> None:
        """Asks for a new one, twice."""
        client = self._context.client
        if client is None:
            return

        def wrong(values: list[str]) -> str:
            try:
                prepared_password(values[0])
            except ChatError as error:
                return error.explain()
            return "" if values[0] == values[1] else translate("The two passwords differ.")

        async def change(values: list[str]) -> str:
            await client.account.change_password(values[0])
            return translate("Your password is changed. It is asked for when you log in on a new device.")

        self._doing.ask_for(
            translate("Change password"),
            translate("The password lets you log in on a new device. Your devices stay logged in."),
            [Field(translate("New password"), secret=True), Field(translate("Repeat password"), secret=True)],
            translate("Change"), change, wrong,
        )  # fmt: skip

    def delete(self) -> None:
        """Asks for the name, so that nobody does it by accident."""
        client = self._context.client
        if client is None:
            return
        user = client.user
        text = translate(
            "This ends your account for good, on all devices. You leave every room, and nobody can have the name {user} "
            "again; what you have written stays with the others. To do it, enter your user name."
        )

        def wrong(values: list[str]) -> str:
            typed = values[0].strip().removeprefix("@").casefold()
            return "" if typed == user else translate("That is not your user name.")

        async def delete(values: list[str]) -> str:
            del values
            try:
                await client.account.delete()
            except Forbidden:
                raise SlashError(translate("You are the last administrator: make somebody else one first.")) from None
            return translate("Your account is gone. What this device keeps can be deleted with its profile.")

        self._doing.ask_for(
            translate("Delete account"), text.format(user=shown(user)), [Field(translate("User name"))],
            translate("Delete for good"), delete, wrong,
        )  # fmt: skip

    # -- what proves what ----------------------------------------------------------------------------------------------

    def audit(self, user: str = "") -> None:
        """What the server's log says about us and those in our rooms, or about somebody."""
        talk = self._context.talk
        if talk is None or self._context.client is None:
            return
        title = translate("What the log says") if not user else translate("What the log says about {user}")
        free = self._doing.watch()

        async def work() -> None:
            lines = await talk.carry_out(("audit", user))
            report = Report(self._context.root, title.format(user=shown(user)), lines)
            report.open(report.lines, take=free())

        self._doing.run(work())

    def check_evidence(self) -> None:
        """Asks for a file, and says what it comes to."""

        def check(values: list[str]) -> str | None:
            try:
                lines = evidence_lines(_path(values[0]))
            except ChatError as error:
                return explained(error)
            report = Report(self._context.root, translate("Evidence"), lines)
            form.close()
            report.open(report.lines)
            return ""

        text = translate(
            "A file with which somebody wants to prove that a server has shown two different logs. Neither they nor the "
            "server have to be trusted for that."
        )
        form = self._doing.form_for(
            translate("Check evidence"), text, [Field(translate("File"))], translate("Check"), check
        )

    # -- history as a file ---------------------------------------------------------------------------------------------

    def export_history(self) -> None:
        """Asks for a file, and says that it is not sealed."""
        client = self._context.reader
        if client is None:
            return
        text = translate(
            "The file will hold what this device keeps of your rooms, and will not be sealed: whoever reads it reads the "
            "messages, and can prove to others who wrote them. What was edited stays in it as it was first written."
        )

        async def export(values: list[str]) -> str:
            path = _path(values[0])
            return exported(await client.export_history(str(path)), path)

        name = Path.home() / HISTORY_NAME.format(user=client.user)
        self._doing.ask_for(
            translate("Export history"),
            text,
            [Field(translate("File"), str(name))],
            translate("Export"),
            export,
            _missing,
        )

    def import_history(self) -> None:
        """Asks for a file that another device has exported."""
        client = self._context.reader
        if client is None:
            return
        text = translate(
            "Reads the messages that another device of yours has exported. Each is checked; twice is the same as once."
        )

        async def take(values: list[str]) -> str:
            said = "\n".join((await client.import_history(str(_path(values[0])))).told())
            self._doing.presenter.reload()
            return said

        self._doing.ask_for(
            translate("Import history"), text, [Field(translate("File"))], translate("Import"), take, _missing
        )


def exported(found: Exported, path: Path) -> str:
    """What came of it."""
    lines = [translate("Messages written to {file}: {count}.").format(file=shown(str(path)), count=found.messages)]
    if found.unproved:
        lines.append(translate("Of these without proof of who wrote them: {count}.").format(count=found.unproved))
    return "\n".join(lines)


def _missing(values: list[str]) -> str:
    return "" if values[0].strip() else translate("Something is missing.")


def _path(given: str) -> Path:
    """As a person names it. Raises `SlashError`."""
    try:
        return Path(given.strip()).expanduser().absolute()
    except RuntimeError as error:  # whose home is that?
        raise SlashError(shown(str(error))) from None
