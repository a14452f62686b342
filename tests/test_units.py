"""Tests of `chatserv.units`: what is shown of the URL of a database."""

from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from chatserv.config import Store
from chatserv.local_errors import SettingsError
from chatserv.settings_loading import load
from chatserv.settings_sources import Sources, given_settings
from chatserv.units import is_postgres_url, without_password

ODD: Final = (
    "postgresql://chat:geheim#1@127.0.0.1:1/db",
    "postgresql://chat:gehei?geheim@127.0.0.1:1/db",
    "postgresql://chat:abc/geheim@127.0.0.1:1/db",
    "postgresql://chat:p@geheim@127.0.0.1:1/db",
    "postgresql://chat:12345/geheim@127.0.0.1/db",
    "postgresql://chat:pa%zzgeheim@127.0.0.1:1/db",
    "postgresql://chat:pa%00geheim@127.0.0.1:1/db",
    "postgresql://chat:pa geheim@127.0.0.1:1/db",
    "postgresql://chat:pä-geheim@127.0.0.1:1/db",
    "postgresql://chat:geheim%@127.0.0.1:1/db",
    "postgresql://chat@127.0.0.1:1/db?p%61ssword=geheim",
    "postgresql://chat@127.0.0.1:1/db?password=geheim@x",
    "postgresql://chat@127.0.0.1:1/db#password=geheim",
    "postgress://chat:geheim@127.0.0.1/db",
    "chat:geheim@127.0.0.1/db",
    "host=127.0.0.1 password=geheim",
)
GOOD: Final = {
    "postgresql://chat@db1,db2:5433/chat": "postgresql://chat@db1,db2:5433/chat",
    "postgres://chat:geheim@[::1]:5432/chat": "postgres://chat:***@[::1]:5432/chat",
    "postgresql://chat:%23geheim%3F@db/chat": "postgresql://chat:***@db/chat",
    "postgresql://chat:geheim!$'()*+,;=@db": "postgresql://chat:***@db",
    "postgresql:///chat?host=/run/postgresql": "postgresql:///chat?host=/run/postgresql",
    "postgresql://%2Frun%2Fpostgresql/chat": "postgresql://%2Frun%2Fpostgresql/chat",
    "postgresql://:geheim@/": "postgresql://:***@/",
    "postgresql://": "postgresql://",
    "postgresql://db/chat?user=a&password=geheim&sslmode=verify-full": "postgresql://db/chat?user=a&password=***&sslmode=verify-full",
    "postgresql://db/chat?sslpassword=geheim&pasword=geheim": "postgresql://db/chat?sslpassword=***&pasword=***",
    "postgresql://db/chat?oauth_client_secret=geheim": "postgresql://db/chat?oauth_client_secret=***",
}


class DatabaseUrlTests(SynchronousTestCase):
    """URLs of databases."""

    def test_good(self) -> None:
        """Those that are beyond doubt are taken, and shown without what is secret."""
        for url, shown in GOOD.items():
            self.assertTrue(is_postgres_url(url), url)
            self.assertEqual(shown, without_password(url))
            self.assertEqual(repr(Store(url)).partition("'")[2].partition("'")[0], shown)

    def test_odd(self) -> None:
        """All others are refused, whatever libpq would make of them, and nothing of a password is shown."""
        for url in ODD:
            self.assertFalse(is_postgres_url(url), url)
            self.assertNotIn("geh", without_password(url))
            self.assertNotIn("geh", str(self.assertRaises(ValueError, Store, url)))
            for setting in (f"store.url={url}", *((url,) if "://" in url else ())):  # or somebody forgets the key
                (given,) = given_settings([], [setting])
                self.assertNotIn("geh", str(self.assertRaises(SettingsError, load, Sources(given=(given,)))))
        self.assertEqual("sqlite", without_password("sqlite"))
