"""What a crowd in one room does not do: people register, make rooms, are cut and catch up, while the server dies."""

from __future__ import annotations

from itertools import count

from bench.accounts import Accounts
from bench.founding import found_room
from bench.member import Member, tls_context
from bench.server import BenchError
from chatserv.testing.processes import ServerProgram
from chatserv.wire import messages
from chatserv.wire.link import ServerLink, parse_link
from tests.faults.crowd import Crowd, shared_keys
from tests.faults.rows import check

FIRST: int = 1000  # the crowd's accounts come before


class Newcomer(Member):
    """Somebody who registers, and can log in again.

    Args:
        link: Where the server is, and who.
        accounts: Makes keys.
        number: Which account this is.
    """

    def __init__(self, link: ServerLink, accounts: Accounts, number: int) -> None:
        self._link = link
        super().__init__(link, tls_context(), accounts, number)

    @property
    def room(self) -> bytes | None:
        """The room that they were told they are in."""
        return None if self._seat is None else self._seat.room

    def rooms(self) -> set[bytes]:
        """Logs in once more: the rooms that the server says they are in. Raises `BenchError` or OSError."""
        self.close()
        self._connect(self._link, tls_context(), self.account.credentials())
        return {room.room for room in self._wait_for(messages.Welcome).rooms}


class Stirrer:
    """Lets new people come and make rooms; knows what they were told was done.

    Args:
        server: May be dead at any time.
        crowd: Is cut now and then.
    """

    def __init__(self, server: ServerProgram, crowd: Crowd) -> None:
        self._link, self._crowd = parse_link(server.link()), crowd
        self._accounts, self._numbers = Accounts(self._link.fingerprint, shared_keys()), count(FIRST)
        self.told: list[Newcomer] = []

    def stir(self) -> bool:
        """Once; False where the server went away meanwhile."""
        self._crowd.cut(self._crowd.people[len(self.told) % len(self._crowd.people)])
        pair: list[Newcomer] = []
        try:
            for _ in range(2):
                pair.append(Newcomer(self._link, self._accounts, next(self._numbers)))
                self.told.append(pair[-1])
            found_room(pair, self._link.fingerprint)
        except (BenchError, OSError):
            return False
        finally:
            for each in pair:
                each.close()
        return True

    def check(self) -> str:
        """Who was told that they are registered can log in, and is in the room that was acknowledged. Gives the figure."""
        made = 0
        for person in self.told:
            rooms = person.rooms()
            person.close()
            if person.room is not None:
                made += 1
                check(person.room in rooms, f"{person.account.user} is not in the room that was acknowledged")
        return f"{len(self.told)} accounts and {made // 2} rooms made"
