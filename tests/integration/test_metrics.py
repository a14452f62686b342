"""Figures and health of a real server, and what is made of them in ``deploy/``."""

import contextlib
import http.client
import json
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from chatserv.counts import COUNTED
from chatserv.testing.demo.stage import wait_until
from chatserv.testing.processes import ServerProgram, free_port, run_client

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NAME = re.compile(r"\bchatserv_[a-z_]+\b")
NOT_THERE_YET = {"chatserv_backup_age_seconds"}  # without a backup


class _Unix(http.client.HTTPConnection):
    """HTTP by a UNIX socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = str(path)

    def connect(self) -> None:
        """Connects."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


def get(connection: http.client.HTTPConnection, path: str) -> tuple[int, str]:
    """A page."""
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


class MetricsTests(SynchronousTestCase):
    """A server with figures."""

    def setUp(self) -> None:
        """A directory whose path is short enough for a socket's, wherever the tests run."""
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def well(self, connection: Callable[[], http.client.HTTPConnection]) -> None:
        """The server says that it is well, soon after it takes connections of people."""
        answer, deadline = (0, ""), time.monotonic() + 60
        while answer[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):  # the figures' socket is opened last
                answer = get(connection(), "/health")
        self.assertEqual(json.loads(answer[1]), {"healthy": True, "reasons": []})

    def test_figures(self) -> None:
        """All that the dashboard and the alerts ask for is there, and nobody's name; the server is well."""
        port = free_port()
        settings: dict[str, dict[str, Any]] = {
            "metrics": {"listen": f"127.0.0.1:{port}"},
            "monitoring": {"interval": 1},
        }
        with ServerProgram(self.directory, settings) as server:
            run_client(server.directory, "xenia", server.link(), "--send", typed="hello\n")
            self.well(lambda: http.client.HTTPConnection("127.0.0.1", port, 60))
            page: list[tuple[int, str]] = []

            def is_sampled() -> bool:
                page[:] = [get(http.client.HTTPConnection("127.0.0.1", port, 60), "/metrics")]
                return "chatserv_server_resident_bytes" in page[0][1]

            self.assertTrue(wait_until(is_sampled), "the monitor child tells nothing")
            [(status, text)] = page
            self.assertEqual(status, 200)
            self.assertEqual(server.stop(), 0)
            log = (server.state / "logs" / "server.log").read_text()
        families = {family.name: family for family in text_string_to_metric_families(text)}
        samples = {sample.name for family in families.values() for sample in family.samples}
        for name in ("grafana-dashboard.json", "alerts.yml"):
            asked = set(NAME.findall((DEPLOY / name).read_text())) - NOT_THERE_YET
            labelled = {f"chatserv_{each}_total" for each, (_, label) in COUNTED.items() if label}
            self.assertEqual(asked - samples - labelled, set(), name)
        self.assertGreaterEqual(families["chatserv_messages"].samples[0].value, 1)
        self.assertGreaterEqual(families["chatserv_logins"].samples[0].value, 1)
        values = {sample.name: sample.value for family in families.values() for sample in family.samples}
        self.assertGreaterEqual(values["chatserv_commit_seconds_count"], 1)
        self.assertGreater(values["chatserv_server_resident_bytes"], 1_000_000)
        self.assertNotIn("xenia", text)
        self.assertNotIn("lobby", text)
        self.assertNotIn("Traceback", log)

    def test_unix(self) -> None:
        """By a UNIX socket in the state directory, which nobody else may use."""
        with ServerProgram(self.directory, {"metrics": {"listen": "unix:figures"}}) as server:
            path = server.state / "figures"
            self.well(lambda: _Unix(path))
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
            server.kill()
            server.start()  # what a server has left that was killed is in nobody's way
            self.well(lambda: _Unix(path))
