"""Writing to a TLS connection without Twisted's detours, while nothing else waits to be written.

The ordinary path, ``transport.write``, goes through an aggregator, two turns of the reactor and two ``epoll_ctl`` calls for
each connection: half of what a delivery costs when there is little to coalesce (docs/performance.rst). Where the socket's
buffer is empty, the bytes can be sealed and handed to the kernel at once; else the ordinary path keeps the order.

This leans on private names of Twisted's TLS and TCP transports; tests/net/test_direct.py notices when they change.
"""

from collections.abc import Callable
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet import tcp
from twisted.protocols.tls import TLSMemoryBIOProtocol

TLS_RECORD_BYTES: Final = 16_384
TLS_OVERHEAD_BYTES: Final = 64  # more than header, type and tag of one TLS record take


class DirectWriter:
    """Writes to one TLS connection over TCP.

    Args:
        transport: The TLS transport; its handshake is done.
    """

    __slots__ = ("_socket", "_tls", "_transport")

    def __init__(self, transport: Any) -> None:
        self._transport, self._tls, self._socket = transport, transport.getHandle(), transport.transport

    def write(self, data: bytes) -> None:
        """Writes now where nothing waits, and in the ordinary way, after what waits, otherwise."""
        outer, socket = self._transport, self._socket
        if socket.dataBuffer or socket._tempDataBuffer or outer._appSendBuffer or outer._lostTLSConnection:
            outer.write(data)
            return
        sealed = 0
        try:
            while sealed < len(data):
                sealed += self._tls.send(data[sealed:] if sealed else data)
        except SSL.Error:
            outer.write(data[sealed:])  # TLS wants to read first; this also writes out what was sealed
            return
        self._hand_over(self._tls.bio_read(sealed + (sealed // TLS_RECORD_BYTES + 2) * TLS_OVERHEAD_BYTES))

    def _hand_over(self, records: bytes) -> None:
        written = self._socket.writeSomeData(records)
        if isinstance(written, Exception):  # the connection is gone: the ordinary path finds out and tells
            written = 0
        if written < len(records):
            self._socket.write(records[written:])


def fast_writer(transport: Any) -> Callable[[bytes], object]:
    """The quickest way to write to ``transport`` that keeps the order of all that is written to it."""
    if type(transport) is TLSMemoryBIOProtocol and isinstance(transport.transport, tcp.Connection):
        return DirectWriter(transport).write
    write: Callable[[bytes], object] = transport.write
    return write
