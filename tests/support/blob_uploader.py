"""Uploads one file into a directory's store, as a server does, and says how far it is: to be killed (tests.test_blob_kills).

``python -m tests.support.blob_uploader DIRECTORY``: prints ``at BYTES`` for the beginning and each piece that was answered.
"""

import hashlib
import secrets
import sys
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from chatserv.blob_directory import BlobDirectory
from chatserv.blob_threads import ThreadedBlobs
from chatserv.clocks import now_ms
from chatserv.commands.uploads import SYNC_BYTES, Uploads
from chatserv.config import Config
from chatserv.limits import Limits
from chatserv.live_settings import LiveSettings
from chatserv.net.effects import reactor_effects
from chatserv.store.database import prepare
from chatserv.store.limits import StoreLimits
from chatserv.store.sql import SqlStore
from tests.store.contract_blobs import new_blob
from tests.store.drafts import NOW_MS, founding, registration

PIECE: Final = 32_768
WHOLE: Final = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(3 * SYNC_BYTES // 32)) + b"and more"


def database(directory: Path) -> Path:
    """Where the store is."""
    return directory / "chatserv.db"


async def upload(reactor: Any, directory: Path) -> None:
    """Goes on with the upload to its end."""
    settings = LiveSettings(Config(limits=Limits(blob_disk_share=1)))
    files = ThreadedBlobs(BlobDirectory(directory / "blobs"), settings, reactor)
    files.directory.make()
    files.start()
    prepare(database(directory))
    store = SqlStore(database(directory), StoreLimits(), reactor)
    await store.open()
    if await store.account("alice") is None:
        await store.register(registration("alice"), NOW_MS)
        await store.commit(founding(1))
    uploads = Uploads(files, store, settings, reactor_effects(reactor, now_ms, secrets.token_bytes))
    digest = hashlib.sha256(WHOLE).digest()
    new = new_blob(1, size=len(WHOLE), hash=digest, now_ms=now_ms(), expires_ms=now_ms() + 3_600_000)
    found = await uploads.begin(new)
    at = found.told.received
    print("at", at, flush=True)
    while at < len(WHOLE):
        at = (await uploads.put(found, at, WHOLE[at : at + PIECE])).received
        print("at", at, flush=True)
    await store.close()
    files.stop()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(upload(reactor, Path(sys.argv[1]))))
