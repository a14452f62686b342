"""The server's log as a guest reads it: whole, once, and kept nowhere; the device that the guest becomes reads it anew."""

from chatserv.client.connection.guest import GuestConnection
from chatserv.client.state.transparency_log import LogWithheld, TransparencyLog
from chatserv.client.storage.vault import Vault
from chatserv.crypto.e2e.backup import Owner
from chatserv.crypto.identities import Rotation
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.log_leaves import TreeHead
from chatserv.crypto.server_keys import ServerKeys
from chatserv.crypto.suite import RSA_BYTES
from chatserv.errors import Reject
from chatserv.wire import messages


async def read_log(connection: GuestConnection, owner: Owner, keys: ServerKeys, head: bytes) -> LogFacts:
    """What the log says, with what is signed behind the rotations of one account.

    Args:
        connection: Asks the server.
        owner: The account.
        keys: The server's.
        head: The signed head up to which it is read, 432 bytes.

    Raises:
        Reject: It is not what the server has signed.
        LogWithheld: The server does not give all of it.
    """
    vault = Vault.open(None)
    try:
        log = TransparencyLog(owner.server_id, vault.log, vault.facts)
        log.keys = keys
        size = TreeHead.decode(head[:-RSA_BYTES]).size
        while log.size < size:
            page = await connection.expect(messages.LogPage, messages.GetLog, after=log.next_index)
            if not page.leaves:
                raise LogWithheld("log: leaves are withheld")
            log.extend(page.leaves, page.head)
        log.extend(b"", head)
        for rotation in log.facts.undecided(log.size, [owner.user]):
            log.decide(rotation, signed=await _is_signed(connection, rotation))
        return log.facts
    finally:
        vault.close()


async def _is_signed(connection: GuestConnection, rotation: Rotation) -> bool:
    """Whether both identities have signed a rotation in the log."""
    after, before = [
        await connection.expect(messages.StatementFound, messages.GetStatement, index=each.index)
        for each in (rotation.new, rotation.old)
    ]
    try:
        rotation.verify(after.statement, before.statement)
    except Reject:
        return False
    return True


def newest_identity(facts: LogFacts, user: str) -> bytes:
    """The fingerprint of somebody's newest identity; empty where there is none."""
    identity = facts.identity(user, facts.size)
    return b"" if identity is None else identity.fingerprint
