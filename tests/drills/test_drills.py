"""Every drill of several nodes in small; and the table itself."""

from twisted.trial.unittest import SynchronousTestCase

from tests.drills.__main__ import in_order, lines
from tests.drills.drill import DRILLS
from tests.drills.rules import RULES
from tests.support.nats import require_program
from tests.support.postgres import require_programs


class DrillTests(SynchronousTestCase):
    """``make cluster-drill SHORT=1``."""

    timeout = 900

    def test_short(self) -> None:
        """All pass."""
        require_programs()
        require_program()
        told = list(lines(in_order(), short=True))
        self.assertEqual([], [line for line, good in told if not good])
        self.assertEqual(len(told), len(DRILLS))


class TableTests(SynchronousTestCase):
    """The drills, and the switches of their rules."""

    def test_switches(self) -> None:
        """Each rule can be switched off, and nothing else is there to be switched off."""
        names = {each.off for each in DRILLS.values() if isinstance(each.off, str)}
        self.assertEqual(names, set(RULES))

    def test_last(self) -> None:
        """What leaves nodes that nothing can be played on is played at the end."""
        self.assertEqual([each.last for each in in_order()], [False] * (len(DRILLS) - 1) + [True])
