"""Writing to a TLS connection without Twisted's and pyOpenSSL's detours, while nothing else waits to be written.

The ordinary path, ``transport.write``, goes through an aggregator, two turns of the reactor and two ``epoll_ctl`` calls for
each connection, and pyOpenSSL makes a dozen objects of each write: most of what a delivery costs when there is little to
coalesce (docs/performance.rst; ``python -m bench --scenario s2`` measures it). Where the socket's buffer is empty, the bytes
go through OpenSSL's own functions, and one buffer that all connections use in turn, to the kernel at once. Else, and where
OpenSSL does not take them, the ordinary path keeps the order and finds out what is wrong.

This leans on private names of Twisted's transports and of pyOpenSSL. Where one is missing, all writes go the ordinary way;
tests/net/test_direct.py notices.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet import tcp

from chatserv.net.tls import TLSConnection

BUFFER_BYTES: Final = 69_632  # a line of `chatserv.wire.framing` and what TLS puts around it; more goes in pieces

try:
    _ssl_write, _bio_read, _forget_errors = SSL._lib.SSL_write, SSL._lib.BIO_read, SSL._lib.ERR_clear_error  # type: ignore[attr-defined]
    _bio_new, _bio_kind, _bio_held = SSL._lib.BIO_new, SSL._lib.BIO_s_mem(), SSL._lib.BIO_get_mem_data  # type: ignore[attr-defined]
    _set_bios, _nothing = SSL._lib.SSL_set_bio, SSL._ffi.NULL  # type: ignore[attr-defined]
    _buffer: Any = SSL._ffi.new("char[]", BUFFER_BYTES)  # type: ignore[attr-defined] # for the reactor's thread alone
    _records: Final = memoryview(SSL._ffi.buffer(_buffer))  # type: ignore[attr-defined]
except AttributeError:
    _buffer = None


class DirectWriter:
    """Writes to one TLS connection over TCP.

    Args:
        transport: The TLS transport; its handshake is done.
    """

    __slots__ = ("_handle", "_send", "_socket", "_ssl", "_transport")

    def __init__(self, transport: Any) -> None:
        self._transport, self._socket, self._send = transport, transport.transport, transport.transport.socket.send
        self._handle = transport.getHandle()
        self._ssl = self._handle._ssl
        self.write(b"")  # where a name is missing, that comes out now

    def write(self, data: bytes) -> None:
        """Writes now where nothing waits, and in the ordinary way, after what waits, otherwise."""
        outer, socket = self._transport, self._socket
        if socket.dataBuffer or socket._tempDataBuffer or outer._appSendBuffer or outer._lostTLSConnection:
            outer.write(data)
            return
        sealed, size = 0, len(data)
        while sealed < size:  # a TLS record a time
            count = _ssl_write(self._ssl, data[sealed:], size - sealed)
            if count <= 0:  # TLS wants to read first, or has ended: this also writes out what was sealed
                _forget_errors()
                outer.write(data[sealed:])
                return
            sealed += count
        waits, out = False, self._handle._from_ssl
        while (count := _bio_read(out, _buffer, BUFFER_BYTES)) > 0:
            try:
                sent = 0 if waits else self._send(_records[:count])
            except OSError:  # the kernel's buffer is full; or the connection is gone, which the ordinary path tells
                sent = 0
            if sent < count:
                waits = True
                socket.write(bytes(_records[sent:count]))
            if count < BUFFER_BYTES:
                break


def give_back_memory(transport: Any) -> None:
    """Gives back what a TLS connection's buffers have grown to: 4 KiB with a handshake, 87 with a full line each way.

    What passes into and out of OpenSSL does so through memory that never shrinks; so it gets a new one where all is through.
    """
    if _buffer is not None and type(transport) is TLSConnection:
        with suppress(AttributeError):
            handle = transport.getHandle()
            if not _bio_held(handle._into_ssl, _nothing) and not _bio_held(handle._from_ssl, _nothing):
                handle._into_ssl, handle._from_ssl = _bio_new(_bio_kind), _bio_new(_bio_kind)
                _set_bios(handle._ssl, handle._into_ssl, handle._from_ssl)  # which frees those before


def fast_writer(transport: Any) -> Callable[[bytes], object]:
    """The quickest way to write to ``transport`` that keeps the order of all that is written to it."""
    if _buffer is not None and type(transport) is TLSConnection and isinstance(transport.transport, tcp.Connection):
        with suppress(AttributeError):
            return DirectWriter(transport).write
    write: Callable[[bytes], object] = transport.write
    return write
