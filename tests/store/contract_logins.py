"""What every store keeps to: logins by password, and further devices of an account."""

from typing import Any

from chatserv.account_models import Enrolment, PasswordLogin
from chatserv.crypto.suite import sha256
from chatserv.errors import BadKey, BadMessage, NotFound, Quota
from chatserv.models import Account
from chatserv.ports import Store
from chatserv.store.limits import StoreLimits
from tests.store.contract_base import ContractBase
from tests.store.drafts import NOW_MS, cert_hash, log_leaf, registration, signer, start

NETWORKS = [bytes([number]) * 16 for number in range(10)]


def enrolment(name: str, number: int, **changes: Any) -> Enrolment:
    """A further device of an account, of this number."""
    given: dict[str, Any] = {
        "name": name,
        "identity_spki": registration(name).identity_spki,
        "device_id": sha256(b"device %d" % number)[:16],
        "certificate": b"certificate %d" % number,
        "leaf": log_leaf(number),
    }
    return Enrolment(**given | changes)


class LoginContract(ContractBase):
    """What a login by password goes by."""

    async def account(self, store: Store, name: str) -> Account:
        """A new account."""
        return await store.register(registration(name), NOW_MS)

    async def test_login(self) -> None:
        """The account, what its client has made of its password, its identity; nothing for a name that nobody has."""
        store = await self.open_store()
        self.assertIsNone(await store.login("alice"))
        alice, given = await self.account(store, "alice"), registration("alice")
        self.assertEqual(PasswordLogin(alice, given.verifier, given.identity_spki), await store.login("alice"))
        self.assertIsNone(await store.login("bob"))

    async def test_set_verifier(self) -> None:
        """Another password of this account and of no other, by its newest identity; none where there is no account."""
        store = await self.open_store()
        alice, bob = await self.account(store, "alice"), await self.account(store, "bob")
        await store.set_verifier(alice.account_id, b"another", signer("alice"))
        verifiers = [login.verifier for name in ("alice", "bob") if (login := await store.login(name))]
        self.assertEqual([b"another", registration("bob").verifier], verifiers)
        self.assertNotEqual(alice.account_id, bob.account_id)
        await self.assertFailure(start(store.set_verifier(b"n" * 16, b"another", signer("alice"))), NotFound)
        await self.assertFailure(start(store.set_verifier(alice.account_id, b"third", signer("bob"))), BadKey)
        login = await store.login("alice")
        self.assertEqual(b"another", login and login.verifier)

    async def test_networks(self) -> None:
        """Where an account has logged in from is known, of each account by itself."""
        store = await self.open_store()
        alice, _ = await self.account(store, "alice"), await self.account(store, "bob")
        for network in (NETWORKS[0], NETWORKS[1], NETWORKS[0]):
            await store.note_network(alice.account_id, network, NOW_MS)
        await store.note_network(b"n" * 16, NETWORKS[2], NOW_MS)
        known = [login.networks for name in ("alice", "bob") if (login := await store.login(name))]
        self.assertEqual([frozenset(NETWORKS[:2]), frozenset()], known)

    async def test_networks_bounded(self) -> None:
        """Beyond the bound the one that was used longest ago is forgotten."""
        store = await self.open_store(StoreLimits(networks=3))
        alice = await self.account(store, "alice")
        for at, network in enumerate((NETWORKS[0], NETWORKS[1], NETWORKS[2], NETWORKS[0], NETWORKS[3])):
            await store.note_network(alice.account_id, network, NOW_MS + at)
        login = await store.login("alice")
        assert login is not None
        self.assertEqual({NETWORKS[0], NETWORKS[2], NETWORKS[3]}, login.networks)


class EnrolmentContract(ContractBase):
    """Further devices."""

    async def test_enrol(self) -> None:
        """The device is there with its certificate and its leaf, as its account's."""
        store = await self.open_store()
        account = await store.register(registration("alice"), NOW_MS)
        new = enrolment("alice", 1)
        await store.enrol(new, NOW_MS)
        device = await store.device("alice", new.device_id)
        assert device is not None
        self.assertEqual((new.certificate, account), (device.certificate, device.account))
        self.assertEqual([leaf.leaf for leaf in [new.leaf] if leaf], list(await store.log()))
        self.assertEqual(b"statement 1", await store.statement(0))
        (certified,) = await store.certificates([sha256(new.certificate)])
        self.assertEqual(new.identity_spki, certified.identity_spki)

    async def test_enrol_again(self) -> None:
        """The same again changes nothing, and appends nothing."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        for _ in range(3):
            await store.enrol(enrolment("alice", 1), NOW_MS)
        self.assertEqual(1, len(await store.log()))

    async def test_enrol_refused(self) -> None:
        """By nobody, by another identity, under an id or with a certificate of somebody else; and then nothing was done."""
        store = await self.open_store()
        for name in ("alice", "bob"):
            await store.register(registration(name), NOW_MS)
        await store.enrol(enrolment("bob", 5), NOW_MS)
        alice, taken = registration("alice"), enrolment("bob", 5)
        for new, error in (
            (enrolment("nobody", 1), NotFound),
            (enrolment("alice", 1, identity_spki=b"another"), BadKey),
            (enrolment("alice", 1, device_id=alice.device_id), BadMessage),
            (enrolment("alice", 1, device_id=taken.device_id), BadMessage),
            (enrolment("alice", 1, certificate=taken.certificate), BadMessage),
            (enrolment("alice", 5), BadMessage),
        ):
            await self.assertFailure(start(store.enrol(new, NOW_MS)), error)
        self.assertEqual(1, len(await store.log()))

    async def test_revoked_does_not_come_back(self) -> None:
        """A certificate that was revoked makes no device any more."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        new = enrolment("alice", 1)
        await store.enrol(new, NOW_MS)
        await store.revoke(sha256(new.certificate), log_leaf(2), NOW_MS, signer("alice"))
        await self.assertFailure(start(store.enrol(new, NOW_MS)), BadKey)
        self.assertIsNone(await store.device("alice", new.device_id))

    async def test_ten_at_a_time(self) -> None:
        """The eleventh is refused, until one is revoked: those do not count."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        for number in range(1, 10):
            await store.enrol(enrolment("alice", number), NOW_MS)
        await self.assertFailure(start(store.enrol(enrolment("alice", 10), NOW_MS)), Quota)
        await store.revoke(cert_hash("alice"), log_leaf(50), NOW_MS, signer("alice"))
        await store.enrol(enrolment("alice", 10), NOW_MS)
        await self.assertFailure(start(store.enrol(enrolment("alice", 11), NOW_MS)), Quota)
        await store.enrol(enrolment("alice", 10), NOW_MS)
