"""A real server whose store is in a real PostgreSQL: people talk, and nothing is lost."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.processes import START_SECONDS, ProgramError, ServerProgram, child_environment
from tests.faults.crowd import Crowd
from tests.faults.rows import SETTINGS
from tests.support.postgres import cluster


class PostgresTests(SynchronousTestCase):
    """People in a room."""

    def directory(self) -> Path:
        """A new one."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        return directory

    def wait_until(self, done: Callable[[], bool]) -> None:
        """Waits, and fails after a long while."""
        until = time.monotonic() + 90
        while not done():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)

    def test_people_talk(self) -> None:
        """The server is killed while they do, PostgreSQL ends its connections: nothing is lost, doubled or reordered."""
        url = cluster().create()
        settings = {**SETTINGS, "store": {"url": url}}
        with ServerProgram(self.directory(), settings) as server:
            crowd = Crowd(server, 3)
            with crowd, crowd.talking(150):
                crowd.flowing()
                cluster().execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chatserv'"
                )
                crowd.flowing()
                server.kill()
                server.start()
                crowd.all_back()
                crowd.flowing()
                crowd.check()
            self.assertFalse((server.state / "chatserv.db").exists())
            with psycopg.connect(url) as conn:
                (stored,) = conn.execute("SELECT count(*) FROM event").fetchone() or (0,)
            self.assertGreaterEqual(stored, crowd.count())
            other = ServerProgram(self.directory(), settings)  # that has not the identity
            self.assertRaises(ProgramError, other.start)
            self.assertIn("identity.pem: missing, though there is a database", other.output)

    def test_overtaken(self) -> None:
        """A server that was cut off while another one started on the database ends with an error; the next one begins."""
        url = cluster().create()
        with ServerProgram(self.directory(), {**SETTINGS, "store": {"url": url}}) as server:
            log = server.state / "logs" / "server.log"
            self.wait_until(lambda: "listening on" in log.read_text())
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute("UPDATE meta SET value = decode('0000000000000007', 'hex') WHERE key = 'starts'")
                conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            self.wait_until(lambda: server.code is not None)
            self.assertEqual(1, server.code)
            line = "Nothing is stored until a restart (another server has used the database)"
            self.assertEqual(1, log.read_text().count(line))
            server.start()
            self.wait_until(lambda: log.read_text().count("listening on") == 2)

    def test_move(self) -> None:
        """The store moves from the file to PostgreSQL and back while people wait: they go on, and notice nothing else."""
        url = cluster().create()
        with ServerProgram(self.directory(), SETTINGS) as server:
            crowd = Crowd(server, 3)
            with crowd, crowd.talking(150):
                crowd.flowing()
                for places, setting in ((("sqlite", url), url), ((url, "sqlite"), None)):
                    server.stop()
                    command = (
                        sys.executable,
                        "-m",
                        "chatserv",
                        "--state-dir",
                        str(server.state),
                        "store",
                        "copy",
                        *places,
                    )
                    environment = child_environment(server.directory)
                    subprocess.run(command, check=True, capture_output=True, env=environment, timeout=START_SECONDS)
                    server.environment["CHATSERV__STORE__URL"] = setting
                    for file in server.state.glob("chatserv.db*") if setting else ():
                        file.unlink()
                    server.start()
                    crowd.all_back()
                    crowd.flowing()
                crowd.check()
            self.assertTrue((server.state / "chatserv.db").exists())

    def test_two_servers(self) -> None:
        """A second server with the same identity is refused on the same database, and so is what works without a server."""
        settings = {**SETTINGS, "store": {"url": cluster().create()}}
        with ServerProgram(self.directory(), settings) as server:
            other, third = (ServerProgram(self.directory(), settings) for _ in range(2))
            for each in (other, third):
                each.state.mkdir(mode=0o700)
                for name in ("identity.pem", "tls.key", "tls.crt", "log-head"):
                    shutil.copy(server.state / name, each.state / name)
            words = ("--state-dir", str(third.state), "--set", f"store.url={settings['store']['url']}", "user", "list")
            command, environment = (sys.executable, "-m", "chatserv", *words), child_environment(server.directory)
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as asked:
                self.assertRaises(ProgramError, other.start)
                told = asked.communicate(timeout=START_SECONDS)[1]
            for words_of in (told, other.output):
                self.assertIn("in use by another server: stop it first", words_of)
            self.assertEqual((1, 1, None), (asked.returncode, other.code, server.code))
        other.start()
        other.stop()
