"""What every store keeps to: accounts, invites and bans."""

import msgspec

from chatserv.domain.roles import Role
from chatserv.errors import BadMessage, Forbidden, InviteInvalid, NameTaken, NotFound, Quota
from chatserv.local_errors import LocalProtocolError
from chatserv.models import Account, AccountStatus, Ban, BanKind
from chatserv.ports import Store
from chatserv.store.limits import StoreLimits
from tests.store.contract_base import ContractBase
from tests.store.drafts import NOW_MS, cert_hash, invite, log_leaf, registration, signer, start, together


class AccountContract(ContractBase):
    """Registering, invites, and what administrators change."""

    async def test_addresses(self) -> None:
        """The server's other addresses are what was kept last; none at first."""
        store = await self.open_store()
        self.assertEqual((), tuple(await store.addresses()))
        for kept in (("a.example:1", "[::1]:2"), ("b.example:1",), ()):
            await store.set_addresses(kept)
            self.assertEqual(kept, tuple(await store.addresses()))

    async def test_register(self) -> None:
        """An account gets a random id and its device, and appends its leaves to the log."""
        store = await self.open_store()
        new = registration("alice", leaves=(log_leaf(1), log_leaf(2)))
        alice = await store.register(new, NOW_MS)
        self.assertEqual((16, "alice", Role.USER), (len(alice.account_id), alice.name, alice.role))
        device = await store.device("alice", new.device_id)
        self.assertEqual((alice, b"certificate alice"), (device.account, device.certificate) if device else None)
        self.assertEqual(AccountStatus(alice, False, False, NOW_MS), await store.account("alice"))
        self.assertEqual([b"leaf 1", b"leaf 2"], list(await store.log()))

    async def test_unknown_device(self) -> None:
        """Unknown accounts and devices of others are None."""
        store = await self.open_store()
        await together([store.register(registration(name), NOW_MS) for name in ("alice", "bob")])
        bob = registration("bob").device_id
        self.assertEqual([None, None], [await store.device("alice", bob), await store.device("carol", bob)])
        self.assertIsNone(await store.account("carol"))

    async def test_no_name(self) -> None:
        """A text that can be nobody's name is unknown, as any other: anybody may ask for it before a login."""
        store = await self.open_store()
        for name in ("alice", "bob", "carol"):
            await store.register(registration(name), NOW_MS)
        for text in ("\0", "bob\0", "bob\0b", "b\ufffe"):
            found = (await store.device(text, registration("bob").device_id), await store.login(text))
            self.assertEqual((None, None), found)
            self.assertEqual((None, None), (await store.account(text), await store.backup(text)))
            self.assertEqual(([], []), (list(await store.devices(text)), list(await store.rooms_of(text))))
        self.assertEqual(["carol"], [each.account.name for each in await store.accounts("bob\0", 3)])
        self.assertEqual(["bob", "carol"], [each.account.name for each in await store.accounts("b\0b", 3)])

    async def test_register_again(self) -> None:
        """The same registration again answers with the same account, though its invite is used and expired."""
        store = await self.open_store()
        await store.add_invite(invite(1, role=Role.ADMIN), NOW_MS)
        new = registration("alice", invite(1).token_hash)
        first, second = await together([store.register(new, NOW_MS), store.register(new, NOW_MS)])
        third = await store.register(new, NOW_MS + 5000)
        self.assertEqual([first, first], [second, third])
        self.assertEqual(Role.ADMIN, first.role)

    async def test_names_taken(self) -> None:
        """A name or a skeleton that exists is refused, alone."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        same_name = msgspec.structs.replace(registration("alice"), skeleton="other", certificate=b"other")
        look_alike = registration("ALICE")
        refused = [start(store.register(each, NOW_MS)) for each in (same_name, look_alike)]
        bob = start(store.register(registration("bob"), NOW_MS))
        for each in refused:
            await self.assertFailure(each, NameTaken)
        self.assertEqual("bob", (await bob).name)

    async def test_devices_taken(self) -> None:
        """A device id or a certificate belongs to one account."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        for field in ("device_id", "certificate"):
            value = getattr(registration("alice"), field)
            thief = msgspec.structs.replace(registration("mallory"), **{field: value})
            await self.assertFailure(start(store.register(thief, NOW_MS)), BadMessage)
        self.assertIsNone(await store.device("mallory", registration("mallory").device_id))

    async def test_invites(self) -> None:
        """An invite works once, before it expires, for its name; a refused use does not use it up."""
        store = await self.open_store()
        for each in (invite(1), invite(2, name="bob"), invite(3, expires_ms=NOW_MS + 10)):
            await store.add_invite(each, NOW_MS)

        async def refused(name: str, number: int, at_ms: int = NOW_MS) -> None:
            attempt = store.register(registration(name, invite(number).token_hash), at_ms)
            await self.assertFailure(start(attempt), InviteInvalid)

        await store.register(registration("alice", invite(1).token_hash), NOW_MS)
        await refused("carol", 1)
        await refused("carol", 2)
        await refused("carol", 9)
        await refused("carol", 3, NOW_MS + 10)
        await refused("alice ", 9)
        taken = store.register(registration("ALICE", invite(3).token_hash), NOW_MS)
        await self.assertFailure(start(taken), NameTaken)
        self.assertEqual("bob", (await store.register(registration("bob", invite(2).token_hash), NOW_MS)).name)
        self.assertEqual("dora", (await store.register(registration("dora", invite(3).token_hash), NOW_MS)).name)

    async def test_open_invites_bounded(self) -> None:
        """The bound counts invites neither used nor expired; one more is refused."""
        store = await self.open_store(StoreLimits(open_invites=2))
        await store.add_invite(invite(1), NOW_MS)
        await store.add_invite(invite(2, expires_ms=NOW_MS + 10), NOW_MS)
        await self.assertFailure(start(store.add_invite(invite(3), NOW_MS)), Quota)
        await store.register(registration("alice", invite(1).token_hash), NOW_MS)
        await store.add_invite(invite(3), NOW_MS)
        await store.add_invite(invite(4), NOW_MS + 10)
        await self.assertFailure(start(store.add_invite(invite(5), NOW_MS + 10)), Quota)

    async def test_token_exists(self) -> None:
        """A token that is stored, used or not, is the caller's mistake."""
        store = await self.open_store()
        await store.add_invite(invite(1), NOW_MS)
        await self.assertFailure(start(store.add_invite(invite(1), NOW_MS)), LocalProtocolError)
        await store.register(registration("alice", invite(1).token_hash), NOW_MS)
        await self.assertFailure(start(store.add_invite(invite(1), NOW_MS + 5000)), LocalProtocolError)

    async def test_accounts_bounded(self) -> None:
        """One account above the bound is refused, and its invite stays open."""
        store = await self.open_store(StoreLimits(accounts=1))
        await store.register(registration("alice"), NOW_MS)
        await self.assertFailure(start(store.register(registration("bob"), NOW_MS)), Quota)

    async def test_devices_bounded(self) -> None:
        """One device above the bound of an account is refused, with the account."""
        store = await self.open_store(StoreLimits(devices=0))
        await self.assertFailure(start(store.register(registration("alice"), NOW_MS)), Quota)
        self.assertIsNone(await store.account("alice"))

    async def test_accounts(self) -> None:
        """Pages of accounts are in order of name, each after the last one's."""
        store = await self.open_store()
        for number, name in enumerate(("carol", "alice", "dora", "bob")):
            await store.register(registration(name), NOW_MS + number)

        async def page(after: str, limit: int) -> list[str]:
            return [each.account.name for each in await store.accounts(after, limit)]

        self.assertEqual(["alice", "bob", "carol", "dora"], await page("", 9))
        self.assertEqual([["alice", "bob"], ["carol", "dora"]], [await page("", 2), await page("bob", 2)])
        self.assertEqual([["carol", "dora"], [], []], [await page("c", 9), await page("dora", 9), await page("", 0)])
        self.assertEqual([NOW_MS + 1], [each.created_ms for each in await store.accounts("", 1)])

    async def administrator(self, store: Store, name: str, number: int) -> Account:
        """Registers an administrator."""
        await store.add_invite(invite(number, role=Role.ADMIN), NOW_MS)
        return await store.register(registration(name, invite(number).token_hash), NOW_MS)

    async def test_set_account(self) -> None:
        """What is given changes, the rest stays, and all is found again."""
        store = await self.open_store()
        await self.administrator(store, "root", 1)
        alice = await store.register(registration("alice"), NOW_MS)
        expected = AccountStatus(alice, suspended=True, muted=False, created_ms=NOW_MS)
        self.assertEqual(expected, await store.set_account("alice", suspended=True))
        expected = AccountStatus(alice, suspended=True, muted=True, created_ms=NOW_MS)
        self.assertEqual(expected, await store.set_account("alice", muted=True))
        promoted = msgspec.structs.replace(alice, role=Role.ADMIN)
        expected = AccountStatus(promoted, suspended=False, muted=True, created_ms=NOW_MS)
        self.assertEqual(expected, await store.set_account("alice", role=Role.ADMIN, suspended=False))
        self.assertEqual([expected, expected], [await store.account("alice"), (await store.accounts("", 1))[0]])
        self.assertEqual(expected, await store.set_account("alice"))
        device = await store.device("alice", registration("alice").device_id)
        self.assertEqual(promoted, device.account if device else None)
        self.assertEqual(promoted, await store.register(registration("alice"), NOW_MS))
        await self.assertFailure(start(store.set_account("nobody", muted=True)), NotFound)

    async def test_last_administrator(self) -> None:
        """One administrator who is not suspended remains."""
        store = await self.open_store()
        await self.administrator(store, "alice", 1)
        await store.register(registration("bob"), NOW_MS)
        await self.assertFailure(start(store.set_account("alice", role=Role.USER)), Forbidden)
        await self.assertFailure(start(store.set_account("alice", suspended=True, muted=True)), Forbidden)
        status = await store.account("alice")
        self.assertEqual((False, False), (status.suspended, status.muted) if status else None)
        await store.set_account("alice", muted=True)
        await store.set_account("bob", role=Role.ADMIN, suspended=True)
        await self.assertFailure(start(store.set_account("alice", role=Role.USER)), Forbidden)
        await store.set_account("bob", suspended=False)
        self.assertEqual(Role.USER, (await store.set_account("alice", role=Role.USER)).account.role)
        await self.assertFailure(start(store.set_account("bob", suspended=True)), Forbidden)

    async def test_last_administrator_without_a_device(self) -> None:
        """The one who remains can log in: who has no device left does not count, and the last one keeps theirs."""
        store = await self.open_store()
        await self.administrator(store, "alice", 1)
        await store.register(registration("bob"), NOW_MS)
        leaves = len(await store.log())
        await self.assertFailure(
            start(store.revoke(cert_hash("alice"), log_leaf(1), NOW_MS, signer("alice"))), Forbidden
        )
        self.assertEqual(leaves, len(await store.log()))
        self.assertIsNotNone(await store.device("alice", registration("alice").device_id))
        await store.set_account("bob", role=Role.ADMIN, suspended=True)
        await self.assertFailure(
            start(store.revoke(cert_hash("alice"), log_leaf(1), NOW_MS, signer("alice"))), Forbidden
        )
        await store.set_account("bob", suspended=False)
        self.assertTrue(await store.revoke(cert_hash("bob"), log_leaf(1), NOW_MS, signer("bob")))
        await self.assertFailure(start(store.set_account("alice", suspended=True)), Forbidden)
        await self.assertFailure(start(store.set_account("alice", role=Role.USER)), Forbidden)

    async def test_bans(self) -> None:
        """Bans are listed by subject, made once, and lifted; doing so again is harmless."""
        store = await self.open_store()
        self.assertEqual([], list(await store.bans()))
        one = Ban(BanKind.ADDRESS, "192.0.2.0/24", "alice", 5)
        two = Ban(BanKind.ACCOUNT, "mallory", "alice", 6)
        same_subject = Ban(BanKind.ADDRESS, "mallory", "alice", 7)
        for each in (same_subject, two, one, msgspec.structs.replace(one, by="bob", at_ms=9)):
            await store.set_ban(each, on=True)
        self.assertEqual([one, two, same_subject], list(await store.bans()))
        for _ in range(2):
            await store.set_ban(msgspec.structs.replace(two, by="bob"), on=False)
            self.assertEqual([one, same_subject], list(await store.bans()))

    async def test_bans_bounded(self) -> None:
        """One ban above the bound is refused; one that is there may be set again."""
        store = await self.open_store(StoreLimits(bans=2))
        bans = [Ban(BanKind.ACCOUNT, f"user{number}", "alice", 1) for number in range(3)]
        for each in (bans[0], bans[1], bans[0]):
            await store.set_ban(each, on=True)
        await self.assertFailure(start(store.set_ban(bans[2], on=True)), Quota)
        await store.set_ban(bans[0], on=False)
        await store.set_ban(bans[2], on=True)
        self.assertEqual(bans[1:], list(await store.bans()))
