"""The lines of the monitor child."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.monitor.samples import Beat, Hello, Sample, parse

SAMPLE = {
    "type": "sample",
    "system": {
        "cpu_percent": 12.5,
        "memory_used_bytes": 3 * 2**30,
        "memory_total_bytes": 23 * 2**30,
        "memory_percent": 13.4,
    },
    "server": {"pid": 7, "cpu_percent": 1.0, "rss_bytes": 84_093_952, "fds": 14, "threads": 5},
}


class SampleTests(SynchronousTestCase):
    """Parsing and wording."""

    def test_kinds(self) -> None:
        """A hello, a beat and a sample are told apart."""
        self.assertEqual(Hello(7), parse(b'{"type":"hello","pid":7}'))
        self.assertEqual(Beat(), parse(b'{"type":"beat"}'))
        self.assertIsInstance(parse(json.dumps(SAMPLE).encode()), Sample)

    def test_words(self) -> None:
        """A sample reads as a line for the machine and one for each Python process."""
        python = [
            {"pid": 123, "cpu_percent": 0.1, "memory_percent": 0.3},
            {"pid": 124, "cpu_percent": None, "memory_percent": 0},
        ]
        sample = parse(json.dumps({**SAMPLE, "python": python}).encode())
        assert isinstance(sample, Sample)
        self.assertEqual(
            [
                "CPU 12.5 %, memory 3.0/23.0 GiB (13.4 %), server: CPU 1.0 %, RSS 80.2 MiB, 14 fds, 5 threads",
                "python pid 123: CPU 0.1 %, memory 0.3 %",
                "python pid 124: CPU ? %, memory 0.0 %",
            ],
            sample.lines(),
        )

    def test_reactor_and_children(self) -> None:
        """How late the reactor was stands there where it was told, and what the server has started."""
        children = [{"pid": 9, "name": "monitor", "status": "running"}, {"pid": 8, "name": "gpg", "status": "zombie"}]
        sample = parse(json.dumps({**SAMPLE, "lag_seconds": 0.0123, "children": children}).encode())
        assert isinstance(sample, Sample)
        words = "14 fds, 5 threads, reactor late by 12 ms; monitor 9 running, gpg 8 zombie"
        self.assertTrue(sample.lines()[0].endswith(words), sample.lines()[0])

    def test_unknown_figures(self) -> None:
        """What the system does not tell is a question mark."""
        server = dict.fromkeys(("cpu_percent", "rss_bytes", "fds", "threads"))
        sample = parse(json.dumps({**SAMPLE, "server": {"pid": 7, **server}}).encode())
        assert isinstance(sample, Sample)
        self.assertTrue(sample.lines()[0].endswith("server: CPU ? %, RSS ? MiB, ? fds, ? threads"))

    def test_nonsense(self) -> None:
        """Anything else is a ValueError."""
        negative = {**SAMPLE, "server": {"pid": -1, "cpu_percent": 1, "rss_bytes": 1, "fds": 1, "threads": 1}}
        for line in (
            b"",
            b"{}",
            b"\xff",
            b"[" * 60_000,
            b'{"type":"hello"}',
            b'{"type":"x"}',
            json.dumps(negative).encode(),
        ):
            self.assertRaises(ValueError, parse, line)

    @given(st.binary())
    def test_any_bytes(self, line: bytes) -> None:
        """Any bytes are a message or a ValueError."""
        try:
            parse(line)
        except ValueError:
            return
