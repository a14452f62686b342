"""``--invite``: a link that lets one person register."""

from chatserv.client import format_link
from clients.plain.script import Errand
from clients.shared.exit_codes import DONE, Exit


class InviteMode(Errand):
    """Prints the link."""

    async def _work(self) -> None:
        link = await self._client.admin.make_invite(self._arguments.invite_name, admin=self._arguments.invite_admin)
        self._printing.line(format_link(link))
        self.finish(Exit(DONE))
