"""Somebody without an account on this machine: new here, or with an account elsewhere that comes to this machine too."""

import tkinter as tk
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.client import AuthFailed, ChatError, Guest, ServerLink, explained, log_in, moment, translate
from chatserv.client.errors import EnrolmentRefused, Interrupted, Offline, Quota
from clients.shared.exit_codes import exit_for
from clients.window.context import WindowContext
from clients.window.dialogs.choice import Answer, Choice
from clients.window.dialogs.dialog import Dialog, confirm
from clients.window.dialogs.login import LoginForm, RecoveryForm, WaitingDialog

_log = Logger()


class Arriving:
    """Asks which of the two it is, and leads who has an account to a registered profile.

    Args:
        context: What all parts share.
        register: For who is new here.
        arrived: This machine is a device of the account: connect.
        enter: Logs in with name and password.
    """

    def __init__(
        self,
        context: WindowContext,
        register: Callable[[ServerLink], None],
        arrived: Callable[[ServerLink], None],
        enter: Callable[..., Awaitable[Guest]] = log_in,
    ) -> None:
        self._context, self._register, self._arrived, self._enter = context, register, arrived, enter
        self.dialog: Dialog | None = None
        self.guest: Guest | None = None
        self._words = ""
        self._asking: Deferred[None] | None = None

    @property
    def open_dialog(self) -> Dialog | None:
        """What is being asked, if anything is."""
        return self.dialog if self.dialog is not None and self.dialog.is_open else None

    def choose(self, link: ServerLink) -> None:
        """New here, or an account; or a link that an administrator has made for somebody who has lost everything."""
        answers = [
            Answer(
                translate("I am new here"),
                translate("Makes a new account, with its keys on this machine."),
                lambda: self._register(link),
            ),
            Answer(
                translate("I have an account"),
                translate("Makes this machine one more device of it: by the recovery code, or by another device."),
                lambda: self.log_in(link),
            ),
        ]
        if link.invite:
            answers.append(
                Answer(
                    translate("I have a reset link"),
                    translate("For who has lost every device and the recovery code: an administrator has sent it."),
                    lambda: self._ask_to_reset(link),
                )
            )
        choice = Choice(self._context.root, translate("Your account"), translate("Are you new here?"), answers)
        self._show(choice, choice.made_buttons[0])

    def _show(self, dialog: Dialog, focus: tk.Misc | None = None) -> None:
        self.dialog = dialog
        dialog.open(focus)

    def _ask_to_reset(self, link: ServerLink) -> None:
        text = translate(
            "A reset link gives your account a new identity. All your devices from before are ended, and what they had "
            "cannot be read here. Everybody in your rooms sees it, and who has verified you has to compare again; private "
            "rooms have to take you in again. Enter your user name from before. It cannot be undone."
        )
        title = translate("Reset your account")
        self.dialog = confirm(self._context.root, title, text, title, lambda: self._register(link))

    # -- name and password ---------------------------------------------------------------------------------------------

    def log_in(self, link: ServerLink, user: str = "", why: str = "") -> None:
        """Asks for name and password. ``why``: what went wrong before."""

        def take(name: str, password: str) -> None:
            self._run(self._begin(form, link, name, password))

        form = LoginForm(self._context.root, link, user, take, lambda: None)
        self.dialog = form
        form.ask()
        if user:
            form.entries[1].focus_force()
        form.say(why)

    async def _begin(self, form: LoginForm, link: ServerLink, name: str, password: str) -> None:
        context = self._context
        try:
            guest = await self._enter(
                context.session.profile, link, name, password, reactor=context.reactor, plain=context.arguments.no_tls
            )
        except AuthFailed:
            form.refuse(translate("There is no such account, or the password is another one."))
        except ChatError as error:
            form.refuse(_told(error))
        else:
            if not form.is_open:
                await guest.close()
                return
            self.guest, self._words = guest, ""
            form.succeed()
            if guest.complete:
                await self._finish(link)
            else:
                self._prove(link)

    def _run(self, work: Coroutine[Any, Any, None]) -> "Deferred[None]":
        """Does something slow, whose dialog says what comes of it."""
        doing = Deferred.fromCoroutine(work)
        doing.addErrback(_unexpected)
        return doing

    # -- what proves it ------------------------------------------------------------------------------------------------

    def _prove(self, link: ServerLink, why: str = "") -> None:
        guest = self.guest
        if guest is None:
            return

        def use(way: Callable[[str], Awaitable[Any]]) -> Callable[[str], None]:
            def begin(secret: str) -> None:
                self._run(self._recover(form, link, way(secret)))

            return begin

        form = RecoveryForm(
            self._context.root,
            guest.backup,
            use(guest.recover),
            use(guest.recover_with_passphrase),
            lambda: self._ask(link, guest),
            self.leave,
        )
        self.dialog = form
        form.ask()
        form.say(why)

    async def _recover(self, form: RecoveryForm, link: ServerLink, recovering: Awaitable[Any]) -> None:
        try:
            recovered = await recovering
        except Quota as error:
            form.refuse(explained(error))
            self._ask_to_replace(form, link)
        except Interrupted as error:
            form.succeed()
            self._again(link, _told(error))
        except ChatError as error:
            form.refuse(_told(error))
        else:
            form.succeed()
            said = translate("Recovered: identity, rooms: {count}, as of {when}.")
            await self._finish(link, said.format(count=recovered.rooms, when=moment(recovered.at_ms)))

    def _ask_to_replace(self, form: RecoveryForm, link: ServerLink) -> None:
        """The account has as many devices as it may have."""
        guest = self.guest
        if guest is None or not form.is_open:
            return
        text = translate(
            "Your account has as many devices as it can have. Revoke the one that is there longest, and take its place?"
        )

        async def replace_oldest() -> None:
            form.be_busy()
            try:
                await guest.replace_oldest()
            except ChatError as error:
                form.refuse(_told(error))
            else:
                form.succeed()
                await self._finish(link)

        title = translate("Too many devices")
        confirm(self._context.root, title, text, translate("Revoke it"), lambda: self._run(replace_oldest()))

    # -- another device ------------------------------------------------------------------------------------------------

    def _ask(self, link: ServerLink, guest: Guest) -> None:
        dialog = WaitingDialog(self._context.root, lambda: self._stop_asking(link))
        self._show(dialog)
        if self._words:
            dialog.show(self._words, guest.qr)

        def show(words: str) -> None:
            self._words = words
            dialog.show(words, guest.qr)

        self._asking = self._run(self._wait(dialog, link, guest.ask(show, self._same)))

    async def _same(self, words: str) -> bool:
        """What the person says, once a device has approved: it may be the server that plays one."""
        answered: Deferred[bool] = Deferred()
        text = translate("A device has approved this one. Does it show exactly these words: {words}?").format(
            words=words
        )

        def answer(*, same: bool) -> None:
            if not answered.called:
                answered.callback(same)

        answers = [
            Answer(translate("They are different"), translate("Nothing is done."), lambda: answer(same=False)),
            Answer(
                translate("They are the same"),
                translate("This device becomes one of your account."),
                lambda: answer(same=True),
            ),
        ]
        root = self._context.root
        question = Choice(root, translate("Compare the words"), text, answers)
        question.top.bind("<Destroy>", lambda _: root.after_idle(lambda: answer(same=False)), add=True)
        self.dialog = question
        question.open()
        return await answered

    async def _wait(self, dialog: WaitingDialog, link: ServerLink, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except CancelledError:
            return
        except (EnrolmentRefused, Interrupted) as error:
            dialog.succeed()
            self._again(link, _told(error))
        except ChatError as error:
            dialog.succeed()
            self._prove(link, _told(error))
        else:
            dialog.succeed()
            await self._finish(link)

    def _stop_asking(self, link: ServerLink) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
        self._prove(link)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _again(self, link: ServerLink, why: str) -> None:
        """The session is over: from the beginning, with what is known."""
        user = "" if self.guest is None else self.guest.user
        self.leave()
        self.log_in(link, user, why)

    async def _finish(self, link: ServerLink, said: str = "") -> None:
        guest, self.guest = self.guest, None
        if guest is not None:
            await guest.close()
        self._arrived(replace(link, invite=b""))
        status = self._context.layout.status
        status.say(said or translate("This device is now one of your account. It enters your rooms by itself."))

    def leave(self) -> None:
        """The person has given up, or the program ends: the session of the guest ends too."""
        guest, self.guest = self.guest, None
        if guest is not None:
            Deferred.fromCoroutine(guest.close()).addErrback(_unexpected)


def _told(error: ChatError) -> str:
    """Why it does not go on."""
    return exit_for(None).message if isinstance(error, Offline) else explained(error)


def _unexpected(failure: Failure) -> None:
    if failure.check(CancelledError) is None:
        _log.failure("unexpected", failure)
