"""What a person asks for about people."""

from chatserv.client import MemberView, shown, translate
from clients.window.dialogs import tell
from clients.window.doing import Doing
from clients.window.verifying import Verifying


class PeopleActions:
    """Who is there, and who they are.

    Args:
        doing: Does it.
    """

    def __init__(self, doing: Doing) -> None:
        self._doing = doing

    def member(self, user: str) -> MemberView | None:
        """Somebody in the room on the screen, or banned from it."""
        handle = self._doing.here()
        if handle is None:
            return None
        return next((one for one in (*handle.members(), *handle.members(banned=True)) if one.user == user), None)

    def verify(self, user: str) -> None:
        """Shows the safety number with somebody."""
        client = self._doing.client
        if client is None or not user:
            return
        if user == client.user:
            tell(self._doing.layout.root, translate("Verify"), translate("That is you."))
            return
        free = self._doing.watch()

        async def work() -> None:
            found = await client.people.verification(user)

            def compare(given: str) -> None:
                self._doing.run(judge(given))

            async def judge(given: str) -> None:
                if await client.people.compare(user, given):
                    dialog.close()
                    said = translate("{user} is verified.").format(user=shown(user))
                    self._doing.conversations.say(said)
                    self._doing.screen.chat.ask()
                    self._doing.screen.members.ask()
                else:
                    dialog.say(
                        translate(
                            "It is NOT the same. If nothing was mistyped, somebody may be in the middle: tell {user} by "
                            "another way, and say nothing secret here."
                        ).format(user=shown(user))
                    )

            dialog = Verifying(self._doing.layout.root, found, lambda: compare(found.number), compare)
            dialog.open(dialog.given, take=free())

        self._doing.run(work())
