"""What endpoint strings say, read without Twisted."""

from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.listening import Listener, parse_listener


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

    def test_text(self) -> None:
        """People read an address with its port, and a socket with its path."""
        for listener, text in (
            (Listener("tcp", "127.0.0.1", 1), "127.0.0.1:1"),
            (Listener("tcp", "::1", 1), "[::1]:1"),
            (Listener("tcp", "", 1), "0.0.0.0:1"),
            (Listener("unix", path="/run/x"), "unix:/run/x"),
        ):
            self.assertEqual(text, listener.text)
