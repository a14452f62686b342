"""Commands of the server's administrators. None has a secret in it: each is noted in the audit log as it is."""

from typing import Annotated

import msgspec
from msgspec import Meta

from chatserv.wire.fields import Code, Command, Name


class MakeInvite(Command, frozen=True, tag="invite"):
    """Asks for a one-use invite; administrators only. Answered by `Invited`. ``name`` empty: for any name.

    ``reset``: for the account called ``name``, whose person has lost every device and the recovery code: who registers by
    it takes the account over with a new identity, which the log shows to everybody.
    """

    name: Annotated[str, Meta(max_length=64)] = ""
    admin: bool = False
    reset: bool = False


class ListAccounts(Command, frozen=True, tag="accounts"):
    """Asks for the accounts whose names come after ``after``. Answered by `AccountList`."""

    after: Name = ""


class Suspend(Command, frozen=True, tag="suspend"):
    """Lets an account in no more (``on``), or again. Answered by `Ok`. What it is in rooms stays."""

    user: Name
    on: bool


class ServerMute(Command, frozen=True, tag="server_mute"):
    """Takes no messages from an account (``on``), or again. Answered by `Ok`."""

    user: Name
    on: bool


class SetServerRole(Command, frozen=True, tag="server_role"):
    """Makes an account an administrator, or a user. Answered by `Ok`."""

    user: Name
    admin: bool


class DeleteUser(Command, frozen=True, tag="delete_user"):
    """Ends an account for good, by the server's word. Answered by `Ok`."""

    user: Name


class SetBan(Command, frozen=True, tag="ban"):
    """Bans an ``address`` (or network) or an ``account`` name from the server, or lifts that. Answered by `Ok`.

    Unlike a suspension, the ban of a name also keeps it from being registered.
    """

    kind: Code
    subject: Annotated[str, Meta(min_length=1, max_length=64)]
    on: bool


class ListBans(Command, frozen=True, tag="bans"):
    """Asks for the bans whose subjects come after ``after``. Answered by `BanList`."""

    after: Name = ""


class Announce(Command, frozen=True, tag="announce"):
    """Tells everybody who is online something, in the clear. Answered by `Ok`."""

    text: Annotated[str, Meta(min_length=1, max_length=1000)]


class Operate(Command, frozen=True, tag="operate"):
    """Has one of the server's operations carried out: ``status``, ``reload``, ``backup``, ``drain``.

    Answered by `Operated`.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    arguments: Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=1000)]], Meta(max_length=16)
    ] = msgspec.field(default_factory=dict)


AdminCommand = (
    MakeInvite
    | ListAccounts
    | Suspend
    | ServerMute
    | SetServerRole
    | DeleteUser
    | SetBan
    | ListBans
    | Announce
    | Operate
)
