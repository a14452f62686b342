"""What the monitor child makes of the server's signs of life, without a process."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.monitor.child import HELD_UP_SECONDS, Pulse


class PulseTests(SynchronousTestCase):
    """`Pulse`."""

    def setUp(self) -> None:
        """A server that is let run."""
        self.runs = True
        self.pulse = Pulse(lambda: self.runs)

    def test_silence(self) -> None:
        """Silence is counted from the first sign on, and ends with the next."""
        self.pulse.passed(100, 100)
        self.assertEqual(self.pulse.silent_seconds, 0)
        self.pulse.heard(b"3\n")
        for _ in range(4):
            self.pulse.passed(0.5, 0.5)
        self.assertEqual(self.pulse.silent_seconds, 2)
        self.pulse.heard(b"1")
        self.assertEqual(self.pulse.silent_seconds, 0)

    def test_stopped_server(self) -> None:
        """A server that is stopped, by a signal or a debugger, is silent for a reason, and so is one that is gone."""
        self.pulse.heard(b"0\n")
        self.pulse.passed(0.5, 0.5)
        self.runs = False
        self.pulse.passed(0.5, 0.5)
        self.assertEqual(self.pulse.silent_seconds, 0)

    def test_held_up(self) -> None:
        """A step that took far too long says nothing about the server: everything stood, or the clock of the machine did."""
        self.pulse.heard(b"0\n")
        self.pulse.passed(0.5 + HELD_UP_SECONDS, 0.5)
        self.assertEqual(self.pulse.silent_seconds, 0.5 + HELD_UP_SECONDS)
        self.pulse.passed(0.6 + HELD_UP_SECONDS, 0.5)
        self.assertEqual(self.pulse.silent_seconds, 0)

    def test_lag(self) -> None:
        """The longest lag since it was asked for; lines that come in pieces, or are none, do no harm."""
        self.assertIsNone(self.pulse.take_lag())
        for data in (b"12\n3", b"4\n", b"x\n", b"-1\n", b"\n", b"9" * 5000, b"\n5\n"):
            self.pulse.heard(data)
        self.assertEqual((self.pulse.take_lag(), self.pulse.take_lag()), (0.034, None))
        self.assertLessEqual(len(self.pulse._rest), 100)
