"""Holds a profile, and is killed in the middle of what another program asks: a program of its own, for test_killed."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from chatserv.client import Profile, StatusChanged, open_client, unlock
from chatserv.client.account.system_keyring import SystemKeyring
from chatserv.client.joining.performer import Performer
from chatserv.client.outbound.answers import Answers
from chatserv.client.outbound.leaving import Leaving
from chatserv.client.outbound.outbox import Outbox
from tests.client.sealing_victim import FileBackend

STEPS = ("request", "outbox", "reply", "stored")
"""Before anything is done; in the outbox, and not answered; answered, and not sent; stored by the server, and not here."""


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _around(kind: type, name: str, wrapper: Callable[..., Any]) -> None:
    original = getattr(kind, name)
    setattr(kind, name, lambda self, *given: wrapper(lambda: original(self, *given), *given))


def prepare(step: str) -> None:
    """Dies when the text ``two`` has come so far."""
    meant: list[bool] = []

    def put_body(original: Callable[[], Any], _room: object, body: Any, *_: object) -> Any:
        stored = original()
        if getattr(body, "text", "") == "two":
            meant.append(True)
            if step == "outbox":
                _die()
        return stored

    def perform(original: Callable[[], Any], ask: Any) -> Any:
        if step == "request" and ask.verb == "room.send" and b"two" in bytes(ask.args):
            _die()
        return original()

    def flush(original: Callable[[], Any], *_: object) -> Any:
        if meant and step == "reply":  # the answer has left with the turn before
            _die()
        return original()

    def put_answer(original: Callable[[], Any], *_: object) -> Any:
        if meant and step == "stored":
            _die()
        return original()

    _around(Outbox, "put_body", put_body)
    _around(Performer, "perform", perform)
    _around(Leaving, "_seal", flush)
    _around(Answers, "put_answer", put_answer)


def main() -> None:
    """The profile's directory, where to die, its passphrase or nothing, its keyring's directory or nothing."""
    directory, step, passphrase, kept = sys.argv[1:]
    profile = Profile(Path(directory))
    store = SystemKeyring(FileBackend(Path(kept))) if kept else None
    profile = profile.unlocked(unlock(profile, passphrase or None, find=lambda: store))
    prepare(step)

    def tell(event: object) -> None:
        if isinstance(event, StatusChanged):
            print(event.status.value, flush=True)

    def begin(reactor: Any) -> "Deferred[None]":
        open_client(profile, reactor, tell, follow=False).start()
        return Deferred()

    react(begin)


if __name__ == "__main__":
    main()
