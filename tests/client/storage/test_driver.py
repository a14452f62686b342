"""What the driver of SQLite makes of values."""

from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.storage.driver import connect_file


class ValueTests(SynchronousTestCase):
    """The adapters that spare the driver a search change no value that is kept."""

    def test_kept_as_they_are(self) -> None:
        """Each value comes back as it was, of the type that SQLite has for it, from one statement and from many."""
        rows = [(b"\x00\xff", "blob"), (b"", "blob"), (None, "null"), (True, "integer"), (-7, "integer"), ("é", "text")]
        with closing(connect_file(":memory:")) as connection:
            connection.execute("CREATE TABLE kept (value, kind)")
            connection.executemany("INSERT INTO kept VALUES (?, ?)", rows)
            connection.execute("INSERT INTO kept VALUES (?, ?)", (b"one", "blob"))
            kept = connection.execute("SELECT value, kind, typeof(value) FROM kept ORDER BY rowid").fetchall()
        self.assertEqual(kept, [(value, kind, kind) for value, kind in [*rows, (b"one", "blob")]])
