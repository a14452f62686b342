"""A state directory with a server that is talked to, for tests of its copies."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.backup.making import Report, make_backup
from chatserv.backup.refusals import Pace
from chatserv.bootstrap import Prepared, prepare
from chatserv.config import Config
from chatserv.net import keys
from chatserv.state_directory import StateDirectory
from chatserv.store.database import writing_engine
from tests.support.server import WireServer
from tests.support.sessions import rsa_key
from tests.support.sql_server import sql_server

NOW_MS = 1_795_000_000_000
CANARY = "eagle-owl-4711"


class BackupCase(SynchronousTestCase):
    """``self.state`` is the directory, which this process holds; Alice and Bob talk in the lobby and in a room."""

    def setUp(self) -> None:
        """A first start, and people."""
        self.patch(keys, "generate_rsa", lambda: rsa_key("server"))
        self.here = Path(self.mktemp())
        self.here.mkdir()
        self.state = self.start(self.here / "state").state
        self.addCleanup(self.state.release)
        self.server = self.talk()
        self.target = self.here / "one.backup"

    def start(self, directory: Path) -> Prepared:
        """A start of a server."""
        return prepare(Config(), directory, NOW_MS)

    def talk(self) -> WireServer:
        """Accounts, rooms, messages; and a room that was closed, with the canary in it."""
        server = sql_server(self, self.state.database)
        self.alice, self.bob = server.join("alice"), server.join("bob")
        self.room = self.alice.make_room(self.bob.account)
        for number in range(20):
            self.alice.say(f"{number} in the lobby")
            self.bob.say(f"{number} in the room", self.room)
        gone = self.alice.make_room()
        self.alice.say(CANARY, gone)
        server.wait(server.store.close_room(gone, None))
        return server

    def back_up(self, pace: Pace | None = None, *, identity: bool = True) -> Report:
        """A backup into ``self.target``."""
        return make_backup(self.state, self.target, NOW_MS, pace or Pace(), identity=identity)

    def change(self, *sql: str) -> None:
        """Does something to the store by hand."""
        engine = writing_engine(self.state.database)
        with engine.begin() as connection:
            for each in sql:
                connection.exec_driver_sql(each)
        engine.dispose()

    def files(self, directory: Path | None = None) -> list[str]:
        """What lies in a directory."""
        return sorted(path.name for path in (directory or self.here).iterdir())

    def other_state(self) -> StateDirectory:
        """A state directory where nothing is."""
        state = StateDirectory(self.here / "other")
        self.addCleanup(state.release)
        return state
