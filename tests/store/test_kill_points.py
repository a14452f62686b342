"""What a person outlives a device by is written whole or not at all, whatever statement the process dies at."""

import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy import event as hooks
from twisted.trial.unittest import SynchronousTestCase

from chatserv.account_models import Enrolment
from chatserv.store import statements
from chatserv.store.database import prepare, writing_engine
from chatserv.store.limits import StoreLimits
from chatserv.store.transaction import execute
from tests.store.drafts import (
    NOW_MS,
    cert_hash,
    device_id,
    founding,
    invite,
    log_leaf,
    prekeys,
    registration,
    sealed,
    signer,
    wrap,
)

LIMITS = StoreLimits()
WRITES: dict[str, Callable[[Connection], Any]] = {
    "reset": lambda conn: statements.register(
        conn,
        registration("alice", invite(1).token_hash, (log_leaf(1), log_leaf(2)), number=1, reset=True),
        NOW_MS,
        LIMITS,
    ),
    "end": lambda conn: statements.end_account(conn, "alice", log_leaf(1), NOW_MS, signer("alice")),
    "rotate": lambda conn: statements.rotate(conn, "alice", signer("alice"), b"spki alice1", log_leaf(1)),
    "revoke": lambda conn: statements.revoke(conn, cert_hash("alice"), log_leaf(1), NOW_MS, signer("alice")),
    "backup": lambda conn: statements.put_backup(conn, "alice", sealed(6)),
    "link": lambda conn: statements.add_invite(conn, invite(2, name="alice", reset=True), NOW_MS, LIMITS),
    "enrol": lambda conn: statements.enrol(
        conn, Enrolment("alice", b"spki alice", b"n" * 16, b"new certificate", log_leaf(1)), NOW_MS, LIMITS
    ),
    "pair": lambda conn: statements.commit(
        conn, founding(2, pair=b"p" * 32, replaces=founding(1).room_id, leaves=(log_leaf(1),)), LIMITS
    ),
}


class Died(BaseException):
    """The process is gone."""


def content(path: Path) -> list[str]:
    """Everything that a database holds."""
    with sqlite3.connect(path) as connection:
        return list(connection.iterdump())


class KillPointTests(SynchronousTestCase):
    """Each write dies at each of its statements, and at its end."""

    def setUp(self) -> None:
        """Alice with devices' worth of everything: prekeys, places, wraps, marks, a backup, a link, a direct message."""
        self.path = Path(self.mktemp())
        prepare(self.path)
        alice = registration("alice")
        works: list[Callable[[Connection], Any]] = [
            partial(statements.register, new=alice, now_ms=NOW_MS, limits=LIMITS),
            partial(statements.register, new=registration("bob"), now_ms=NOW_MS, limits=LIMITS),
            partial(statements.publish_prekeys, device_id=alice.device_id, prekeys=prekeys(1, 2), most=9),
            partial(
                statements.commit,
                draft=founding(
                    1,
                    pair=b"p" * 32,
                    added=((alice.device_id, 0), (device_id(b"e"), 1)),
                    wraps=(wrap(b"e", 1),),
                    asked=("alice",),
                ),
                limits=LIMITS,
            ),
            partial(statements.put_backup, name="alice", new=sealed(5)),
            partial(statements.add_invite, new=invite(1, name="alice", reset=True), now_ms=NOW_MS, limits=LIMITS),
        ]
        for work in works:
            self.run_once(self.path, work)

    def run_once(self, path: Path, work: Callable[[Connection], Any], dies_at: int | None = None) -> int:
        """One transaction of the writer's; it may die before a statement. Returns how many statements there were."""
        engine, count = writing_engine(path), 0

        def before(*_: Any) -> None:
            nonlocal count
            if count == dies_at:
                raise Died
            count += 1

        def commit(_: Connection) -> None:
            before()

        hooks.listen(engine, "before_cursor_execute", before)
        hooks.listen(engine, "commit", commit)
        try:
            with engine.connect() as connection:
                (outcome,) = execute([work], connection).outcomes
                self.assertFalse(isinstance(outcome, Exception), outcome)
        finally:
            engine.dispose()
        return count

    def test_each(self) -> None:
        """Nothing of it is there, or all; and tried again it does the same as if nothing had happened."""
        before = content(self.path)
        for name, work in WRITES.items():
            whole = self.path.with_suffix(f".{name}")
            shutil.copyfile(self.path, whole)
            steps = self.run_once(whole, work)
            after = content(whole)
            self.assertNotEqual(before, after, name)
            self.assertGreater(steps, 3, name)
            for step in range(steps):
                copy = self.path.with_suffix(f".{name}{step}")
                shutil.copyfile(self.path, copy)
                self.assertRaises(Died, self.run_once, copy, work, step)
                self.assertEqual(before, content(copy), f"{name}, statement {step}")
                self.run_once(copy, work)
                self.assertEqual(after, content(copy), f"{name} again, after statement {step}")

    def test_again(self) -> None:
        """What is repeated because its answer was lost changes nothing more: reset, backup, revocation, enrolment."""
        for name in ("reset", "backup", "revoke", "enrol"):
            copy = self.path.with_suffix(f".{name}")
            shutil.copyfile(self.path, copy)
            self.run_once(copy, WRITES[name])
            once = content(copy)
            self.run_once(copy, WRITES[name])
            self.assertEqual(once, content(copy), name)
