"""Invites of the store in memory."""

from chatserv.domain.roles import Role
from chatserv.errors import InviteInvalid, Quota
from chatserv.local_errors import LocalProtocolError
from chatserv.models import Invite, Registration
from chatserv.store.limits import StoreLimits


class InviteTable:
    """The rules about invites. Whatever raises has changed nothing.

    Args:
        limits: ``open_invites`` counts here.

    Attributes:
        unused: Those that nobody has used, by the hash of their token; also expired ones.
    """

    def __init__(self, limits: StoreLimits) -> None:
        self._limits = limits
        self._used: set[bytes] = set()
        self.unused: dict[bytes, Invite] = {}

    def add(self, new: Invite, now_ms: int) -> None:
        """Stores an invite and forgets expired ones. Raises `Quota`, or `LocalProtocolError` for a token that exists."""
        kept = {
            token: old
            for token, old in self.unused.items()
            if old.expires_ms > now_ms and not (new.reset and old.reset and old.name == new.name)
        }
        if len(kept) >= self._limits.open_invites:
            raise Quota("open invites")
        if new.token_hash in self._used or new.token_hash in kept:
            raise LocalProtocolError("the token of this invite exists")
        self.unused = {**kept, new.token_hash: new}

    def role(self, new: Registration, now_ms: int) -> Role:
        """What the invite of a registration makes of who uses it. Raises `InviteInvalid`."""
        if new.mended or (new.token_hash is None and not new.reset):
            return Role.USER
        invite = self.unused.get(new.token_hash or b"")
        if invite is None:
            raise InviteInvalid("unknown or used")
        if invite.expires_ms <= now_ms:
            raise InviteInvalid("expired")
        if invite.name not in {"", new.name}:
            raise InviteInvalid("for another name")
        if invite.reset != new.reset:
            raise InviteInvalid("to reset an account" if invite.reset else "not to reset an account")
        return invite.role

    def use_up(self, token_hash: bytes | None) -> None:
        """The invite works no more."""
        if token_hash is not None:
            del self.unused[token_hash]
            self._used.add(token_hash)

    def forget_resets(self, name: str) -> None:
        """Links that would reset the identity of this account work no more."""
        self.unused = {token: old for token, old in self.unused.items() if not (old.reset and old.name == name)}
