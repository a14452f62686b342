"""What a person asks for about the seal of what this device keeps: to seal it later, and another passphrase."""

from collections.abc import Callable
from typing import Any

from twisted.internet.threads import deferToThread

from chatserv.client import ChatError, ProfileLocked, change_passphrase, prepared_password, translate, unlock
from chatserv.client.errors import SlashError
from clients.window.actions.doing import Doing
from clients.window.actions.unlocking import Unlocking
from clients.window.dialogs.dialog import Field, confirm


class SealingActions:
    """Seals, or puts the key under another passphrase.

    Args:
        doing: Does it.
        unlocking: Seals, and begins anew.
        in_thread: Runs slow functions.
    """

    def __init__(self, doing: Doing, unlocking: Unlocking, in_thread: Callable[..., Any] = deferToThread) -> None:
        self._doing, self._unlocking, self._in_thread = doing, unlocking, in_thread
        self._session = doing.context.session

    @property
    def sealed(self) -> bool:
        """Whether what this device keeps is sealed."""
        return self._session.profile.key is not None

    def seal(self) -> None:
        """Asks first: the connection ends for a moment."""
        text = translate(
            "Keys and messages on this device will be sealed: by the system's keyring where there is one, else by a "
            "passphrase that is asked for at each start. The connection is interrupted for a moment."
        )

        def go() -> None:
            self._session.pause().addCallback(lambda _: self._unlocking.seal())

        title = translate("Seal this device")
        confirm(self._doing.context.root, title, text, translate("Seal"), go)

    def change(self) -> None:
        """Asks for the passphrase that there is, and for a new one, twice."""
        profile = self._session.profile
        by_keyring = profile.sealing.value == "keyring"
        text = translate(
            "The passphrase is asked for at each start. If you forget it, this device's messages are lost."
        )
        fields = [Field(translate("New passphrase"), secret=True), Field(translate("Repeat passphrase"), secret=True)]
        if by_keyring:
            before = translate("The system's keyring holds the key now; nothing is asked at a start.")
            text = f"{before} {text}"
        else:
            fields.insert(0, Field(translate("Passphrase until now"), secret=True))

        def wrong(values: list[str]) -> str:
            try:
                new = prepared_password(values[-1])
            except ChatError as error:
                return error.explain()
            return "" if values[-2] == values[-1] and new else translate("The two passphrases differ.")

        async def change(values: list[str]) -> str:
            key = profile.key
            if not by_keyring:
                try:
                    key = await self._in_thread(unlock, profile, values[0])
                except ProfileLocked as error:
                    raise SlashError(translate("That is not the passphrase.")) if error.wrong else error from None
            await self._in_thread(change_passphrase, profile, key, prepared_password(values[-1]))
            return translate(
                "The passphrase is another one now. Copies of the files from before still open with the old one."
            )

        self._doing.ask_for(translate("Passphrase of this device"), text, fields, translate("Change"), change, wrong)
