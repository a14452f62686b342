"""The list of what irctest makes of the gateway, and our own tests of the same."""

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from tests.clients.irc.standard.scene import SceneTestCase
from tests.irctest.run import GROUPS, known

LEAST = 115


class CasesTests(SynchronousTestCase):
    """``cases.toml``."""

    def test_own_tests(self) -> None:
        """Whatever passes names a test of ours that there is, and which plays a scene."""
        passes, _ = known()
        self.assertGreaterEqual(len(passes), LEAST)
        for ours in set(passes.values()):
            where, _, name = ours.rpartition(".")
            case = namedAny(where)
            self.assertTrue(issubclass(case, SceneTestCase), ours)
            self.assertIn(name, vars(case))

    def test_modules(self) -> None:
        """And each class of scenes is named by something that passes."""
        passes, _ = known()
        named = {ours.rpartition(".")[0] for ours in passes.values()}
        for module in ("talking", "registering", "rooms", "modes", "people", "supported", "history"):
            there = vars(namedAny(f"tests.clients.irc.standard.test_{module}")).values()
            for case in there:
                if isinstance(case, type) and issubclass(case, SceneTestCase) and case is not SceneTestCase:
                    self.assertIn(f"{case.__module__}.{case.__name__}", named)

    def test_reasons(self) -> None:
        """Whatever fails has a reason, passes nowhere, and is of a group that is run."""
        passes, fails = known()
        self.assertFalse(passes.keys() & fails.keys())
        self.assertTrue(all(fails.values()))
        groups = tuple(f"{group.replace('/', '.')}." for group in GROUPS)
        for name in (*passes, *fails):
            self.assertTrue(name.startswith(groups), name)
