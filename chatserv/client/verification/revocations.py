"""Asks what was signed behind each leaf that ends a device or changes an identity: neither is the server's bare word.

A leaf of type 3 counts from the moment it is in the log, for everybody alike (docs/rooms.rst 8.1); but a server that logs
one which the identity of that moment never signed (not one that was given up before, whoever has its key) is found by
everybody who looks, and that is what happens here. A leaf of type
4 is a rotation or a break, depending on what is signed behind it; nothing that it has a part in is validated before that is
known, and a server that says it does not know is found like the other.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

from twisted.internet.defer import DeferredLock

from chatserv.client.connection.requests import Requests
from chatserv.client.state.context import ClientContext, Interrupted, retry_delay
from chatserv.client.verification.certificates import Certificates
from chatserv.crypto.identities import Rotation
from chatserv.crypto.log_leaves import Leaf, LeafType, user_tag
from chatserv.crypto.room_state import RosterEntry
from chatserv.crypto.statements import verify_revocation
from chatserv.crypto.suite import same, sha256
from chatserv.errors import BadKey, NotFound, Reject, WireError
from chatserv.i18n import N_
from chatserv.wire import messages

CHECKED: Final = "statements checked"
FALSE_STATEMENT: Final = "false statement"
PAGE_LEAVES: Final = 256  # leaves in memory at once, and at most so many are looked through again after a restart
PATIENCE_SECONDS: Final = 600.0  # so long a server may put us off
LOOK_SECONDS: Final = 0.2  # how often a commit that waits looks whether it may be made


class FalseRevocation(BadKey):
    """A room is to be without a device because of a revocation that nobody signed: we have no part in that."""

    text = N_("The server says that a device was revoked, which nobody signed: you change nothing because of that.")


class Revocations:
    """Goes through the log in order, one statement at a time; a lost connection ends it, and the next one goes on.

    Args:
        context: What the client's parts share.
        requests: Fetches.
        certificates: Fetches what is revoked.
        false: Told, with the user's tag, of a revocation that nobody signed, or of whose statement the server says that it
            does not have it.
        decided: Told of a rotation whether it is signed, with what is wrong if not.
        withheld: Told of a statement that does not come.
        checked: Told that one was found true.
    """

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        certificates: Certificates,
        false: Callable[[bytes, str], None],
        decided: Callable[[Rotation, str | None], None],
        withheld: Callable[[str], None],
        checked: Callable[[], None],
    ) -> None:
        self._context, self._requests, self._certificates = context, requests, certificates
        self._false, self._decided, self._withheld, self._checked = false, decided, withheld, checked
        self._deciding = DeferredLock()
        self._awaited: set[int] = set()  # leaves whose statements are being asked for
        self._next = self._kept = int.from_bytes(context.vault.facts.get(CHECKED) or b"", "big")
        self._running = False

    def look(self) -> None:
        """Checks what is new in the log, unless that is under way."""
        if not self._running and self._requests.connected:
            self._running = True
            self._context.spawn(self._run(), "statements")

    async def _run(self) -> None:
        log = self._context.log
        try:
            while (rotations := log.facts.undecided(log.size)) or (page := log.leaves_from(self._next, PAGE_LEAVES)):
                if rotations:
                    await self.decide(rotations)
                else:
                    await self._go_through(page)
        finally:
            self._running = False

    def unchecked(self, entries: Iterable[RosterEntry]) -> bool:
        """Whether the log ends one of these devices by a leaf that is not checked yet."""
        return self._newest_end(entries) >= self._next

    async def check(self, roster: Callable[[], Iterable[RosterEntry]]) -> None:
        """Returns when it is checked what ends any of these devices, at once where the log ends none.

        A commit has to remove a device that the log has ended, whoever says so; so before this no commit is made.

        Args:
            roster: The devices of a room as it stands: somebody else may remove what is ended.

        Raises:
            FalseRevocation: The server is known to make such things up.
            Interrupted: The connection is gone before.
        """
        while self.unchecked(roster()):
            if not self._requests.connected:
                raise Interrupted("statements: no connection")
            self.look()
            await self._context.pause(LOOK_SECONDS)
        if self._newest_end(roster()) >= 0 and self._context.vault.facts.get(FALSE_STATEMENT) is not None:
            raise FalseRevocation("revocation: by nobody")

    def _newest_end(self, entries: Iterable[RosterEntry]) -> int:
        facts = self._context.log.facts
        ends = (facts.revoked_at(entry.user, entry.cert_hash) for entry in entries)
        return max((index for index in ends if index is not None), default=-1)

    async def _go_through(self, page: list[Leaf]) -> None:
        for leaf in page:
            if leaf.kind is LeafType.REVOKE:
                wrong = await self._check(self._next, partial(self._verify_revocation, self._next, leaf))
                if wrong is not None:
                    self._false(leaf.tag, f"leaf {self._next}: {wrong}")
            self._next += 1
            if leaf.kind is LeafType.REVOKE or self._next - self._kept >= PAGE_LEAVES:
                self._keep()
            if leaf.kind is LeafType.REVOKE:
                self._checked()

    def _keep(self) -> None:
        self._context.vault.facts.put(CHECKED, self._next.to_bytes(8, "big"))
        self._kept = self._next

    async def decide(self, rotations: Iterable[Rotation]) -> None:
        """Finds out whether rotations are signed, unless that is known by then. Raises `Interrupted`."""
        await self._deciding.acquire()
        try:
            for rotation in rotations:
                if rotation in self._context.log.facts.undecided(self._context.log.size):
                    self._decided(
                        rotation, await self._check(rotation.new.index, partial(self._verify_rotation, rotation))
                    )
        finally:
            self._deciding.release()

    async def _check(self, index: int, verify: Callable[[], Awaitable[None]]) -> str | None:
        """What is wrong with a statement, None where nothing is; raises what fails on our side, or with the connection."""
        self._context.later(PATIENCE_SECONDS, lambda: self._still_waiting(index))
        self._awaited.add(index)
        try:
            while True:
                try:
                    await verify()
                except WireError as error:
                    if not error.retryable:
                        return "nothing is signed" if isinstance(error, NotFound) else error.detail or error.code
                    await self._context.pause(retry_delay(error.after_seconds))
                else:
                    return None
        finally:
            self._awaited.discard(index)

    async def _statement(self, index: int) -> bytes:
        found = await self._requests.expect(messages.StatementFound, messages.GetStatement, index=index)
        return bytes(found.statement)

    async def _verify_revocation(self, index: int, leaf: Leaf) -> None:
        """Raises `WireError` where the leaf's statement is not what the user of the device has signed, or not to be had."""
        statement = await self._statement(index)
        if not same(sha256(statement), leaf.statement):
            raise Reject("revocation: not the one that was logged")
        await self._certificates.fetch([leaf.subject])
        if user_tag(self._context.server_id, self._certificates.known[leaf.subject].user) != leaf.tag:
            raise Reject("revocation: of another user's device")
        user = self._certificates.known[leaf.subject].user
        signer = self._context.log.facts.signer(user, index)
        if signer is None:
            raise Reject("revocation: by nobody")
        stored = self._certificates.stored(leaf.subject)
        spki = stored.identity_spki
        if not same(sha256(spki), signer.fingerprint):
            spki = signer.spki(await self._statement(signer.index))
        verify_revocation(statement, stored.certificate, spki)
        self._context.vault.kept_statements.put(statement)

    async def _verify_rotation(self, rotation: Rotation) -> None:
        """Raises `WireError` where one of the two identities has not signed it, or what is signed is not to be had."""
        statement = await self._statement(rotation.new.index)
        rotation.verify(statement, await self._statement(rotation.old.index))
        self._context.vault.kept_statements.put(statement)

    def _still_waiting(self, index: int) -> None:
        if index in self._awaited and self._requests.connected:
            self._withheld(f"the statement of leaf {index}")
