"""The smaller tables: facts, log, certificates, prekeys, rooms, outbox, pending commits and pins; and all of them as one."""

from dataclasses import replace
from pathlib import Path

from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.storage.certificates import StoredCertificate
from chatserv.client.storage.database import Database
from chatserv.client.storage.files import Holding, KeptFile, Stage, Upload
from chatserv.client.storage.kept_events import KeptEvent
from chatserv.client.storage.outbox import OutboxRow
from chatserv.client.storage.own_devices import OwnDeviceRow
from chatserv.client.storage.pending import PendingCommit
from chatserv.client.storage.pins import Pin, PinState
from chatserv.client.storage.prekeys import PrekeyRow
from chatserv.client.storage.rooms import Keys, RoomRow, Standing
from chatserv.client.storage.vault import Vault
from chatserv.crypto.bodies import Text
from chatserv.crypto.e2e.prekey_secrets import PrekeySecret, generate_prekey
from chatserv.crypto.e2e.ratchet import ReceiverChain, SenderChain
from chatserv.crypto.file_body import File
from chatserv.crypto.prekeys import LAST_RESORT_BIT
from chatserv.local_errors import LocalProtocolError
from tests.client.storage.test_database import empty_log
from tests.client.storage.test_messages import message
from tests.client.storage.test_proofs import kept
from tests.support.e2e import named, stream

ROOM, OTHER = b"r" * 16, b"s" * 16
ROW = RoomRow(
    room_id=ROOM,
    kind=0,
    title="kitchen",
    topic="lunch",
    epoch=3,
    commit_hash=b"c" * 32,
    kt_size=7,
    state=b"state",
    head_commit=b"commit",
    cursor=5,
    shown=4,
    read=3,
    since=0,
    standing=Standing.IN,
    keys=Keys.HELD,
    epoch_since_ms=1000,
    epoch_messages=2,
)
MESSAGE = structs.replace(message(1), body=Text("said").encode())
FILE = File(b"b" * 16, b"k" * 32, b"h" * 32, 5, "a.txt", words="look")
UPLOAD = Upload(b"m" * 16, ROOM, FILE, "/home/alice/a\udcff.txt", Stage.CHOSEN, paused=False, asked=True, at_ms=7)


class VaultCase(SynchronousTestCase):
    """A vault in memory."""

    def setUp(self) -> None:
        """Opens it."""
        self.vault = Vault.open(None)
        self.addCleanup(self.vault.close)


class FactsTests(VaultCase):
    """`Facts`."""

    def test_values(self) -> None:
        """A value is there until another takes its place."""
        self.assertIsNone(self.vault.facts.get("key"))
        for value in (b"one", b"", b"\x00two"):
            self.vault.facts.put("key", value)
            self.assertEqual(self.vault.facts.get("key"), value)


class LogTableTests(VaultCase):
    """`LogTable`."""

    def test_order(self) -> None:
        """Leaves come back in the order in which they were appended."""
        pairs = [(named(f"leaf {number}", 105), named(f"root {number}")) for number in range(20)]
        self.assertEqual((self.vault.log.load(), self.vault.log.count()), ([], 0))
        self.vault.log.append(pairs[:1])
        self.vault.log.append([])
        self.vault.log.append(pairs[1:])
        self.assertEqual((self.vault.log.load(), self.vault.log.count()), (pairs, 20))

    def test_page(self) -> None:
        """Some of the leaves are read from any place on, none beyond the end."""
        leaves = [named(f"leaf {number}", 105) for number in range(20)]
        self.vault.log.append([(leaf, named("root")) for leaf in leaves])
        for position, limit in ((0, 3), (7, 1), (18, 5), (20, 5), (99, 5)):
            self.assertEqual(self.vault.log.leaves_from(position, limit), leaves[position : position + limit])


class CertificateTests(VaultCase):
    """`CertificateTable`."""

    def test_by_hash(self) -> None:
        """Certificates are found by their hash, one or several at once."""
        table = self.vault.certificates
        for name in "ab":
            table.put(named(name), f"certificate {name}".encode(), b"spki")
        stored = StoredCertificate(named("a"), b"certificate a", b"spki")
        self.assertEqual((table.get(named("a")), table.get(named("c"))), (stored, None))
        found = table.among([named("a"), named("c"), named("a"), named("b")])
        self.assertEqual((list(found), found[named("a")]), ([named("a"), named("b")], stored))


class PrekeyTests(VaultCase):
    """`PrekeyTable`."""

    def made(self, prekey_id: int, created_ms: int = 1) -> PrekeySecret:
        """A prekey in the table."""
        secret = generate_prekey(prekey_id, stream(f"prekey {prekey_id}"))
        self.vault.prekeys.add(secret, created_ms)
        return secret

    def test_rows(self) -> None:
        """Prekeys come back as they were until they are deleted."""
        one, other = self.made(1), self.made(LAST_RESORT_BIT | 1, 9)
        table = self.vault.prekeys
        self.assertEqual(table.get(1), PrekeyRow(one, 1))
        self.assertEqual(table.all(), {1: one, LAST_RESORT_BIT | 1: other})
        table.delete(1)
        self.assertEqual((table.get(1), table.all()), (None, {LAST_RESORT_BIT | 1: other}))

    def test_retired(self) -> None:
        """A retired prekey still opens wraps and is no longer offered; it is deleted by the time at which it was retired."""
        table = self.vault.prekeys
        for prekey_id in (1, 2, LAST_RESORT_BIT | 1, LAST_RESORT_BIT | 2):
            self.made(prekey_id)
        self.assertEqual(table.one_time_ids(), (1, 2))
        newest = table.newest_last_resort()
        assert newest is not None
        self.assertEqual(newest.secret.id, LAST_RESORT_BIT | 2)
        for prekey_id, at_ms in ((1, 100), (LAST_RESORT_BIT | 2, 200), (1, 300)):
            table.retire(prekey_id, at_ms)
        older = table.newest_last_resort()
        assert older is not None
        self.assertEqual((table.one_time_ids(), older.secret.id), ((2,), LAST_RESORT_BIT | 1))
        self.assertEqual(len(table.all()), 4)
        self.assertEqual((table.delete_retired(100), table.delete_retired(201), len(table.all())), (0, 2, 2))
        table.retire(LAST_RESORT_BIT | 1, 1)
        self.assertIsNone(table.newest_last_resort())

    def test_numbers(self) -> None:
        """Numbers of each kind rise and are never given twice, even where the prekeys are deleted."""
        table = self.vault.prekeys
        first = [table.next_id(False) for _ in range(3)]
        self.made(first[-1])
        table.delete(first[-1])
        self.assertEqual([*first, table.next_id(False)], [1, 2, 3, 4])
        self.assertEqual([table.next_id(True) for _ in range(2)], [LAST_RESORT_BIT | 1, LAST_RESORT_BIT | 2])

    def test_numbers_end(self) -> None:
        """After the last number of a kind there is none; it does not become one of the other kind."""
        table = self.vault.prekeys
        self.vault.database.write("UPDATE prekey_numbers SET next = ?", (LAST_RESORT_BIT - 1,))
        self.assertEqual(table.next_id(False), LAST_RESORT_BIT - 1)
        self.assertRaises(LocalProtocolError, table.next_id, False)
        self.assertEqual(table.next_id(True), 2**32 - 1)
        self.assertRaises(LocalProtocolError, table.next_id, True)


class RoomTests(VaultCase):
    """`RoomTable`."""

    def test_rows(self) -> None:
        """A room comes back as it was put last, with its enums; others stay."""
        table, other = self.vault.rooms, replace(ROW, room_id=OTHER, standing=Standing.OFFERED, keys=Keys.WANTED)
        table.put(ROW)
        table.put(other)
        self.assertEqual((table.get(ROOM), table.all()), (ROW, [ROW, other]))
        newer = replace(ROW, epoch=4, title="", standing=Standing.FORKED, keys=Keys.BROKEN, committer=b"d" * 16)
        table.put(newer)
        found = table.get(ROOM)
        assert found is not None
        self.assertEqual((found, found.standing, found.keys), (newer, Standing.FORKED, Keys.BROKEN))
        self.assertIsInstance(found.standing, Standing)
        table.delete(ROOM)
        self.assertEqual((table.get(ROOM), table.all()), (None, [other]))

    def test_positions(self) -> None:
        """Cursor, shown and read move forward alone; messages of the epoch are counted; other rooms stay."""
        table, other = self.vault.rooms, replace(ROW, room_id=OTHER)
        table.put(ROW)
        table.put(other)
        for seq in (10, 2):
            table.set_cursor(ROOM, seq)
            table.set_shown(ROOM, seq + 1)
            table.set_read(ROOM, seq + 2)
        table.pass_message(ROOM, 3, 3)
        moved = replace(ROW, cursor=10, shown=11, read=12, epoch_messages=3)
        self.assertEqual((table.get(ROOM), table.get(OTHER)), (moved, other))


class OutboxTests(VaultCase):
    """`OutboxTable`."""

    def test_order(self) -> None:
        """Messages stay in the order in which they were written, in all and in their room."""
        outbox = self.vault.outbox
        ids = [named(f"message {number}", 16) for number in range(4)]
        for number, message_id in enumerate(ids):
            row = outbox.add(message_id, (ROOM, OTHER)[number % 2], 1, b"body")
            self.assertEqual(row, outbox.get(message_id))
        self.assertEqual([row.message_id for row in outbox.all()], ids)
        self.assertEqual([row.message_id for row in outbox.for_room(ROOM)], [ids[0], ids[2]])
        self.assertEqual([row.message_id for row in outbox.for_room(ROOM, 1)], [ids[0]])
        self.assertEqual(outbox.count(), 4)
        outbox.delete(ids[3])
        again = outbox.add(ids[3], ROOM, 1, b"body")
        self.assertGreater(again.order, outbox.all()[-2].order + 1, "an order is never given twice")
        self.assertIsNone(outbox.get(named("nothing", 16)))

    def test_steps(self) -> None:
        """A message is added, sealed, sealed anew and done; it is found by its place in our chain."""
        outbox = self.vault.outbox
        added = outbox.add(b"m" * 16, ROOM, 1, b"body")
        self.assertEqual(added, OutboxRow(b"m" * 16, ROOM, 1, b"body", b"", None, None, None, added.order, None))
        outbox.seal(b"m" * 16, b"content", b"envelope", 3, 9)
        sealed = replace(added, content=b"content", envelope=b"envelope", epoch=3, generation=9)
        self.assertEqual((outbox.get(b"m" * 16), outbox.by_generation(ROOM, 3, 9)), (sealed, sealed))
        outbox.seal(b"m" * 16, b"content", b"other", 4, 0)
        self.assertEqual((outbox.by_generation(ROOM, 3, 9), outbox.by_generation(OTHER, 4, 0)), (None, None))
        self.assertEqual([row.message_id for row in outbox.for_room(ROOM)], [b"m" * 16])
        outbox.mark_done(b"m" * 16, 77)
        self.assertEqual(outbox.for_room(ROOM), [])
        self.assertEqual(outbox.all(), [replace(sealed, envelope=b"other", epoch=4, generation=0, done_seq=77)])


class PendingTests(VaultCase):
    """`PendingCommits`."""

    def test_one_a_room(self) -> None:
        """A room has one commit on its way; a newer one takes its place."""
        pending = self.vault.pending
        pending.put(ROOM, 3, b"commit", b"secret")
        pending.put(OTHER, 1, b"other", b"secret of the other")
        pending.put(ROOM, 4, b"newer", b"another")
        newer = PendingCommit(ROOM, 4, b"newer", b"another")
        self.assertEqual(pending.get(ROOM), newer)
        self.assertEqual(pending.all(), [newer, PendingCommit(OTHER, 1, b"other", b"secret of the other")])
        pending.delete(ROOM)
        self.assertIsNone(pending.get(ROOM))
        self.assertEqual(len(pending.all()), 1)


class FileTests(VaultCase):
    """`FileTables`."""

    def test_uploads(self) -> None:
        """A file on its way comes back as it stands; those of a room go with it."""
        table = self.vault.files.uploads
        table.add(UPLOAD)
        table.add(replace(UPLOAD, message_id=b"n" * 16, room_id=OTHER))
        self.assertEqual((table.all()[0], table.get(UPLOAD.message_id), table.count()), (UPLOAD, UPLOAD, 2))
        body = replace(UPLOAD.body, hash=b"s" * 32)
        table.sealed(UPLOAD.message_id, body)
        table.pause(UPLOAD.message_id, on=True)
        sealed = replace(UPLOAD, body=body, path="", stage=Stage.SEALED, paused=True)
        self.assertEqual(table.get(UPLOAD.message_id), sealed)
        table.said(UPLOAD.message_id)
        self.assertEqual(table.get(UPLOAD.message_id), replace(sealed, stage=Stage.SAID))
        table.clear(OTHER)
        table.delete(UPLOAD.message_id)
        self.assertEqual(table.all(), [])

    def test_kept(self) -> None:
        """Those that were not used for longest come first; those without a message are found."""
        table = self.vault.files.kept
        newer, older = (KeptFile(name, ROOM, b"m" * 16, 5, Holding.WHOLE, at) for name, at in (("a", 7), ("b", 5)))
        for each in (newer, older):
            table.put(each)
        self.assertEqual((table.all(), table.get("a"), table.get("c")), ([older, newer], newer, None))
        self.assertEqual(sorted(table.orphans()), ["a", "b"])
        self.vault.archive.add(structs.replace(MESSAGE, message_id=b"m" * 16, room_id=ROOM))
        self.assertEqual(table.orphans(), [])
        table.delete(["a"])
        table.clear(ROOM)
        self.assertEqual(table.all(), [])

    def test_said_by(self) -> None:
        """What somebody has sent, by its blob, and whether a message brings one; what was taken back does not."""
        files, body = self.vault.files, UPLOAD.body
        message = structs.replace(MESSAGE, room_id=ROOM, ctype=5, body=body.encode())
        self.vault.archive.add(message)
        self.vault.archive.add(structs.replace(message, message_id=b"w" * 16, body=b"no file"))
        self.assertEqual(files.said_by(message.sender), {body.blob_id: (message.message_id, body)})
        self.assertEqual((files.said_by("nobody"), files.kept.shared(ROOM, message.sender, body.blob_id)), ({}, True))
        self.assertFalse(files.kept.shared(ROOM, "nobody", body.blob_id))
        self.vault.archive.mark_deleted(ROOM, message.message_id)
        shared = files.kept.shared(ROOM, message.sender, body.blob_id)
        self.assertEqual((files.said_by(message.sender), shared), ({}, False))

    def test_drops(self) -> None:
        """Each once, until the server has heard of it."""
        table = self.vault.files.drops
        for blob_id, owner in ((b"b" * 16, "bob"), (b"c" * 16, "bob"), (b"b" * 16, "bob"), (b"b" * 16, "alice")):
            table.add(blob_id, owner)
        table.done(b"c" * 16, "bob")
        table.done(b"b" * 16, "alice")
        self.assertEqual(table.all(), [(b"b" * 16, "bob")])


class PinTableTests(VaultCase):
    """`PinTable`."""

    def test_rows(self) -> None:
        """A pin comes back as it was put last."""
        table = self.vault.pins
        bob = Pin("bob", named("bob"), PinState.UNVERIFIED, 5)
        alice = Pin("alice", named("alice"), PinState.CHANGED, 5, named("new"), True)
        for pin in (bob, alice):
            table.put(pin)
        self.assertEqual((table.get("alice"), table.get("carol"), table.all()), (alice, None, [alice, bob]))
        table.put(replace(bob, state=PinState.VERIFIED))
        found = table.get("bob")
        assert found is not None
        self.assertIs(found.state, PinState.VERIFIED)


class VaultTests(SynchronousTestCase):
    """All tables of one file."""

    def setUp(self) -> None:
        """A path for the file."""
        self.path = Path(self.mktemp()).absolute()
        self.failing = False

    def before_commit(self) -> None:
        """Fails when told to."""
        if self.failing:
            raise RuntimeError

    def fill(self, vault: Vault) -> None:
        """Something in each table."""
        with vault.transaction():
            vault.facts.put("key", b"value")
            vault.log.append([(b"leaf", b"root")])
            vault.certificates.put(b"hash", b"certificate", b"spki")
            vault.prekeys.add(generate_prekey(vault.prekeys.next_id(False), stream("prekey")), 1)
            vault.rooms.put(ROW)
            vault.chains.replace(ROOM, SenderChain(0, 4, named("own")), [ReceiverChain(1, 5, named("other"))])
            vault.archive.add(MESSAGE, kept(1))
            vault.archive.react(ROOM, MESSAGE.message_id, "bob", "+1", True)
            vault.archive.add_receipt(ROOM, MESSAGE.message_id, "bob")
            vault.outbox.add(b"m" * 16, ROOM, 1, b"body")
            vault.pending.put(ROOM, 4, b"commit", named("epoch secret"))
            vault.pins.put(Pin("bob", named("bob"), PinState.VERIFIED, 5))
            vault.ignored.put("eve")
            vault.ignored.refuse(ROOM)
            vault.cursors.begin("follow", 1)
            vault.asked.begin(b"q" * 16)
            vault.own_devices.put(OwnDeviceRow(b"d" * 16, "notebook", True, 3))
            vault.heard_rooms.put_read(ROOM, 5)
            vault.kept_statements.put(b"statement")
            vault.kept_events.put(ROOM, KeptEvent(7, b"m" * 16, 0, 1, b"envelope"), 1)
            vault.files.uploads.add(UPLOAD)
            vault.files.kept.put(KeptFile("name", ROOM, b"m" * 16, 5, Holding.WHOLE, 1))
            vault.files.drops.add(b"b" * 16, "bob")

    def everything(self, vault: Vault) -> list[list[tuple[object, ...]]]:
        """All rows of all tables, but for those that FTS5 keeps behind the words."""
        tables = vault.database.all(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
            " AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'words!_%' ESCAPE '!'"
        )
        return [vault.database.all(f"SELECT * FROM {name}") for (name,) in sorted(tables)]  # noqa: S608

    def test_reopened(self) -> None:
        """Opened again, the file gives everything back."""
        vault = Vault.open(self.path)
        self.fill(vault)
        filled = self.everything(vault)
        self.assertEqual([len(rows) for rows in filled].count(0), 1, "only the skipped keys are empty")
        vault.close()
        again = Vault.open(self.path)
        self.addCleanup(again.close)
        self.assertEqual(self.everything(again), filled)
        self.assertEqual((again.rooms.get(ROOM), again.archive.get(ROOM, 1)), (ROW, MESSAGE))
        self.assertEqual(again.chains.own(ROOM), SenderChain(0, 4, named("own")))

    def test_crash(self) -> None:
        """A failure before the commit leaves every table as it was."""
        vault = Vault(Database.open(self.path, self.before_commit))
        self.addCleanup(vault.close)
        before = self.everything(vault)
        self.failing = True
        self.assertRaises(RuntimeError, self.fill, vault)
        self.assertEqual(self.everything(vault), before)
        self.failing = False
        self.fill(vault)
        self.assertNotEqual(self.everything(vault), before)

    def test_forget_room(self) -> None:
        """A room that is forgotten leaves no row behind, and other rooms alone."""
        vault = Vault.open(None)
        self.addCleanup(vault.close)
        self.fill(vault)
        vault.rooms.put(replace(ROW, room_id=OTHER))
        vault.archive.add(structs.replace(message(1), room_id=OTHER))
        vault.forget_room(ROOM)
        rows = [row for table in self.everything(vault) for row in table]
        self.assertFalse([row for row in rows if ROOM in row])
        self.assertEqual(vault.database.all("SELECT * FROM reactions UNION ALL SELECT *, 0, 0 FROM receipts"), [])
        self.assertEqual((len(vault.rooms.all()), len(vault.archive.last(OTHER, 5))), (1, 1))

    def test_deleted_is_gone(self) -> None:
        """Secrets that were deleted are in no file once the write-ahead log was emptied."""
        self.path.mkdir()
        vault = Vault.open(self.path / "client.db")
        self.addCleanup(vault.close)
        self.fill(vault)
        secret = vault.prekeys.all()[1]
        secrets = (named("own"), named("other"), named("epoch secret"), secret.mlkem_seed, secret.x25519_seed)
        empty_log(vault.database)
        self.assertEqual(self.held(secrets), len(secrets))
        with vault.transaction():
            vault.chains.replace(ROOM, SenderChain(0, 0, named("new")), [])
            vault.pending.delete(ROOM)
            vault.prekeys.delete(1)
        empty_log(vault.database)
        self.assertEqual(self.held(secrets), 0)

    def held(self, secrets: tuple[bytes, ...]) -> int:
        """How many of the secrets are in some file."""
        data = b"".join(each.read_bytes() for each in self.path.iterdir())
        return sum(secret in data for secret in secrets)

    def test_reprs(self) -> None:
        """No secret, text or title is in a repr."""
        vault = Vault.open(None)
        self.addCleanup(vault.close)
        self.fill(vault)
        vault.outbox.seal(b"m" * 16, b"content", b"envelope", 3, 9)
        values = (
            vault.prekeys.get(1),
            vault.rooms.get(ROOM),
            vault.chains.own(ROOM),
            vault.chains.receiver(ROOM, 1),
            vault.archive.get(ROOM, 1),
            vault.outbox.get(b"m" * 16),
            vault.pending.get(ROOM),
            vault.certificates.get(b"hash"),
        )
        hidden = [named("own"), named("other"), named("epoch secret"), vault.prekeys.all()[1].mlkem_seed]
        words = ("kitchen", "lunch", "body", "content=", "envelope=", "'state'", "said")
        for value in values:
            self.assertIsNotNone(value)
            for secret in hidden:
                self.assertNotIn(repr(secret)[2:-1], repr(value))
            for word in words:
                self.assertNotIn(word, repr(value))
