"""Row 40: the IRC gateway is spoken to by browsers, by whoever has no password, and in lines that never end."""

import contextlib
import secrets
import socket
from collections.abc import Iterator
from typing import Final

import psutil

from chatserv.testing.irc_person import IrcPerson
from chatserv.testing.processes import register_two
from tests.faults.driven import driven
from tests.faults.rows import Ground, check, row

TESTS: Final = tuple(f"tests.clients.irc.test_{name}" for name in ("lines", "texts", "registration", "multiline"))
MEMORY_SHARE: Final = 1.2
WITHOUT_END: Final = 1 << 20  # bytes, of a line
ANSWER_SECONDS: Final = 0.05
LOGIN: Final = "NICK x\r\nUSER x 0 * :x\r\n"


def attacks(password: str) -> Iterator[bytes]:
    """What is sent, over and over; a browser has even got the password."""
    right = f"PASS {password}\r\n{LOGIN}"
    while True:
        yield f"POST / HTTP/1.1\r\nHost: irc\r\nContent-Length: {len(right)}\r\n\r\n{right}".encode()
        yield f"GET / HTTP/1.1\r\nUpgrade: websocket\r\nOrigin: http://evil\r\n\r\n{right}".encode()
        yield bytes(WITHOUT_END).replace(b"\0", b"x")
        yield f"PASS {password[:-1]}\r\n{LOGIN}".encode()
        yield f"PASS x\0{right}".encode()
        yield f"{LOGIN}PRIVMSG #lobby :before\r\nPRIVMSG alice :anybody\r\n".encode()
        yield secrets.token_bytes(WITHOUT_END)


def spoken_to(port: int, data: bytes) -> bytes:
    """What a connection that says this hears, until it is closed or a while has passed."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port)) as connection, contextlib.suppress(OSError):
        connection.settimeout(ANSWER_SECONDS)
        connection.sendall(data)
        while came := connection.recv(65_536):
            heard += came
    return heard


@row(40, "an IRC gateway that browsers, guessers, lines without end and bytes of any kind come to")
def irc_gateway(ground: Ground) -> str:
    """Nobody comes in without the password, or by HTTP with it; memory stays, and who is in is served."""
    tests, count = driven(ground, *TESTS), ground.pick(70, 2000)
    with ground.server() as server:
        register_two(server, "alice", "bob")
        with IrcPerson(server.directory, "alice") as alice:
            process, sent = psutil.Process(alice.pid), attacks(alice.password)
            for _ in range(count // 10):  # memory that the first ones need is there then
                spoken_to(alice.port, next(sent))
            before = process.memory_info().rss
            for _ in range(count):
                data = next(sent)
                check(b" 001 " not in spoken_to(alice.port, data), f"{data[:80]!a} came in")
            share = process.memory_info().rss / before
            check(share <= MEMORY_SHARE, f"{share:.2f} times the memory after {count}")
            alice.say("PING :alive")
            alice.until("PONG")
    return f"{tests} tests, {count} connections, 0 came in, memory {share - 1:+.1%}"
