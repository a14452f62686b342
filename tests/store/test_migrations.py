"""Tests of the migrations of `chatserv.store`: databases of earlier versions become today's."""

import sqlite3
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.encoding import v16
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.log_leaves import Leaf, LeafType, user_leaf
from chatserv.crypto.room_state import Kind, Member, Policy, State
from chatserv.crypto.room_state import Role as RoomRole
from chatserv.crypto.statements import DeviceFacts
from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.models import Consent, ConsentAt
from chatserv.store import statements
from chatserv.store.blob_statements import blob_bytes, open_blob
from chatserv.store.database import prepare, writing_engine
from chatserv.store.limits import StoreLimits
from chatserv.store.migrating import downgrade, upgrade_to
from chatserv.store.schema import metadata
from tests.store.contract_blobs import SIZE, new_blob
from tests.store.drafts import NOW_MS, founding, invite, prekeys, registration

SERVER_ID = sha256(b"server")
SECRET = b"a message of the foundation that nobody may find"
DEVICES = {"bob": (b"b",), "alice": (b"a", b"c")}
"""The accounts of the old database in order of their keys, with their devices."""


def certificate(name: str, letter: bytes) -> bytes:
    """A certificate as far as the server reads it again; its signatures are not looked at."""
    fingerprint = sha256(spki(name))
    facts = DeviceFacts(SERVER_ID, name, letter * 16, b"rsa", bytes(32), NOW_MS, fingerprint)
    return v16(facts.encode()) + bytes(384 + 64)


def spki(name: str) -> bytes:
    """The account's identity key."""
    return b"spki " + name.encode()


def created_ms(letter: bytes) -> int:
    """When the device was made."""
    return NOW_MS + letter[0]


def fill(conn: Connection) -> None:
    """Rows as the foundation wrote them."""
    conn.execute(text("INSERT INTO meta VALUES ('incarnation', :value)"), {"value": b"i" * 16})
    conn.execute(text("INSERT INTO room VALUES (1, :id, 'lobby', 1, 0, 1)"), {"id": b"l" * 16})
    for number, (name, letters) in enumerate(DEVICES.items(), 1):
        row = {"pk": number, "id": bytes([number]) * 16, "name": name, "spki": spki(name), "now": NOW_MS + number}
        conn.execute(text("INSERT INTO account VALUES (:pk, :id, :name, :name, 2, :spki, X'00', :now)"), row)
        conn.execute(text("INSERT INTO membership VALUES (:pk, 1, 0)"), row)
        for letter in letters:
            cert = certificate(name, letter)
            values = {
                "id": letter * 16,
                "account": number,
                "cert": cert,
                "hash": sha256(cert),
                "now": created_ms(letter),
            }
            conn.execute(
                text(
                    "INSERT INTO device (device_id, account, certificate, cert_hash, created_ms) "
                    "VALUES (:id, :account, :cert, :hash, :now)"
                ),
                values,
            )
    event = {"id": b"m" * 16, "device": b"a" * 16, "now": NOW_MS, "body": SECRET}
    conn.execute(text("INSERT INTO event VALUES (1, 1, 1, :id, :device, :now, 'alice', 0, :body)"), event)


class FoundationTests(SynchronousTestCase):
    """From the foundation's tables to end-to-end rooms."""

    def setUp(self) -> None:
        """Makes a database of the foundation and brings it up to date."""
        self.path = Path(self.mktemp())
        self.path.touch()
        engine = writing_engine(self.path)
        with engine.begin() as conn:
            upgrade_to(conn, "0001")
            fill(conn)
        engine.dispose()
        self.assertIn(SECRET, self.path.read_bytes())
        prepare(self.path)
        self.engine = writing_engine(self.path)
        self.addCleanup(self.engine.dispose)

    def test_schema(self) -> None:
        """The tables are those of a new database, and every reference leads somewhere."""
        with self.engine.connect() as conn:
            self.assertEqual([], compare_metadata(MigrationContext.configure(conn), metadata))
            self.assertEqual([], list(conn.exec_driver_sql("PRAGMA foreign_key_check")))

    def test_same_as_new(self) -> None:
        """Migrated tables and indices have the definitions of new ones, keys and defaults included."""
        fresh = Path(self.mktemp())
        prepare(fresh)
        found = []
        for path in (self.path, fresh):
            conn = sqlite3.connect(path)
            found.append(set(conn.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")))
            conn.close()
        self.assertEqual(*found)

    def test_log(self) -> None:
        """Every account is in the log, in their order: its identity, then its certificates, at the time of each."""
        expected: list[Leaf] = []
        for number, (name, letters) in enumerate(DEVICES.items(), 1):
            key = spki(name)
            expected.append(user_leaf(LeafType.UIK, SERVER_ID, name, sha256(key), key, NOW_MS + number))
            for letter in letters:
                cert = certificate(name, letter)
                leaf = user_leaf(LeafType.DEVICE, SERVER_ID, name, sha256(cert), cert, created_ms(letter))
                expected.append(leaf)
        with self.engine.connect() as conn:
            leaves = statements.log(conn)
            kept = list(conn.execute(text("SELECT statement FROM log_leaf ORDER BY number")).scalars())
        self.assertEqual([leaf.encode() for leaf in expected], leaves)
        self.assertEqual([leaf.statement for leaf in expected], [sha256(statement) for statement in kept])
        facts = LogFacts(SERVER_ID, map(Leaf.decode, leaves))
        hashes = tuple(sha256(certificate("alice", letter)) for letter in DEVICES["alice"])
        self.assertEqual(hashes, facts.certificates("alice", facts.size))

    def test_accounts(self) -> None:
        """Accounts and devices are as they were, with their identity keys, and work."""
        with self.engine.begin() as conn:
            found = statements.accounts(conn, "", 9)
            self.assertEqual(
                [("alice", Role.ADMIN, False, False, NOW_MS + 2), ("bob", Role.ADMIN, False, False, NOW_MS + 1)],
                [(each.account.name, each.account.role, each.suspended, each.muted, each.created_ms) for each in found],
            )
            for name, letters in DEVICES.items():
                for letter in letters:
                    cert = certificate(name, letter)
                    device = statements.find_device(conn, name, letter * 16)
                    self.assertEqual(cert, device.certificate if device else None)
                    (certified,) = statements.certificates(conn, [sha256(cert)])
                    self.assertEqual((cert, spki(name)), (certified.certificate, certified.identity_spki))
            self.assertEqual(1, statements.publish_prekeys(conn, b"c" * 16, prekeys(0), 9))
            verifiers = set(conn.execute(text("SELECT verifier FROM account")).scalars())
            fingerprints = set(conn.execute(text("SELECT fingerprint FROM identity")).scalars())
        self.assertEqual({b"\x00"}, verifiers)
        self.assertEqual({sha256(spki(name)) for name in DEVICES}, fingerprints)

    def test_rooms_are_gone(self) -> None:
        """The unencrypted rooms are gone, and what was said there is not in the file any more."""
        with self.engine.connect() as conn:
            self.assertEqual([], statements.rooms(conn))
            self.assertEqual([], statements.events(conn, b"l" * 16, 0, 9))
            self.assertEqual(0, conn.execute(text("SELECT count(*) FROM event")).scalar_one())
        self.engine.dispose()
        for path in self.path.parent.glob(self.path.name + "*"):
            self.assertNotIn(SECRET, path.read_bytes())

    def test_life_goes_on(self) -> None:
        """The incarnation stays, and the database takes rooms and accounts."""
        limits = StoreLimits()
        with self.engine.begin() as conn:
            self.assertEqual(b"i" * 16, statements.incarnation(conn))
            statements.commit(conn, founding(1, name="lobby"), limits)
            statements.add_invite(conn, invite(1), NOW_MS, limits)
            statements.register(conn, registration("carol", invite(1).token_hash), NOW_MS, limits)
            self.assertEqual(["lobby"], [room.name for room in statements.rooms(conn)])


class MemberTests(SynchronousTestCase):
    """Who was in a room before anybody asked."""

    def test_members(self) -> None:
        """Each has a row afterwards: not who is banned or leaves, nor anybody twice; and an older version finds its own."""
        path = Path(self.mktemp())
        prepare(path)
        engine = writing_engine(path)
        self.addCleanup(engine.dispose)
        roles = {"alice": RoomRole.OWNER, "bob": RoomRole.MEMBER, "carol": RoomRole.BANNED, "dave": RoomRole.MEMBER}
        members = tuple(Member(name, role) for name, role in roles.items())
        room = founding(1, agreed=("alice",), state=State(0, Policy(Kind.ROOM), members, ()).encoded)
        with engine.begin() as conn:
            statements.commit(conn, room, StoreLimits())
            statements.leave(conn, room.room_id, "dave", b"farewell")
            statements.commit(conn, founding(2, agreed=("bob",)), StoreLimits())
            statements.close_room(conn, founding(2).room_id)
            downgrade(conn, "0010")
            before = statements.consents(conn)
            upgrade_to(conn, "0011")
            found = statements.consents(conn)
            downgrade(conn, "0010")
            after = statements.consents(conn)
        own = ConsentAt(room.room_id, "alice", "", Consent.AGREED)
        self.assertEqual([own, ConsentAt(room.room_id, "bob", "", Consent.EARLIER)], found)
        self.assertEqual([[own], [own]], [before, after])


class FilesTests(SynchronousTestCase):
    """What the files of before count for."""

    def test_total(self) -> None:
        """It is what their rows make, also where an older version has worked meanwhile; of none it is nothing."""
        path = Path(self.mktemp())
        prepare(path)
        engine = writing_engine(path)
        self.addCleanup(engine.dispose)
        with engine.begin() as conn:
            self.assertEqual([0, 0, 3 * SIZE], totals_of_steps(conn))


def totals_of_steps(conn: Connection) -> list[int]:
    """What all files count for in a store without files, and after each time that it has come from the schema before."""
    found = [blob_bytes(conn, "")]
    statements.register(conn, registration("alice"), NOW_MS, StoreLimits())
    statements.commit(conn, founding(1), StoreLimits())
    for numbers in ((), (1, 2)):
        for number in numbers:
            open_blob(conn, new_blob(number), StoreLimits())
        downgrade(conn, "0013")
        if numbers:
            conn.exec_driver_sql(f"UPDATE blob SET size = {2 * SIZE} WHERE pk = 1")  # noqa: S608
        upgrade_to(conn)
        found.append(blob_bytes(conn, ""))
    return found
