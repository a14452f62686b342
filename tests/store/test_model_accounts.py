"""Accounts and keys: the statements and `chatserv.store.memory.MemoryStore` answer the same to the same operations."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from chatserv.account_models import Enrolment
from chatserv.crypto.prekeys import LAST_RESORT_BIT
from chatserv.domain.roles import Role
from chatserv.models import AccountStatus, Ban, BanKind
from chatserv.store import statements
from chatserv.store.limits import StoreLimits
from tests.store.drafts import cert_hash, invite, log_leaf, prekeys, registration, sealed, signer
from tests.store.model_base import Stores, plain

NAMES = ("alice", "ALICE", "bob", "carol", "dora", "emil")

tokens = st.integers(1, 6)
names = st.sampled_from(NAMES)
old_names = st.sampled_from(("alice", "bob", "carol"))
times = st.integers(0, 30)
numbers = st.integers(0, 8)


class AccountStores(Stores):
    """Both stores with two accounts, of which one may be an administrator."""

    LIMITS = StoreLimits(open_invites=3, accounts=4, bans=2, devices=2, networks=2)

    @initialize(admin=st.booleans())
    def begin(self, admin: bool) -> None:
        """The first accounts."""
        self.add_invite(9, 1, "", 0, admin)
        self.register("alice", 9, 0)
        self.register("bob", None, 0)

    @rule(
        token=tokens,
        life=times,
        name=st.sampled_from(["", "alice", "bob"]),
        now=times,
        admin=st.booleans(),
        reset=st.booleans(),
    )
    def add_invite(self, token: int, life: int, name: str, now: int, admin: bool, reset: bool = False) -> None:
        """An invite."""
        role = Role.ADMIN if admin else Role.USER
        new = invite(token, role=role, expires_ms=life, name=name, reset=reset and bool(name))
        self.same(lambda conn: statements.add_invite(conn, new, now, self.LIMITS), self.memory.add_invite(new, now))

    @rule(name=names, token=st.none() | tokens, now=times, number=st.integers(0, 2), reset=st.booleans())
    def register(self, name: str, token: int | None, now: int, number: int = 0, reset: bool = False) -> None:
        """A registration, perhaps repeated, or a reset."""
        token_hash = None if token is None else invite(token).token_hash
        leaves = (log_leaf(now), log_leaf(now + 100))
        new = registration(name, token_hash, leaves=leaves, number=number, reset=reset)
        self.same(lambda conn: statements.register(conn, new, now, self.LIMITS), self.memory.register(new, now))

    @rule(name=old_names, before=st.integers(0, 3), after=st.integers(0, 3))
    def rotate(self, name: str, before: int, after: int) -> None:
        """Another identity."""
        spki, old = registration(name, number=after).identity_spki, signer(name, before)
        self.same(
            lambda conn: statements.rotate(conn, name, old, spki, log_leaf(8)),
            self.memory.rotate(name, old, spki, log_leaf(8)),
        )

    @rule(name=old_names, by=st.none() | st.integers(0, 2))
    def end_account(self, name: str, by: int | None) -> None:
        """The end of an account, by an identity or the server."""
        key = None if by is None else signer(name, by)
        self.same(
            lambda conn: statements.end_account(conn, name, log_leaf(9), 5, key),
            self.memory.end_account(name, log_leaf(9), 5, key),
        )

    @rule(name=old_names, counter=st.integers(1, 4), slots=st.integers(0, 2))
    def put_backup(self, name: str, counter: int, slots: int) -> None:
        """A backup."""
        new = sealed(counter, slots=slots)
        self.same(lambda conn: statements.put_backup(conn, name, new), self.memory.put_backup(name, new))

    @rule(name=old_names, now=times)
    def saw(self, name: str, now: int) -> None:
        """A device is here."""
        device = registration(name).device_id
        self.same(lambda conn: statements.saw(conn, device, now), self.memory.saw(device, now))

    @rule(name=old_names, number=st.integers(3, 5), by=st.integers(0, 2), owner=old_names)
    def enrol(self, name: str, number: int, by: int, owner: str) -> None:
        """A further device, perhaps with somebody else's certificate."""
        made = registration(owner, number=number)
        spki = registration(name, number=by).identity_spki
        new = Enrolment(name, spki, made.device_id, made.certificate, log_leaf(6))
        self.same(lambda conn: statements.enrol(conn, new, 5, self.LIMITS), self.memory.enrol(new, 5))

    @rule(name=old_names, number=st.integers(0, 2), now=times, by=old_names)
    def log_in(self, name: str, number: int, now: int, by: str) -> None:
        """Another password, and a login from somewhere."""
        verifier, network = b"verifier %d" % number, bytes([number]) * 16
        theirs = self.id_of(self.of(self.memory.account(name)))
        self.same(
            lambda conn: statements.set_verifier(
                conn, self.id_of(statements.find_account(conn, name)), verifier, signer(by)
            ),
            self.memory.set_verifier(theirs, verifier, signer(by)),
        )
        self.same(
            lambda conn: statements.note_network(
                conn, self.id_of(statements.find_account(conn, name)), network, now, self.LIMITS
            ),
            self.memory.note_network(theirs, network, now),
        )

    def id_of(self, status: AccountStatus | None) -> bytes:
        """The id of an account, or one that nobody has."""
        return b"n" * 16 if status is None else status.account.account_id

    @rule(
        name=old_names,
        role=st.none() | st.sampled_from(Role),
        suspended=st.none() | st.booleans(),
        muted=st.none() | st.booleans(),
    )
    def set_account(self, name: str, role: Role | None, suspended: bool | None, muted: bool | None) -> None:
        """A change to an account."""
        self.same(
            lambda conn: statements.set_account(conn, name, role, suspended, muted),
            self.memory.set_account(name, role=role, suspended=suspended, muted=muted),
        )

    @rule(subject=names, kind=st.sampled_from(BanKind), at_ms=times, on=st.booleans())
    def set_ban(self, subject: str, kind: BanKind, at_ms: int, on: bool) -> None:
        """A ban, or its end."""
        ban = Ban(kind, subject, "root", at_ms)
        self.same(lambda conn: statements.set_ban(conn, ban, on, self.LIMITS), self.memory.set_ban(ban, on=on))

    @rule(name=old_names, number=st.integers(0, 2), by=st.integers(0, 2))
    def revoke(self, name: str, number: int, by: int) -> None:
        """The end of a device."""
        leaf, key, which = log_leaf(7), signer(name, by), cert_hash(name, number)
        self.same(lambda conn: statements.revoke(conn, which, leaf, 5, key), self.memory.revoke(which, leaf, 5, key))

    @rule(
        name=old_names,
        listed=st.lists(numbers | st.sampled_from([LAST_RESORT_BIT, LAST_RESORT_BIT + 1]), max_size=4),
        most=st.integers(0, 3),
    )
    def publish_prekeys(self, name: str, listed: list[int], most: int) -> None:
        """Prekeys of a device."""
        device, items = registration(name).device_id, prekeys(*listed)
        self.same(
            lambda conn: statements.publish_prekeys(conn, device, items, most),
            self.memory.publish_prekeys(device, items, most),
        )

    @rule(name=old_names, one_time=st.booleans())
    def take_prekey(self, name: str, one_time: bool) -> None:
        """A prekey is given out."""
        device = registration(name).device_id
        self.same(
            lambda conn: statements.take_prekey(conn, device, one_time),
            self.memory.take_prekey(device, one_time=one_time),
        )

    @invariant()
    def agree(self) -> None:
        """What can be read is the same in both."""
        memory, of = self.memory, self.of
        assert self.read(statements.log) == of(memory.log())
        assert self.read(statements.bans) == of(memory.bans())
        accounts = self.read(lambda conn: statements.accounts(conn, "", 9))
        assert list(map(plain, accounts)) == list(map(plain, of(memory.accounts("", 9))))
        hashes = [cert_hash(name, number) for name in NAMES for number in range(3)]
        certified = self.read(lambda conn: statements.certificates(conn, hashes))
        assert set(certified) == set(of(memory.certificates(hashes)))
        for name in NAMES:
            self.agree_about(name)

    def agree_about(self, name: str) -> None:
        """Account, device and prekeys of a name."""
        memory, of, who = self.memory, self.of, registration(name).device_id
        ours = self.read(lambda conn: statements.find_account(conn, name))
        assert plain(ours) == plain(of(memory.account(name)))
        device = self.read(lambda conn: statements.find_device(conn, name, who))
        other = of(memory.device(name, who))
        assert (device and plain(device.account)) == (other and plain(other.account))
        assert self.read(lambda conn: statements.prekeys_left(conn, who)) == of(memory.prekeys_left(who))
        assert self.read(lambda conn: statements.devices(conn, name)) == of(memory.devices(name))
        login, another = self.read(lambda conn: statements.login(conn, name)), of(memory.login(name))
        assert (login is None) == (another is None)
        if login is not None:
            assert login.verifier == another.verifier
            assert (login.identity_spki, login.networks) == (another.identity_spki, another.networks)
        assert self.read(lambda conn: statements.find_backup(conn, name)) == of(memory.backup(name))
        assert self.read(lambda conn: statements.backup_counter(conn, name)) == of(memory.backup_counter(name))


class AccountModelTests(SynchronousTestCase):
    """Runs `AccountStores`."""

    def test_same_answers(self) -> None:
        """Every sequence of operations has the same answers in SQL and in memory."""
        bounds = settings(max_examples=50, stateful_step_count=30, deadline=None)
        run_state_machine_as_test(AccountStores, settings=bounds)
