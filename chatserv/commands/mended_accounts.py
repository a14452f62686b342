"""What follows from the leaves that a restored server got back: accounts, devices, identities, and their ends.

Each is looked at in the order of the log, again whenever something was added; what is done already does nothing. A
password is in no leaf: an account that comes back has none that anybody knows, until one of its devices sets it.
"""

from typing import Any, Final

from chatserv.account_models import Enrolment
from chatserv.commands.context import Context
from chatserv.crypto.log_leaves import LEAF_BYTES, Leaf, LeafType, user_tag
from chatserv.crypto.password import verifier_of_nobody
from chatserv.crypto.statements import DeviceFacts, certificate_facts, verify_certificate
from chatserv.crypto.suite import sha256
from chatserv.domain.names import skeleton
from chatserv.errors import ChatError
from chatserv.models import Registration

ACCOUNTS_AT_ONCE: Final = 500
SECRET_BYTES: Final = 32
MAX_SAID: Final = 1000  # leaves in a report


class MendedAccounts:
    """Goes through the leaves behind those of the backup.

    Args:
        context: The world.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._names: dict[bytes, str] = {}

    async def carry_out(self) -> dict[str, Any]:
        """Does what is not done yet, and gives the indices of leaves of which too little is known to do it."""
        context = self._context
        if context.mending.restored is None:
            return {}
        first, undone = context.mending.restored.size, list[int]()
        data = context.log.leaves(first, context.log.size)
        leaves = [Leaf.decode(data[at : at + LEAF_BYTES]) for at in range(0, len(data), LEAF_BYTES)]
        if any(leaf.kind in {LeafType.ROTATE, LeafType.GONE} for leaf in leaves):
            await self._learn_names()
        for index, leaf in enumerate(leaves, first):
            try:
                done = await self._carry_out(index, leaf)
            except ChatError:
                done = False
            if not done:
                undone.append(index)
        return {"backup": first, "undone": undone[:MAX_SAID]}

    async def _learn_names(self) -> None:
        after = ""
        while page := await self._context.store.accounts(after, ACCOUNTS_AT_ONCE):
            for status in page:
                self._learn(status.account.name)
            after = page[-1].account.name

    def _learn(self, name: str) -> None:
        self._names[user_tag(self._context.log.server_id, name)] = name

    async def _carry_out(self, index: int, leaf: Leaf) -> bool:
        store = self._context.store
        match leaf.kind:
            case LeafType.UIK | LeafType.RESET:
                return bool(await store.statement(index))  # with the device that came with it
            case LeafType.DEVICE:
                return await self._device(index, leaf)
            case LeafType.REVOKE:
                return await self._revoke(index, leaf)
            case LeafType.ROTATE:
                return await self._rotate(index, leaf)
            case LeafType.GONE:
                return await self._gone(leaf)
        return True

    async def _device(self, index: int, leaf: Leaf) -> bool:
        context, certificate = self._context, await self._context.store.statement(index)
        if await context.store.certificates([leaf.subject]):
            return True
        if not certificate:
            return False
        device = certificate_facts(certificate)
        signer = context.log.facts.signer(device.user, index)
        if user_tag(context.log.server_id, device.user) != leaf.tag or signer is None:
            return False
        spki = signer.spki(await context.store.statement(signer.index) or b"")
        verify_certificate(certificate, spki, context.log.server_id)
        if signer.index == index - 1 and signer.kind is not LeafType.ROTATE:  # the two are of one registration
            await self._register(device, spki, certificate, reset=signer.kind is LeafType.RESET, at_ms=leaf.at_ms)
        else:
            enrolment = Enrolment(device.user, spki, device.device_id, certificate, None)
            await context.store.enrol(enrolment, leaf.at_ms)
        return True

    async def _register(self, device: DeviceFacts, spki: bytes, certificate: bytes, *, reset: bool, at_ms: int) -> None:
        secret = self._context.random(SECRET_BYTES)
        registration = Registration(
            token_hash=None,
            name=device.user,
            skeleton=skeleton(device.user),
            identity_spki=spki,
            device_id=device.device_id,
            certificate=certificate,
            verifier=verifier_of_nobody(secret, device.user).encode(),
            reset=reset,
            mended=True,
        )
        await self._context.store.register(registration, at_ms)
        self._learn(device.user)

    async def _revoke(self, index: int, leaf: Leaf) -> bool:
        context = self._context
        known = await context.store.certificates([leaf.subject])
        if not known:
            return False
        device = certificate_facts(known[0].certificate)
        signer = context.log.facts.signer(device.user, index)
        if signer is None:
            return False
        await context.store.revoke(leaf.subject, None, leaf.at_ms, signer.fingerprint)
        return True

    async def _rotate(self, index: int, leaf: Leaf) -> bool:
        context, name = self._context, self._names.get(leaf.tag)
        if name is None:
            return False
        identities = context.log.facts.identities(name, index + 1)
        spki = identities[-1].spki(await context.store.statement(index) or b"")
        login = await context.store.login(name)
        if login is not None and sha256(login.identity_spki) == identities[-2].fingerprint:
            await context.store.rotate(name, identities[-2].fingerprint, spki, None)
        return True

    async def _gone(self, leaf: Leaf) -> bool:
        name = self._names.get(leaf.tag)
        if name is not None and await self._context.store.account(name) is not None:
            await self._context.store.end_account(name, None, leaf.at_ms, None)
        return True
