"""Who logs in, and what happens to them meanwhile: what the store has said of them may not be so any more. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Arrival:
    """A device that logs in. ``touched``: its places, or its account, have changed since they were asked for. ``overtaken``:
    it has begun a session with this number on another node; 0: none.
    """

    device_id: bytes
    name: str = ""
    touched: bool = False
    overtaken: int = 0


class Arrivals:
    """Devices that log in."""

    def __init__(self) -> None:
        self._arriving: dict[bytes, dict[Arrival, None]] = {}

    def expect(self, device_id: bytes, name: str = "") -> Arrival:
        """Notices from now on what happens to the places of a device that is about to log in, and to its account."""
        arrival = Arrival(device_id, name)
        self._arriving.setdefault(device_id, {})[arrival] = None
        return arrival

    def arrived(self, arrival: Arrival) -> None:
        """Notices no more."""
        arrivals = self._arriving[arrival.device_id]
        del arrivals[arrival]
        if not arrivals:
            del self._arriving[arrival.device_id]

    def touch(self, device_ids: Iterable[bytes]) -> None:
        """Places of these devices have changed."""
        for device_id in device_ids:
            for arrival in self._arriving.get(device_id, ()):
                arrival.touched = True

    def overtake(self, device_id: bytes, number: int) -> None:
        """The device has begun a session with this number on another node."""
        for arrival in self._arriving.get(device_id, ()):
            arrival.overtaken = max(arrival.overtaken, number)

    def touch_account(self, name: str) -> None:
        """The account has changed: its role, or whether it may log in or speak."""
        for arrivals in self._arriving.values():
            for arrival in arrivals:
                if arrival.name == name:
                    arrival.touched = True
