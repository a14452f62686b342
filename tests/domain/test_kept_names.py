"""Names that no new account can have."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.kept_names import KEPT, new_user_name
from chatserv.domain.names import user_name
from chatserv.domain.roles import Role
from chatserv.errors import NameInvalid, NameTaken
from chatserv.wire import messages
from tests.support.server import WireServer
from tests.support.smith import code

LOOK_ALIKE = (
    "ADMIN", "Root", "r00t", "ro0t", "adm1n", "admin2", "admin007", "_admin_", "ad.min", "ad-min", "l0bby", "1obby",
    "lobby-", "server1", "\uff53\uff45\uff52\uff56\uff45\uff52", "systern", "everyone0", "all.", "administración", "mod3",
)  # fmt: skip
OTHERS = (
    "alice",
    "hall",
    "modi",
    "mode",
    "badmin",
    "rooth",
    "teamo",
    "observer",
    "serverin",
    "adam",
    "oliver",
    "admiral",
)


class KeptNamesTests(SynchronousTestCase):
    """What `new_user_name` promises, and who keeps to it."""

    def test_kept(self) -> None:
        """None of the table, nor what looks like one of them, with signs and numbers or without."""
        for name in (*KEPT, *LOOK_ALIKE):
            self.assertRaises(NameTaken, new_user_name, name)

    def test_others(self) -> None:
        """Names that only begin or end like one are as good as any, and what is no name is none."""
        self.assertEqual(list(OTHERS), [new_user_name(name) for name in OTHERS])
        self.assertRaises(NameInvalid, new_user_name, "two words")

    def test_beginning(self) -> None:
        """A new account's name begins with a letter or a digit of any script; older ones may have a sign there."""
        for name in ("~ann", "&ann", "%ann", "+ann", "$ann", "=ann", "-ann", "_ann", ".ann", "'ann"):
            self.assertEqual(user_name(name), name)
            self.assertRaises(NameInvalid, new_user_name, name)
        for name in ("ann~", "7ann", "ánn", "аня", "安"):
            self.assertEqual(new_user_name(name), name)

    def test_canonical(self) -> None:
        """The table is of names as they are kept."""
        self.assertEqual(set(KEPT), {user_name(name) for name in KEPT})

    def test_registration(self) -> None:
        """The server makes no such account, with an invite for that name or without."""
        server = WireServer()
        admin = server.join("alice", Role.ADMIN)
        signed = server.log_in(server.account("~ann"), token=b"")
        self.assertEqual("name_invalid", None if signed.error is None else signed.error.code)
        self.assertEqual("name_invalid", code(admin.ask(messages.MakeInvite, name="~ann")))
        for name in ("root", "adm1n", "lobby"):
            refused = server.log_in(server.account(name), token=b"")
            self.assertEqual("name_taken", None if refused.error is None else refused.error.code)
            self.assertIsNone(server.wait(server.memory.account(name)))
            self.assertEqual("name_taken", code(admin.ask(messages.MakeInvite, name=name)))

    def test_from_before(self) -> None:
        """Accounts that exist stay: they log in, and repeat a registration whose answer was lost."""
        server = WireServer()
        root = server.account("root")
        server.smith.register(root)
        self.assertTrue(server.log_in(root).authenticated)
        self.assertTrue(server.log_in(root, token=b"").authenticated)
        admin = server.join("alice", Role.ADMIN)
        self.assertEqual("Ok", code(admin.ask(messages.Suspend, user="root", on=True)))
