"""The PostgreSQL of demonstrations and tests: a standby has what is acknowledged."""

import psutil
from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.postgres import Standby
from tests.support.postgres import new_cluster


class StandbyTests(SynchronousTestCase):
    """A primary and its copy."""

    def test_synchronous(self) -> None:
        """The primary waits for it, and what was committed is there when the primary has died and it is promoted."""
        primary = new_cluster()
        self.addCleanup(primary.end)
        standby = Standby(primary)
        self.addCleanup(standby.end)
        self.assertEqual(primary.ask("SELECT sync_state FROM pg_stat_replication"), "sync")
        self.assertIsInstance(standby.receiver(), psutil.Process)
        primary.execute("CREATE TABLE said (line int)")
        primary.execute("INSERT INTO said VALUES (1)")
        primary.stop()
        standby.promote()
        standby.execute("INSERT INTO said VALUES (2)")
        self.assertEqual(standby.ask("SELECT count(*) FROM said"), 2)
