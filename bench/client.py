"""What a message costs a client: through engine and database, as it is sealed on disk; and 10,000 that were missed."""

from collections.abc import Iterator
from typing import Final

from bench.e2e import BODY, VAULT_DEVICES, Keys
from bench.options import Options
from bench.sync import BATCH, sync_figures
from bench.vault import Server, vault_figures

SEND: Final = ("keep_us", "seal_us", "acknowledge_us")


def client(options: Options) -> Iterator[dict[str, object]]:
    """A text of 100 bytes, 50 at a time, in a room of 100 devices; then the sync."""
    keys = Keys.generate()
    server = Server(keys.server, keys.accounts(VAULT_DEVICES))
    steps = vault_figures(server, keys.shared, BATCH, BODY, options.directory, options.seconds, sealed=True)
    yield {
        **steps,
        "scenario": "client",
        "what": f"client, {BATCH} messages at a time",
        "send_us": round(sum(float(str(steps[step])) for step in SEND), 1),
        "receive_us": steps["live_us"],
    }
    synced = sync_figures(options.directory)
    yield {**synced, "what": f"client, {synced['messages']:,} missed messages"}
