"""Profiles sealed at rest."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from unittest import mock

import msgspec
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.account.failures import ProfileError, ProfileLocked
from chatserv.client.account.profile import Profile
from chatserv.client.account.profile_key import ProfileKey
from chatserv.client.account.registration import prepare_account
from chatserv.client.account.seal import BEGUN_NAME, FILE_NAME, Way
from chatserv.client.account.system_keyring import SystemKeyring
from chatserv.client.recovery.login import log_in
from chatserv.client.sealing import change_passphrase, leave_unsealed, seal_profile, unlock
from chatserv.client.storage.facts import Facts
from chatserv.client.storage.failures import StorageError
from chatserv.client.storage.vault import Vault
from chatserv.domain.passwords import PasswordInvalid
from chatserv.private_files import PrivateFileError
from chatserv.testing.memory_server import CHEAP, PASSWORD, keyring, server_id
from chatserv.testing.processes import START_SECONDS
from chatserv.testing.world import Person, World
from chatserv.wire.link import ServerLink
from tests.client.sealing_victim import PASSPHRASE, FileBackend

CANARY = b"canary that sang in the coal mine"
ROOT = Path(__file__).parents[2]


class SealingCase(SynchronousTestCase):
    """A profile with an account, and a database with a canary in its file and another in its write-ahead log."""

    def setUp(self) -> None:
        """As a program leaves it that was killed."""
        self.base = Path(self.mktemp()).absolute()
        self.profile = Profile.named("alice", self.base)
        self.profile.save_keyring(keyring("alice"))
        vault = Vault.open(self.profile.database)
        vault.facts.put("first", CANARY)
        vault.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        vault.facts.put("second", CANARY + b" still")
        killed = self.base / "killed"
        shutil.copytree(self.profile.directory, killed)
        vault.close()
        shutil.rmtree(self.profile.directory)
        killed.rename(self.profile.directory)
        self.kept = self.base / "kept"
        self.kept.mkdir()
        self.store = SystemKeyring(FileBackend(self.kept))
        self.secrets = (CANARY, keyring("alice").signing_key, msgspec.json.encode(keyring("alice").signing_key)[1:-1])
        self.assertEqual(self.seen(self.profile), 2)

    def seen(self, profile: Profile) -> int:
        """How many files of a profile hold something that a thief wants."""
        found = [file for file in profile.directory.iterdir() if any(each in file.read_bytes() for each in self.wanted)]
        names = {file.name.removesuffix("-wal") for file in found}
        return len(names)

    @property
    def wanted(self) -> tuple[bytes, ...]:
        """What a thief wants."""
        return self.secrets

    def assert_whole(self, profile: Profile) -> None:
        """All that was there can be read."""
        self.assertEqual(profile.keyring(), keyring("alice"))
        vault = Vault.open(profile.database, profile.database_key)
        self.addCleanup(vault.close)
        self.assertEqual((vault.facts.get("first"), vault.facts.get("second")), (CANARY, CANARY + b" still"))

    def seal(self, profile: Profile | None = None) -> ProfileKey:
        """Seals under the passphrase."""
        return seal_profile(profile or self.profile, PASSPHRASE, cost=CHEAP)


class SealTests(SealingCase):
    """`seal_profile`, and `unlock` after it."""

    def test_passphrase(self) -> None:
        """Everything is there under the passphrase, and nothing of it in the clear."""
        key = self.seal()
        self.assertEqual(self.profile.sealing, "passphrase")
        self.assertEqual(self.seen(self.profile), 0)
        self.assertEqual(unlock(self.profile, PASSPHRASE), key)
        self.assert_whole(self.profile.unlocked(key))
        self.assertEqual(sorted(file.name for file in self.profile.directory.iterdir())[-2:], ["lock", FILE_NAME])

    def test_keyring(self) -> None:
        """The same with the key in a keyring; the profile has no part of it."""
        key = seal_profile(self.profile, find=lambda: self.store)
        self.assertEqual(self.profile.sealing, "keyring")
        self.assertEqual(self.seen(self.profile), 0)
        self.assertEqual(unlock(self.profile, find=lambda: self.store), key)
        self.assert_whole(self.profile.unlocked(key))
        for file in self.profile.directory.iterdir():
            self.assertNotIn(bytes(key), file.read_bytes())

    def test_written_later(self) -> None:
        """What is written after it is sealed too."""
        profile = self.profile.unlocked(self.seal())
        profile.save_keyring(msgspec.structs.replace(keyring("alice"), host="other.example"))
        self.assertEqual(self.seen(profile), 0)
        vault = Vault.open(profile.database, profile.database_key)
        vault.facts.put("third", CANARY * 100)
        self.assertEqual(self.seen(profile), 0)  # in the write-ahead log
        vault.close()
        self.assertEqual(self.seen(profile), 0)
        saved = profile.keyring()
        assert saved is not None
        self.assertEqual(saved.host, "other.example")

    def test_new(self) -> None:
        """A profile without an account is sealed before there is anything in it."""
        profile = Profile.named("new", self.base)
        profile = profile.unlocked(self.seal(profile))
        profile.save_keyring(keyring("alice"))
        Vault.open(profile.database, profile.database_key).close()
        self.assertEqual(self.seen(profile), 0)
        self.assertEqual(profile.keyring(), keyring("alice"))

    def test_twice(self) -> None:
        """What is sealed is not sealed again, nor left unsealed."""
        self.seal()
        self.assertRaises(ProfileError, self.seal)
        self.assertRaises(ProfileError, leave_unsealed, self.profile)
        self.assertEqual(self.profile.sealing, Way.PASSPHRASE)

    def test_in_use(self) -> None:
        """Not while another program has it."""
        self.addCleanup(self.profile.hold())
        self.assertRaises(ProfileError, self.seal)
        self.assertEqual(self.seen(self.profile), 2)

    def test_short_passphrase(self) -> None:
        """A passphrase that is too short changes nothing."""
        self.assertRaises(PasswordInvalid, seal_profile, self.profile, "short", cost=CHEAP)
        self.assertIsNone(self.profile.seal)
        self.assert_whole(self.profile)

    def test_by_choice(self) -> None:
        """Who wants it unsealed is not asked again, and may seal it later."""
        self.assertIsNone(self.profile.seal)
        leave_unsealed(self.profile)
        seal = self.profile.seal
        assert seal is not None
        self.assertEqual((seal.way, self.profile.sealing), ("none", "none"))
        self.assertIsNone(unlock(self.profile))
        self.assert_whole(self.profile)
        self.assert_whole(self.profile.unlocked(self.seal()))

    def test_damaged_database(self) -> None:
        """A file that cannot be read whole is not given up for a copy."""
        path = self.profile.database
        data = bytearray(path.read_bytes())
        data[4096:] = bytes(len(data) - 4096)
        path.write_bytes(data)
        path.with_name("client.db-wal").unlink()
        self.assertRaises(StorageError, self.seal)
        self.assertEqual((self.profile.sealing, path.exists()), ("none", True))

    def test_taken_back(self) -> None:
        """Where a step fails everything is as it was, and nothing is left of what was made so far."""
        before = {file.name for file in self.profile.directory.iterdir()} | {"lock", BEGUN_NAME}
        for failing in ("begin", "write the keyring", "copy the database", "check the copy", "decide"):

            def step(name: str, failing: str = failing) -> None:
                if name == failing:
                    raise StorageError("no space")

            for find in (lambda: self.store, lambda: None):
                passphrase = None if find() else PASSPHRASE
                self.assertRaises(
                    StorageError, seal_profile, self.profile, passphrase, find=find, cost=CHEAP, step=step
                )
                there = {file.name for file in self.profile.directory.iterdir()}
                self.assertLessEqual(there, before, failing)
                self.assertLessEqual(len(list(self.kept.iterdir())), 1)
                self.assert_whole(self.profile)
        self.assert_whole(self.profile.unlocked(self.seal()))

    def test_interrupted_too_late(self) -> None:
        """Who interrupts it once it is decided has lost nothing."""

        class Late(Exception):
            """Comes after the step that decides."""

        replace = Path.replace

        def replaced(path: Path, target: Path) -> Path:
            result = replace(path, target)
            if Path(target).name == FILE_NAME:
                raise Late
            return result

        with self.assertRaises(Late), mock.patch.object(Path, "replace", replaced):
            self.seal()
        self.assert_whole(self.profile.unlocked(unlock(self.profile, PASSPHRASE)))
        self.assertEqual(self.seen(self.profile), 0)

    def test_links(self) -> None:
        """Where a file is a link, what it leads to is overwritten, and the profile opens."""
        elsewhere = self.base / "elsewhere.json"
        (self.profile.directory / "keyring.json").rename(elsewhere)
        (self.profile.directory / "keyring.json").symlink_to(elsewhere)
        self.seal()
        self.assert_whole(self.profile.unlocked(unlock(self.profile, PASSPHRASE)))
        self.assertEqual(set(elsewhere.read_bytes()), {0})

    def test_strange_names(self) -> None:
        """A directory whose name looks like a URI, or has a quote or a question mark in it, is a directory."""
        here = Path.cwd()
        self.base.joinpath("work").mkdir()
        os.chdir(self.base / "work")
        self.addCleanup(os.chdir, here)
        for name in ("file:x", "a'b", "what?mode=ro", "50%25", "üñ"):
            profile = Profile(Path(name))
            shutil.copytree(self.profile.directory, profile.directory)
            self.assert_whole(profile)
            self.assert_whole(profile.unlocked(self.seal(profile)))
            self.assertEqual(self.seen(profile), 0)


class WorldTests(SynchronousTestCase):
    """Accounts on profiles that are sealed before there is anything in them."""

    def setUp(self) -> None:
        """Alice, and a sealed profile on another machine of hers."""
        self.world = World()
        self.addCleanup(self.world.close)
        self.alice = self.world.person("alice", admin=True)
        profile = Profile.named("sealed", Path(self.world.directory))
        self.profile = profile.unlocked(seal_profile(profile, PASSPHRASE, cost=CHEAP))

    def assert_sealed(self) -> None:
        """All files are sealed, and none has what was said."""
        self.assertNotIn("keyring.json", {file.name for file in self.profile.directory.iterdir()})
        for file in self.profile.directory.iterdir():
            self.assertNotIn(CANARY, file.read_bytes(), file.name)
            self.assertNotIn(b"alice", file.read_bytes(), file.name)

    def test_new_account(self) -> None:
        """A registration writes nothing in the clear, nor does what is said afterwards, also where it is killed."""
        world, link = self.world, self.world.link("carol")
        world.do(prepare_account(self.profile, link, "carol", PASSWORD, in_thread=maybeDeferred))
        carol = Person(world, "carol", Profile(self.profile.directory, self.profile.key), link.invite)
        world.people.append(carol)
        world.settle()
        carol.say("lobby", CANARY.decode())
        self.assert_sealed()  # while it runs
        self.assertIn((("carol", CANARY.decode())), self.alice.texts("lobby"))
        carol.leave_the_machine()
        self.assert_sealed()

    def test_further_device(self) -> None:
        """So does a device that is made with the recovery code, which has the identity key then."""
        world, code = self.world, self.alice.recovery_code
        around = {key: world.surroundings[key] for key in ("endpoint", "in_thread", "clock", "seconds")}
        link = ServerLink("chat.example", 5000, server_id())
        guest = world.do(log_in(self.profile, link, "alice", PASSWORD, reactor=world.reactor, **around))
        self.assert_sealed()
        world.do(guest.recover(code))
        world.do(guest.close())
        again = Person(world, "alice", self.profile, None)
        world.people.append(again)
        world.settle(30)
        self.alice.say("lobby", CANARY.decode())
        world.settle()
        self.assertIn(("alice", CANARY.decode()), again.texts("lobby"))
        self.assert_sealed()
        kept = self.profile.keyring()
        assert kept is not None
        self.assertTrue(kept.identity_key)


class LockedTests(SealingCase):
    """Without the key."""

    def assert_locked(self, words: str, *, wrong: bool = False, **how: object) -> None:
        """Nothing is opened, for this reason."""
        error = self.assertRaises(ProfileLocked, unlock, self.profile, **how)
        self.assertIn(words, error.detail)
        self.assertIn(str(self.profile.directory), error.detail)
        self.assertEqual((error.wrong, error.code), (wrong, "profile_locked"))

    def test_wrong_passphrase(self) -> None:
        """Another passphrase is refused as often as it is tried, and nothing is lost by it."""
        key = self.seal()
        for wrong in ("Maple river candle", "short", "maple river candle ", "", "\0" * 9):
            self.assert_locked("not its passphrase", wrong=True, passphrase=wrong)
        self.assert_locked("needs its passphrase")
        self.assertEqual(unlock(self.profile, PASSPHRASE), key)

    def test_no_key(self) -> None:
        """Nothing is read or written without a key."""
        self.seal()
        self.assertRaises(ProfileLocked, self.profile.keyring)
        self.assertRaises(ProfileLocked, self.profile.save_keyring, keyring("alice"))
        self.assertRaises(ProfileLocked, lambda: self.profile.database_key)

    def test_another_key(self) -> None:
        """A key of another profile opens neither the keyring nor the database, in words."""
        self.seal()
        profile = self.profile.unlocked(ProfileKey.generate())
        self.assertRaises(PrivateFileError, profile.keyring)
        self.assertRaises(StorageError, Vault.open, profile.database, profile.database_key)
        self.assertRaises(StorageError, Vault.open, profile.database)

    def test_keyring_gone(self) -> None:
        """A session without a keyring, an entry that is gone, and one that was replaced, are each said."""
        seal_profile(self.profile, find=lambda: self.store)
        self.assert_locked("there is none in this session", find=lambda: None)
        (entry,) = self.kept.iterdir()
        entry.write_text("bm8=")
        self.assert_locked("no more", find=lambda: self.store)
        entry.write_text("A" * 43 + "=")
        self.assert_locked("another one", find=lambda: self.store)
        entry.unlink()
        self.assert_locked("no more", find=lambda: self.store)

    def test_keyring_that_keeps_nothing(self) -> None:
        """A keyring that takes the key and forgets it is found out before anything is given up for it."""
        self.patch(FileBackend, "set_password", lambda *_: None)
        self.assertRaises(ProfileLocked, seal_profile, self.profile, find=lambda: self.store)
        self.assertEqual(self.profile.sealing, "none")
        self.assert_whole(self.profile)

    def test_keyring_that_hangs(self) -> None:
        """A keyring that never answers keeps nobody waiting for ever."""
        seal_profile(self.profile, find=lambda: self.store)
        never = threading.Event()
        self.addCleanup(never.set)
        self.patch(FileBackend, "get_password", lambda *_: never.wait())
        self.assert_locked("does not answer", find=lambda: SystemKeyring(FileBackend(self.kept), 0.05))

    def test_no_seal_file(self) -> None:
        """Without the file that says where the key is, the rest is not taken for a new profile."""
        self.seal()
        (self.profile.directory / FILE_NAME).unlink()
        error = self.assertRaises(ProfileError, self.profile.keyring)
        self.assertIn(FILE_NAME, error.detail)
        self.assertRaises(ProfileError, self.seal)

    def test_damaged_seal_file(self) -> None:
        """A file that is damaged, of a newer version, or asks for endless work is refused."""
        self.seal()
        path = self.profile.directory / FILE_NAME
        good = msgspec.json.decode(path.read_bytes())
        for change in ({"version": 2}, {"way": "else"}, {"memory_kib": 1 << 30}, {"iterations": 1}, {"lanes": 2}):
            path.write_bytes(msgspec.json.encode(good | change))
            self.assertRaises(PrivateFileError, unlock, self.profile, PASSPHRASE)
        for change in ({"salt": "AA=="}, {"wrapped": ""}, {"wrapped": good["wrapped"][4:]}):
            path.write_bytes(msgspec.json.encode(good | change))
            self.assertRaises(PrivateFileError, unlock, self.profile, PASSPHRASE)
        path.write_bytes(b"{")
        self.assertRaises(PrivateFileError, unlock, self.profile, PASSPHRASE)


class ChangeTests(SealingCase):
    """`change_passphrase`."""

    def test_another(self) -> None:
        """The new passphrase opens what the old one opened."""
        key = self.seal()
        change_passphrase(self.profile, key, "another river, wider", cost=CHEAP)
        self.assertRaises(ProfileLocked, unlock, self.profile, PASSPHRASE)
        self.assertEqual(unlock(self.profile, "another river, wider"), key)

    def test_from_keyring(self) -> None:
        """A key that was in the keyring is under a passphrase then, and in the keyring no more."""
        key = seal_profile(self.profile, find=lambda: self.store)
        change_passphrase(self.profile, key, PASSPHRASE, find=lambda: self.store, cost=CHEAP)
        self.assertEqual(list(self.kept.iterdir()), [])
        self.assertEqual((self.profile.sealing, unlock(self.profile, PASSPHRASE)), ("passphrase", key))

    def test_refused(self) -> None:
        """Not with another key, nor in a profile that is not sealed, nor to a short one."""
        self.assertRaises(ProfileLocked, change_passphrase, self.profile, ProfileKey.generate(), PASSPHRASE)
        key = self.seal()
        self.assertRaises(ProfileLocked, change_passphrase, self.profile, ProfileKey.generate(), PASSPHRASE)
        self.assertRaises(PasswordInvalid, change_passphrase, self.profile, key, "short", cost=CHEAP)
        self.assertEqual(unlock(self.profile, PASSPHRASE), key)


class KilledTests(SealingCase):
    """SIGKILL before each step of sealing."""

    def killed(self, way: str) -> list[str]:
        """Copies of the profile, killed at one step each; the steps' names."""
        command = [sys.executable, "-m", "tests.client.sealing_victim", str(self.profile.directory), way]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=START_SECONDS)
        return done.stdout.splitlines()

    def check(self, way: str) -> None:
        """Each is whole, unsealed or sealed; nothing is left in the clear once it is sealed and was opened once."""
        steps, sealed = self.killed(way), []
        self.assertEqual(steps[0], "begin")
        for number, name in enumerate(steps):
            profile = Profile(self.profile.directory.with_name(f"alice.{number}"))
            store = SystemKeyring(FileBackend(self.profile.directory.with_name(f"keys.{number}")))
            passphrase = None if way == "keyring" else PASSPHRASE
            if profile.sealing == "none":
                self.assertIsNone(profile.seal)
                self.assert_whole(profile)
                seal_profile(profile, passphrase, find=lambda store=store: store, cost=CHEAP)  # type: ignore[misc]
            else:
                sealed.append(name)
            key = unlock(profile, passphrase, find=lambda store=store: store)  # type: ignore[misc]
            self.assertEqual(self.seen(profile), 0, name)
            self.assertFalse((profile.directory / BEGUN_NAME).exists())
            self.assert_whole(profile.unlocked(key))
            self.assertLessEqual(len(list(self.profile.directory.with_name(f"keys.{number}").iterdir())), 1)
        self.assertEqual(sealed[0], "decided")
        self.assertIn("remove client.db", sealed)
        self.assertIn("overwrite keyring.json", sealed)
        self.assertIn("check the copy", steps)

    def test_passphrase(self) -> None:
        """Under a passphrase."""
        self.check("passphrase")

    def test_keyring(self) -> None:
        """In the operating system's keyring, which keeps one key of it however often it was tried."""
        self.check("keyring")


class FileTests(SynchronousTestCase):
    """What overwriting does to a file."""

    def test_overwritten(self) -> None:
        """The bytes of a file are zeros before its name is gone: whoever had it open sees them."""
        base = Path(self.mktemp()).absolute()
        profile = Profile.named("alice", base)
        profile.save_keyring(keyring("alice"))
        vault = Vault.open(profile.database)
        Facts(vault.database).put("key", CANARY)
        vault.close()
        opened = [path.open("rb") for path in (profile.database, profile.directory / "keyring.json")]
        for file in opened:
            self.addCleanup(file.close)
        seal_profile(profile, PASSPHRASE, cost=CHEAP)
        for file in opened:
            self.assertEqual(set(file.read()), {0})
