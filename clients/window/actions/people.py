"""What a person asks for about people."""

from chatserv.client import ChatError, MemberView, shown, translate
from clients.window.actions.doing import Doing
from clients.window.dialogs.dialog import confirm, tell
from clients.window.dialogs.verification import Verifying


class PeopleActions:
    """Who is there, and who they are.

    Args:
        doing: Does it.
    """

    def __init__(self, doing: Doing) -> None:
        self._doing, self._context = doing, doing.context

    def member(self, user: str) -> MemberView | None:
        """Somebody in the room on the screen, or banned from it."""
        handle = self._context.here()
        if handle is None or handle.offered:
            return None
        return next((one for one in (*handle.members(), *handle.members(banned=True)) if one.user == user), None)

    def ignores(self, user: str) -> bool:
        """Whether we do not want to hear somebody."""
        client = self._context.reader
        return client is not None and user in client.people.ignored()

    def ask_to_ignore(self, user: str) -> None:
        """Asks first."""
        text = translate(
            "Ignore {user}? On this device you will no longer see their messages in any room, nor their "
            "invitations. They are not told."
        )
        confirm(
            self._context.root, translate("Ignore"), text.format(user=shown(user)), translate("Ignore"),
            lambda: self.ignore(user),
        )  # fmt: skip

    def ignore(self, user: str, *, on: bool = True) -> None:
        """We do not want to hear somebody, or do again."""
        client = self._context.reader
        if client is None:
            return
        try:
            if on:
                client.people.ignore(user)
            else:
                client.people.unignore(user)
        except ChatError as error:
            self._doing.refuse(error)
        self._doing.presenter.reload()

    def verify(self, user: str) -> None:
        """Shows the safety number with somebody."""
        client = self._context.client
        if client is None or not user:
            return
        if user == client.user:
            tell(self._context.root, translate("Verify"), translate("That is you."))
            return
        free = self._doing.watch()

        async def work() -> None:
            found = await client.people.verification(user)

            def compare(given: str) -> None:
                self._doing.run(validate(given))

            async def validate(given: str) -> None:
                if await client.people.compare(user, given):
                    dialog.close()
                    self._doing.presenter.say(translate("{user} is verified.").format(user=shown(user)))
                    self._doing.presenter.lists.members.ask()
                else:
                    dialog.say(
                        translate(
                            "The numbers do NOT match. If nothing was mistyped, somebody may be in the "
                            "middle: tell {user} some other way, and write nothing secret here."
                        ).format(user=shown(user))
                    )

            dialog = Verifying(self._context.root, found, lambda: compare(found.number), compare)
            dialog.open(dialog.given, take=free())

        self._doing.run(work())
