"""Makes tests/vectors/backup-vectors.json, from fixed keys::

    python -m tests.support.make_backup_vectors

Known answers for other implementations: recovery code, slots, the backup's content, the words of an enrolment. The blob is
sealed under a random salt, so it is kept as it stands in the file.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from chatserv.crypto.e2e.backup import BackupContent, Owner, SavedRoom, SlotKind, seal_backup, seal_slot, slot_key
from chatserv.crypto.e2e.enrolment import commitment, enrol_hash, enrol_qr_text, enrol_words
from chatserv.crypto.e2e.recovery_code import CODE_BYTES, code_qr_text, show_code

FILE = Path(__file__).parent.parent / "vectors" / "backup-vectors.json"
OWNER = Owner(hashlib.sha256(b"server").digest(), "ana")
COUNTER = 7
PASSPHRASE = "anchor bread cellar dune engine"


def fixed(name: str, length: int = 32) -> bytes:
    """The fixed bytes of that name."""
    return hashlib.shake_256(b"chatserv backup vectors: " + name.encode()).digest(length)


def content() -> BackupContent:
    """The content of the backup."""
    return BackupContent(
        1_790_000_000_000,
        fixed("identity key", 64),
        (("bob", fixed("bob")), ("cyn", fixed("cyn"))),
        (SavedRoom(fixed("a", 16), True, 3, "cocina", "¿qué hay?"), SavedRoom(b"\xff" * 16, False, 2**32 - 1)),
    )


def blob() -> bytes:
    """The blob that stands in the file, or a new one."""
    if FILE.exists():
        return bytes.fromhex(json.loads(FILE.read_text("utf-8"))["backup"]["blob"])
    return seal_backup(fixed("BK"), content(), OWNER, COUNTER)


def _slot(kind: SlotKind, secret: bytes) -> dict[str, str]:
    salt = fixed(f"salt {kind.name}", 16)
    return {
        "secret": secret.hex(),
        "kek": slot_key(kind, secret, salt, OWNER).hex(),
        "slot": seal_slot(fixed("BK"), kind, secret, OWNER, lambda _: salt).hex(),
    }


def render() -> str:
    """The file's text."""
    code = fixed("code", CODE_BYTES)
    tbs, cert_hash, new, old = fixed("tbs", 500), fixed("cert_hash"), fixed("new nonce"), fixed("old nonce")
    hashed = enrol_hash(tbs, cert_hash, new, old)
    answers: dict[str, Any] = {
        "backup": {
            "server_id": OWNER.server_id.hex(),
            "user": OWNER.user,
            "counter": COUNTER,
            "key": fixed("BK").hex(),
            "content": content().encode().hex(),
            "blob": blob().hex(),
        },
        "recovery_code": {"code": code.hex(), "shown": show_code(code), "qr": code_qr_text(code)},
        "slot_code": _slot(SlotKind.CODE, code),
        "slot_passphrase": _slot(SlotKind.PASSPHRASE, PASSPHRASE.encode()),
        "enrolment": {
            "tbs": tbs.hex(),
            "cert_hash": cert_hash.hex(),
            "new_nonce": new.hex(),
            "old_nonce": old.hex(),
            "commitment": commitment(old, cert_hash, tbs).hex(),
            "hash": hashed.hex(),
            "words": enrol_words(hashed),
            "qr": enrol_qr_text(hashed),
        },
    }
    return json.dumps(answers, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(render(), "utf-8")
