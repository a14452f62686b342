"""What random histories of people and their devices have found, and a few new ones in each run (docs/accounts.rst)."""

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from tests.client.histories import Histories

EXAMPLES = int(os.environ.get("CHATSERV_HISTORIES", "4"))
STEPS = 12 if EXAMPLES < 10 else 40


class HistoriesTests(SynchronousTestCase):
    """Whoever may read reads everything since they came in, and nobody else anything."""

    def test_random(self) -> None:
        """In some histories, always the same few; ``make histories`` tries many others."""
        long = EXAMPLES >= 10
        run_state_machine_as_test(
            Histories,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                derandomize=not long,
                phases=(Phase.generate, Phase.shrink) if long else (Phase.generate,),
                suppress_health_check=list(HealthCheck),
            ),
        )


class FoundTests(SynchronousTestCase):
    """Histories in which something was wrong once."""

    def setUp(self) -> None:
        """The beginning of each."""
        self.state = Histories()
        self.addCleanup(self.state.teardown)
        self.state.begin()

    def test_renewed_by_the_run_that_registered(self) -> None:
        """Who renews their identity in the run that made the account does not register once more at the next start."""
        self.state.approve("bob1", 0, hand_over=True)
        self.state.revoke("bob1", 0, 0)
        self.state.go_away(0)
        self.state.come_back(0)
