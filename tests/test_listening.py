"""What endpoint strings say, read without Twisted."""

from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.config import Server
from chatserv.listening import Listener, parse_listener, with_backlog
from chatserv.service import endpoint_strings


class ListenerTests(SynchronousTestCase):
    """What `parse_listener` promises."""

    def test_read(self) -> None:
        """Positions, names and escapes are read as Twisted reads them."""
        for text, listener in (
            ("tcp:5000", Listener("tcp", "", 5000)),
            ("tcp:port=5000:interface=127.0.0.1:backlog=9", Listener("tcp", "127.0.0.1", 5000)),
            (r"tcp6:5000:interface=\:\:1", Listener("tcp", "::1", 5000)),
            ("tcp6:5000", Listener("tcp", "::", 5000)),
            ("unix:/run/a b", Listener("unix", path="/run/a b", locked=True)),
            (r"unix:address=/run/a\:b=c:lockfile=0", Listener("unix", path="/run/a:b=c")),
            ("systemd:domain=INET:index=2", Listener("systemd", index=2)),
            ("haproxy:tcp:5000:interface=127.0.0.1", Listener("tcp", "127.0.0.1", 5000, fronted=True)),
        ):
            self.assertEqual(listener, parse_listener(text))
            if listener.kind != "systemd":
                self.assertTrue(serverFromString(MemoryReactorClock(), text))

    def test_backlog(self) -> None:
        """Whoever says nothing of it gets the server's; Twisted takes what comes of it, and what is said stays."""
        for text, waiting in (
            ("tcp:5000", 4096),
            (r"tcp6:5000:interface=\:\:1", 4096),
            ("haproxy:tcp:5000:interface=127.0.0.1", 4096),
            ("unix:/run/chat", 4096),
            ("tcp:5000:backlog=9", 9),
            ("tcp:5000:127.0.0.1:9", 9),
            ("haproxy:tcp:5000:127.0.0.1:9", 9),
            ("unix:/run/chat:660:9", 9),
        ):
            reactor = MemoryReactorClock()
            self.successResultOf(serverFromString(reactor, with_backlog(text, 4096)).listen(Factory()))
            (listening,) = reactor.tcpServers or reactor.unixServers
            self.assertEqual(waiting, listening[2], text)
        self.assertEqual("systemd:domain=INET:index=2", with_backlog("systemd:domain=INET:index=2", 4096))
        self.assertTrue(
            all(each.endswith(":backlog=4096") for each in endpoint_strings(Server(listen=("tcp:1", "unix:x"))))
        )

    def test_text(self) -> None:
        """People read an address with its port, and a socket with its path."""
        for listener, text in (
            (Listener("tcp", "127.0.0.1", 1), "127.0.0.1:1"),
            (Listener("tcp", "::1", 1), "[::1]:1"),
            (Listener("tcp", "", 1), "0.0.0.0:1"),
            (Listener("unix", path="/run/x"), "unix:/run/x"),
        ):
            self.assertEqual(text, listener.text)
