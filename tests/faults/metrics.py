"""What a server tells those who watch it, read as they would: ``/metrics`` over its UNIX socket."""

import http.client
import re
import socket
from collections import Counter
from pathlib import Path


class _Connection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("127.0.0.1", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connects to the path."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


def scrape(path: Path) -> Counter[str]:
    """The counts by name and labels, such as ``chatserv_refusals_total{code="busy"}``."""
    connection = _Connection(path)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found: Counter[str] = Counter()
    for name, value in re.findall(r"^(\w+(?:\{[^}]*\})?) ([0-9.e+]+)$", text, re.MULTILINE):
        found[name] = int(float(value))
    return found
