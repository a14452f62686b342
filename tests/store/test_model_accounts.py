"""Accounts and keys: the statements and `chatserv.store.memory.MemoryStore` answer the same to the same operations."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.prekeys import LAST_RESORT_BIT
from chatserv.domain.roles import Role
from chatserv.models import Ban, BanKind
from chatserv.store import statements
from chatserv.store.limits import StoreLimits
from tests.store.drafts import cert_hash, invite, log_leaf, prekeys, registration
from tests.store.model_base import Stores, plain

NAMES = ("alice", "ALICE", "bob", "carol", "dora", "emil")

tokens = st.integers(1, 6)
names = st.sampled_from(NAMES)
old_names = st.sampled_from(("alice", "bob", "carol"))
times = st.integers(0, 30)
numbers = st.integers(0, 8)


class AccountStores(Stores):
    """Both stores with two accounts, of which one may be an administrator."""

    LIMITS = StoreLimits(open_invites=3, accounts=4, bans=2)

    @initialize(admin=st.booleans())
    def begin(self, admin: bool) -> None:
        """The first accounts."""
        self.add_invite(9, 1, "", 0, admin)
        self.register("alice", 9, 0)
        self.register("bob", None, 0)

    @rule(token=tokens, life=times, name=st.sampled_from(["", "alice", "bob"]), now=times, admin=st.booleans())
    def add_invite(self, token: int, life: int, name: str, now: int, admin: bool) -> None:
        """An invite."""
        new = invite(token, role=Role.ADMIN if admin else Role.USER, expires_ms=life, name=name)
        self.same(lambda conn: statements.add_invite(conn, new, now, self.LIMITS), self.memory.add_invite(new, now))

    @rule(name=names, token=st.none() | tokens, now=times)
    def register(self, name: str, token: int | None, now: int) -> None:
        """A registration, perhaps repeated."""
        token_hash = None if token is None else invite(token).token_hash
        new = registration(name, token_hash, leaves=(log_leaf(now), log_leaf(now + 100)))
        self.same(lambda conn: statements.register(conn, new, now, self.LIMITS), self.memory.register(new, now))

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

    @rule(name=old_names)
    def revoke(self, name: str) -> None:
        """The end of a device."""
        leaf = log_leaf(7)
        self.same(
            lambda conn: statements.revoke(conn, cert_hash(name), leaf, 5), self.memory.revoke(cert_hash(name), leaf, 5)
        )

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
        hashes = [cert_hash(name) for name in NAMES]
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


class AccountModelTests(SynchronousTestCase):
    """Runs `AccountStores`."""

    def test_same_answers(self) -> None:
        """Every sequence of operations has the same answers in SQL and in memory."""
        bounds = settings(max_examples=50, stateful_step_count=30, deadline=None)
        run_state_machine_as_test(AccountStores, settings=bounds)
