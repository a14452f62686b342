"""What it costs to seal what a device keeps: 10,000 messages that were missed, into a plain file and into a sealed one."""

import secrets
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

from bench.e2e import Keys
from bench.server import BenchError
from bench.vault import KIND_MESSAGE, Device, Server
from chatserv.crypto.bodies import Text
from chatserv.wire import messages

MESSAGES: Final = 10_000
BATCH: Final = 50
DEVICES: Final = 100  # of the room
_WORDS: Final = (
    "the quick brown fox jumps over lazy dogs while nobody looks at canaries that sleep under trees by rivers"
)


class Timed:
    """A device that receives, and how long that takes.

    Args:
        device: Which.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.seconds = self.cpu_seconds = 0.0

    def take(self, events: Sequence[messages.Event]) -> None:
        """A batch, in one transaction."""
        wall, cpu = perf_counter(), process_time()
        told = self.device.take(events)
        self.seconds += perf_counter() - wall
        self.cpu_seconds += process_time() - cpu
        if told != len(events):
            raise BenchError(f"of {len(events)} messages {told} arrived")


def _text(number: int) -> Text:
    words = _WORDS.split()
    return Text(" ".join(words[(number * 7 + at) % len(words)] for at in range(12)))


def sync_figures(parent: Path | None, count: int = MESSAGES) -> dict[str, object]:
    """Both devices take the same batches in turns, so that what disturbs one disturbs the other.

    Args:
        parent: Where the temporary directory with the databases is made.
        count: How many messages.
    """
    keys = Keys.generate()
    server = Server(keys.server, keys.accounts(DEVICES))
    with tempfile.TemporaryDirectory(prefix="chatserv-bench-", dir=parent) as directory, ExitStack() as opened:
        devices = []
        for number, (account, key) in enumerate(
            zip(server.accounts, (None, None, secrets.token_bytes(32)), strict=False)
        ):
            devices.append(Device(server, account, keys.shared, Path(directory) / f"{number}.db", key))
            opened.callback(devices[-1].vault.close)
        sender, plain, sealed = devices[0], Timed(devices[1]), Timed(devices[2])
        for start in range(0, count, BATCH):
            for number in range(start, start + BATCH):
                sender.keep(_text(number))
            sends = sender.seal()
            events = []
            for seq, send in enumerate(sends, start + 2):
                sender.acknowledged(send, seq)
                events.append(server.event(seq, KIND_MESSAGE, server.accounts[0].user, send.envelope))
            sender.finish_turn()
            sender.take(events)
            for receiver in (plain, sealed) if start // BATCH % 2 else (sealed, plain):
                receiver.take(events)
    return {
        "scenario": "sync",
        "messages": count,
        "batch": BATCH,
        "plain_s": round(plain.seconds, 3),
        "sealed_s": round(sealed.seconds, 3),
        "ratio": round(sealed.seconds / plain.seconds, 3),
        "plain_cpu_s": round(plain.cpu_seconds, 3),
        "sealed_cpu_s": round(sealed.cpu_seconds, 3),
        "cpu_ratio": round(sealed.cpu_seconds / plain.cpu_seconds, 3),
    }
