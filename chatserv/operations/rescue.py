"""The operator's way back in by options of ``twistd chatserv``: the same operations as the command's, several at once."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from chatserv.operations.people import account_of, require_link
from chatserv.operations.performing import perform
from chatserv.operations.table import OPERATIONS
from chatserv.operations.world import World


class Rescue(Struct, frozen=True):
    """What is to be done, in this order: lift all bans; let accounts in again; make accounts administrators, let in too;
    make links by which accounts get a new identity.
    """

    lift_bans: bool = False
    unsuspend: tuple[str, ...] = ()
    grant: tuple[str, ...] = ()
    reset: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.lift_bans or bool(self.unsuspend or self.grant or self.reset)

    @property
    def orders(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The operations, with their arguments."""
        orders: list[tuple[str, Mapping[str, Any]]] = [("ban lift", {"all": True})] if self.lift_bans else []
        orders += [("user unsuspend", {"user": name}) for name in (*self.unsuspend, *self.grant)]
        orders += [("user role", {"user": name, "role": "admin"}) for name in self.grant]
        return orders + [("user reset", {"user": name}) for name in self.reset]

    async def carry_out(self, world: World) -> list[str]:
        """Does it, where every name and link is right, and gives lines for people. Raises `NotDone` before anything."""
        for name in (*self.unsuspend, *self.grant, *self.reset):
            await account_of(world, {"user": name})
        if self.reset:
            require_link(world)
        lines: list[str] = []
        for name, arguments in self.orders:
            result = await perform(world, name, arguments)
            if name != "user unsuspend" or arguments["user"] not in self.grant:  # else its role is told behind it
                lines += OPERATIONS[name].show(result.data)
        return lines
