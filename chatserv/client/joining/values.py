"""Values of the library as bytes between programs, by the types that its functions declare."""

from collections.abc import Callable
from typing import Any, Final, get_args, get_origin

import msgspec
from twisted.internet.defer import Deferred

from chatserv.client import events
from chatserv.client.joining.frames import Result
from chatserv.client.outbound.sent import Sent
from chatserv.client.room_handle import RoomHandle
from chatserv.decoding import UNREADABLE
from chatserv.errors import BadFrame, ChatError
from chatserv.local_errors import LocalProtocolError

EVENTS: Final = {kind.__name__: kind for kind in get_args(events.ClientEvent)}
EVENT_LIST: Final = list[events.ClientEvent]
_PLAIN: Final = (str, int, float, bool, bytes, type(None))


def _classes(of: type[ChatError]) -> dict[str, type[ChatError]]:
    found = {of.__name__: of}
    for kind in of.__subclasses__():
        found |= _classes(kind)
    return found


def encode_error(error: BaseException) -> Any:
    """An error as plain values: what it is, and what it knows; of another one than ours its text alone."""
    if not isinstance(error, ChatError):
        return ["", str(error), {}]
    known = {key: value for key, value in vars(error).items() if isinstance(value, _PLAIN)}
    return [type(error).__name__, str(error), known]


def decode_error(plain: Any) -> Exception:
    """The error."""
    name, text, known = plain
    if not name:
        return OSError(text)
    kind = _classes(ChatError).get(name, LocalProtocolError)
    error = kind.__new__(kind, text)
    Exception.__init__(error, text)
    error.__dict__.update(known)
    return error


class Values:
    """Encodes and decodes, with what is special to one side.

    Args:
        give: Makes something plain of a room's handle, or of a promise.
        take: Makes such a thing of its type and of what ``give`` made.
    """

    def __init__(self, give: Callable[[Any], Any], take: Callable[[Any, Any], Any]) -> None:
        self._give, self._take = give, take
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._encode)

    def _encode(self, value: Any) -> Any:
        return encode_error(value) if isinstance(value, BaseException) else self._give(value)

    def _decode(self, kind: Any, plain: Any) -> Any:
        if isinstance(kind, type) and issubclass(kind, BaseException):
            return decode_error(plain)
        return self._take(kind, plain)

    def encode(self, value: Any) -> bytes:
        """The bytes of a value."""
        return self._encoder.encode(value)

    def decode(self, data: bytes | msgspec.Raw, kind: Any) -> Any:
        """The value of such a type. Raises `BadFrame`."""
        try:
            return msgspec.msgpack.decode(data, type=kind, dec_hook=self._decode)
        except (*UNREADABLE, ValueError) as error:
            raise BadFrame(f"value: {error}") from None

    def encode_event(self, event: Any) -> tuple[str, msgspec.Raw]:
        """An event's name and bytes."""
        return type(event).__name__, msgspec.Raw(self.encode(event))

    def decode_event(self, name: str, fields: msgspec.Raw) -> events.ClientEvent:
        """The event. Raises `BadFrame`."""
        if name not in EVENTS:
            raise BadFrame(f"event {name}")
        event: events.ClientEvent = self.decode(fields, EVENTS[name])
        return event

    def succeeded(self, value: Any, kind: Any = None) -> Result:
        """As the result of something, of such a type where that is one of events."""
        if kind == EVENT_LIST:
            value = [self.encode_event(each) for each in value]
        return Result(True, msgspec.Raw(self.encode(value)))

    def failed(self, error: BaseException) -> Result:
        """Likewise."""
        return Result(False, msgspec.Raw(self.encode(error)))

    def result(self, result: Result, kind: Any) -> Any:
        """The value, or raises the error."""
        if not result.good:
            raise self.decode(result.body, Exception)
        if kind == EVENT_LIST:
            return [self.decode_event(*each) for each in self.decode(result.body, list[tuple[str, msgspec.Raw]])]
        return self.decode(result.body, kind)


def promised(kind: Any) -> Any:
    """What a promise of this type fires with; None where the type is no promise."""
    if get_origin(kind) is Deferred:
        return get_args(kind)[0]
    return int if kind is Sent else None


def is_special(kind: Any) -> bool:
    """Whether a type goes through ``give`` and ``take``."""
    return promised(kind) is not None or (isinstance(kind, type) and issubclass(kind, RoomHandle))
