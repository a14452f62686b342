"""What administrators ask for about accounts."""

from collections.abc import Callable

from chatserv.client import ServerLink, format_link, shown, translate, user_name
from chatserv.client.errors import ChatError, NotFound, SlashError
from clients.window.actions.doing import Doing
from clients.window.dialogs.dialog import Field, Form


class AdminActions:
    """Links and ends.

    Args:
        doing: Does it.
    """

    def __init__(self, doing: Doing) -> None:
        self._doing, self._context = doing, doing.context

    def invite(self) -> None:
        """Makes a link that lets one person register, and shows it."""
        client = self._context.client
        if client is None:
            return
        free = self._doing.watch()

        async def work() -> None:
            self._show(translate("Invitation to the server"), await client.admin.make_invite(), take=free())

        self._doing.run(work())

    def _show(self, title: str, link: ServerLink, *, take: bool = True) -> None:
        text = translate("Give this link to one person, in a way that you trust. It works once.")
        shown_link = format_link(link)
        form = Form(
            self._context.root, title, text, [Field(translate("Link"), shown_link)], translate("Copy"),
            lambda _: self._doing.copy(shown_link),
        )  # fmt: skip
        form.ask(take=take)

    def reset_identity(self, user: str = "") -> None:
        """Asks whose, says what it means, and shows the link."""
        client = self._context.client
        if client is None:
            return
        text = translate(
            "Makes a link for somebody who has lost every device and the recovery code. Whoever uses it is that user from "
            "then on, with a new identity: their devices end, everybody in their rooms sees it, those who have verified "
            "them compare again, and private rooms have to take them in again. Be sure whom you give it to."
        )

        async def reset(values: list[str]) -> Callable[[], object]:
            name = user_name(values[0])
            try:
                link = await client.admin.reset_link(name)
            except NotFound:
                raise SlashError(_nobody(name)) from None
            return lambda: self._show(translate("New identity for {user}").format(user=shown(name)), link)

        self._doing.ask_for(
            translate("Reset identity"), text, [Field(translate("User name"), user)], translate("Make the link"), reset,
            _wrong,
        )  # fmt: skip

    def delete_user(self, user: str = "") -> None:
        """Asks for the name, so that nobody does it by accident."""
        client = self._context.client
        if client is None:
            return
        about = translate("The account ends for good, and nobody can ever have that name again.")
        if user:
            about = translate("The account {user} ends for good, and nobody can ever have that name again.")
        text = translate("What was written stays with those who read it. To do it, enter the user name.")

        def wrong(values: list[str]) -> str:
            other = user and values[0].strip().removeprefix("@").casefold() != user
            own = values[0].strip().removeprefix("@").casefold() == client.user
            if own:
                return translate("That is you: use Account, Delete account.")
            return translate("That is another user name.") if other else _wrong(values)

        async def delete(values: list[str]) -> str:
            name = user_name(values[0])
            try:
                await client.admin.delete(name)
            except NotFound:
                raise SlashError(_nobody(name)) from None
            return translate("The account {user} is gone.").format(user=shown(name))

        self._doing.ask_for(
            translate("Delete an account"), f"{about.format(user=shown(user))} {text}", [Field(translate("User name"))],
            translate("Delete for good"), delete, wrong,
        )  # fmt: skip


def _wrong(values: list[str]) -> str:
    try:
        user_name(values[0])
    except ChatError as error:
        return error.explain()
    return ""


def _nobody(name: str) -> str:
    return translate("There is nobody named {user} on this server.").format(user=shown(name))
