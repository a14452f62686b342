"""Asks what was signed behind each leaf that ends a device, so that a revocation is never the server's bare word.

A leaf of type 3 counts from the moment it is in the log, for everybody alike (CRYPTO section 6.2); but a server that logs
one which the device's own user never signed is found by everybody who looks, and that is what happens here.
"""

from collections.abc import Callable
from typing import Final

from chatserv.client.certificates import Certificates
from chatserv.client.parts import Parts, retry_delay
from chatserv.client.requests import Requests
from chatserv.crypto.log_leaves import Leaf, LeafType, user_tag
from chatserv.crypto.statements import verify_revocation
from chatserv.crypto.suite import same, sha256
from chatserv.errors import Reject, WireError
from chatserv.wire import messages

CHECKED: Final = "statements checked"
PAGE_LEAVES: Final = 256  # leaves in memory at once, and at most so many are looked through again after a restart
PATIENCE_SECONDS: Final = 600.0  # so long a server may put us off


class StatementCheck:
    """Goes through the log in order, one statement at a time; a lost connection ends it, and the next one goes on.

    Args:
        parts: The surroundings.
        requests: Fetches.
        certificates: Fetches what is revoked.
        false: Told of a revocation that nobody signed, or whose statement the server says it does not have.
        withheld: Told of a statement that does not come.
    """

    def __init__(
        self,
        parts: Parts,
        requests: Requests,
        certificates: Certificates,
        false: Callable[[str], None],
        withheld: Callable[[str], None],
    ) -> None:
        self._parts, self._requests, self._certificates = parts, requests, certificates
        self._false, self._withheld = false, withheld
        self._next = self._kept = int.from_bytes(parts.vault.facts.get(CHECKED) or b"", "big")
        self._running = False

    def look(self) -> None:
        """Checks what is new in the log, unless that is under way."""
        if not self._running and self._requests.connected:
            self._running = True
            self._parts.spawn(self._run(), "statements")

    async def _run(self) -> None:
        try:
            while page := self._parts.log.leaves_from(self._next, PAGE_LEAVES):
                for leaf in page:
                    if leaf.kind is LeafType.REVOKE:
                        await self._check(self._next, leaf)
                    self._next += 1
                    if leaf.kind is LeafType.REVOKE or self._next - self._kept >= PAGE_LEAVES:
                        self._keep()
        finally:
            self._running = False

    def _keep(self) -> None:
        self._parts.vault.facts.put(CHECKED, self._next.to_bytes(8, "big"))
        self._kept = self._next

    async def _check(self, index: int, leaf: Leaf) -> None:
        """Until it is known to be true or false. What fails on our side, or with the connection, passes."""
        self._parts.later(PATIENCE_SECONDS, lambda: self._still_waiting(index))
        while True:
            try:
                await self._verify(index, leaf)
            except WireError as error:
                if not error.retryable:
                    self._false(f"leaf {index}: {error.detail or error.code}")
                    return
                await self._parts.pause(retry_delay(error.after_seconds))
            else:
                return

    async def _verify(self, index: int, leaf: Leaf) -> None:
        """Raises `WireError` where the leaf's statement is not what the user of the device has signed, or not to be had."""
        found = await self._requests.expect(messages.StatementFound, messages.GetStatement, index=index)
        if not same(sha256(found.statement), leaf.statement):
            raise Reject("revocation: not the one that was logged")
        await self._certificates.fetch([leaf.subject])
        if user_tag(self._parts.server_id, self._certificates.known[leaf.subject].user) != leaf.tag:
            raise Reject("revocation: of another user's device")
        stored = self._certificates.stored(leaf.subject)
        verify_revocation(found.statement, stored.certificate, stored.identity_spki)

    def _still_waiting(self, index: int) -> None:
        if self._running and self._next == index and self._requests.connected:
            self._withheld(f"the statement of leaf {index}")
