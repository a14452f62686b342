"""A member that talks under a load: envelopes that no server can open go out, and a tally counts what comes in."""

import secrets
from array import array

from bench.member import Device
from bench.tally import FILLER_BYTES, Tally, make_body, make_filler
from chatserv.crypto.content import ID_BYTES
from chatserv.crypto.envelope import GUARD_BYTES
from chatserv.wire import messages
from chatserv.wire.codec import encode_message

_filler = make_filler(secrets.token_bytes(FILLER_BYTES))


class Voice:
    """One that is connected and has its seat.

    Args:
        device: Who.
        follows: Whether it hears the room from now on.
        latencies: Gets the nanoseconds from due to delivered of each message; None: it is not sampled.
    """

    def __init__(self, device: Device, *, follows: bool = True, latencies: "array[int] | None" = None) -> None:
        self._device = device
        self._tally = Tally(device.follow() if follows else 0, latencies)
        self._said = 0
        self.fileno, self.close = device.fileno, device.close

    @property
    def acknowledged(self) -> int:
        """Messages that the server has confirmed."""
        return self._tally.acknowledged

    @property
    def lines(self) -> int:
        """Lines with events."""
        return self._tally.lines

    def say(self, count: int, due_ns: int) -> None:
        """So many envelopes, in as few lines as hold them."""
        self._device.send([self._message(due_ns) for _ in range(count)])

    def _message(self, due_ns: int) -> bytes:
        seat = self._device.seat
        body = make_body(self._device.next_header(secrets.token_bytes(GUARD_BYTES)), due_ns, _filler)
        self._said += 1
        label = self._said & 0xFFFFFFFF
        return encode_message(messages.Send(label, seat.room, secrets.token_bytes(ID_BYTES), seat.epoch, body))

    def hear(self) -> int:
        """Events that were there; each was checked as `Tally` does."""
        return sum(map(self._tally.take, self._device.receive()))
