"""``chatserv-client --invite``, without a server."""

from chatserv.client import (
    Status,
    StatusChanged,
)
from tests.clients.program_fakes import ProgramTestCase


class InviteTests(ProgramTestCase):
    """``--invite``."""

    def test_link(self) -> None:
        """The link is printed, and nothing else."""
        self.program("--invite", "--invite-name", "carol", "--invite-admin")
        self.assert_ended(0)
        self.assertEqual(self.client.calls, [("invite", "carol", True)])
        self.assertRegex(self.output.getvalue(), r"^chatserv://\S+\n$")

    def test_refused(self) -> None:
        """Whoever is no administrator gets 5."""
        self.program("--invite", online=False)
        self.client.is_admin = False
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assert_ended(5, "not allowed")
