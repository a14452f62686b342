"""What ``python -m bench client`` makes of its parts."""

from twisted.trial.unittest import SynchronousTestCase

from bench import client
from bench.client import SEND
from bench.e2e import Keys
from bench.options import Options
from tests.bench.test_e2e import keys


class ClientTests(SynchronousTestCase):
    """In small."""

    def test_figures(self) -> None:
        """Sending is all of its steps, receiving what a connection brings; the sync beside it."""
        self.patch(Keys, "generate", keys)
        self.patch(client, "VAULT_DEVICES", 4)
        self.patch(client, "sync_figures", lambda _: {"scenario": "sync", "messages": 10_000, "sealed_s": 2.0})
        message, synced = client.client(Options(seconds=0.1))
        self.assertEqual(message["what"], "client, 50 messages at a time")
        steps = sum(float(str(message[step])) for step in SEND)
        self.assertLess(abs(float(str(message["send_us"])) - steps), 0.1)
        self.assertEqual(message["receive_us"], message["live_us"])
        self.assertEqual(synced["what"], "client, 10,000 missed messages")
