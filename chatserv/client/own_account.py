"""Our own account as a program sees it: recovery code, password, its end."""

import secrets
from typing import Final

from chatserv.client.mending.acceptance import Acceptance, RestoreToAccept
from chatserv.client.part import Part
from chatserv.client.recovery.backups import NewRecovery
from chatserv.crypto.password import SALT_BYTES, PasswordParameters, make_verifier
from chatserv.crypto.statements import Gone, make_gone, sign_password
from chatserv.domain.passwords import prepared_password
from chatserv.wire import messages

COST: Final = PasswordParameters()


class OwnAccount(Part):
    """What a person can do to their account."""

    @property
    def recovery(self) -> str:
        """``set``: there is a recovery code that somebody was shown; ``none``: who loses every device loses the account."""
        return self._engine.own.recovery.backups.state

    async def new_recovery(self, passphrase: str | None = None, *, password: str = "") -> NewRecovery:
        """Makes a new recovery code, and a passphrase beside it where one is given; those before are of no use any more.

        The code is nowhere but in what this returns: it is to be shown once, and written down.

        Args:
            passphrase: At least five words; by default none.
            password: The one for logging in, where it is known: it must not be the passphrase too.

        Raises:
            NoIdentityKey: This device was approved without it.
            PassphraseInvalid: The passphrase is too short, or the password.
            Interrupted: The connection went; to be tried again.
        """
        return await self._engine.own.recovery.backups.renew(passphrase, password)

    async def change_password(self, new: str) -> None:
        """Another password for logging in on new devices. Takes a second.

        Raises:
            NoIdentityKey: This device cannot sign that.
            PasswordInvalid: It cannot be used, or it is the recovery passphrase.
            Interrupted: The connection went; to be tried again.
        """
        context, prepared = self._engine.context, prepared_password(new)
        identity = context.keyring.load_identity()
        await self._engine.own.recovery.backups.require_no_passphrase(prepared)
        made = await context.in_thread(make_verifier, prepared, secrets.token_bytes(SALT_BYTES), COST)
        verifier = made.encode()
        signature = await context.in_thread(sign_password, context.server_id, context.user, verifier, identity)
        await self._engine.requests.ask(messages.SetPassword, verifier=verifier, signature=signature)

    async def restore_to_accept(self) -> RestoreToAccept:
        """What a server that says it was restored has lost, and stands in the way of going on with it.

        Raises:
            NotFound: It does not say so, or nothing stands in the way.
            Interrupted: The connection went; to be tried again.
        """
        return await self._acceptance.look()

    async def accept_restored(self) -> RestoreToAccept:
        """Goes on with a restored server, in a new session that begins at once: forgets here what the server has lost.

        Whoever runs the server could have restored it to hide something: a device that was added for somebody, that one
        was revoked, who came into a room. So a person decides, who has asked them by another way, on each of their devices.

        Raises:
            NotFound: As `restore_to_accept`.
            ServerDistrusted: It does not even have what was before the backup.
            Interrupted: The connection went; to be tried again.
        """
        return await self._acceptance.accept()

    @property
    def _acceptance(self) -> Acceptance:
        engine = self._engine
        return Acceptance(
            engine.context, engine.requests, engine.rooms, engine.room_queue, engine.auditor, engine.offering.restored
        )

    async def delete(self) -> None:
        """Ends the account for good, everywhere; its name is never given out again. What is on this device stays.

        Raises:
            NoIdentityKey: This device cannot sign that.
            Forbidden: It is the last administrator who can log in.
        """
        context = self._engine.context
        gone = Gone(context.server_id, context.user, context.now_ms())
        statement = await context.in_thread(make_gone, gone, context.keyring.load_identity())
        with self._engine.auditor.ending:
            await self._engine.requests.ask(messages.DeleteAccount, statement=statement)
