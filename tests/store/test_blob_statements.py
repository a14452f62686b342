"""Tests of `chatserv.store.blob_statements` that look at how the database gets there."""

from pathlib import Path
from typing import Any

from sqlalchemy import event as hooks
from twisted.trial.unittest import SynchronousTestCase

from chatserv.store import statements
from chatserv.store.blob_statements import open_blob
from chatserv.store.database import prepare, writing_engine
from chatserv.store.limits import StoreLimits
from tests.store.contract_blobs import new_blob
from tests.store.drafts import NOW_MS, founding, registration


class PlanTests(SynchronousTestCase):
    """What the database says that it would do."""

    def test_sums(self) -> None:
        """What an account's files count for is read from an index alone, and nothing is added up over all of them.

        Each new file asks, while everybody who writes waits.
        """
        path, asked = Path(self.mktemp()), []  # type: Path, list[tuple[str, Any]]
        prepare(path)
        engine = writing_engine(path)
        self.addCleanup(engine.dispose)

        def ask(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
            if "sum(" in statement:
                asked.append((statement, parameters))

        with engine.begin() as conn:
            statements.register(conn, registration("alice"), NOW_MS, StoreLimits())
            statements.commit(conn, founding(1), StoreLimits())
            hooks.listen(engine, "before_cursor_execute", ask)
            open_blob(conn, new_blob(1), StoreLimits())
            hooks.remove(engine, "before_cursor_execute", ask)
            plans = [conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given).all() for text, given in asked]
        self.assertEqual(1, len(plans))
        self.assertIn("SEARCH blob USING COVERING INDEX ix_blob_account_size", str(plans[0]))
