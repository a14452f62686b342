"""How a program ends: a code for scripts and a text for people."""

import io
import re
import sys

from twisted.trial.unittest import SynchronousTestCase

import chatserv.client
from chatserv.client.errors import (
    AuthFailed,
    ChatError,
    DiskFailed,
    DiskFull,
    FileDamaged,
    FileGone,
    FileInvalid,
    HistoryInvalid,
    InviteInvalid,
    LinkInvalid,
    LocalFileError,
    MethodRefused,
    NameInvalid,
    NameTaken,
    NoFiles,
    NotMember,
    PasswordInvalid,
    PinMismatch,
    PrivateFileError,
    ProfileError,
    ProfileLocked,
    Quota,
    Replaced,
    ServerFull,
    SlashError,
    StorageError,
    StorageLocked,
    TextEmpty,
    TextInvalid,
    WireError,
    Withdrawn,
)
from clients.shared import exit_codes
from clients.shared.arguments import parse_arguments
from clients.shared.exit_codes import exit_for, why_offline

CODES: dict[type[ChatError], int] = {
    PinMismatch: 4,
    AuthFailed: 5,
    Quota: 5,
    Withdrawn: 5,
    InviteInvalid: 6,
    MethodRefused: 6,
    NameTaken: 7,
    NameInvalid: 7,
    LinkInvalid: 2,
    PasswordInvalid: 2,
    Replaced: 8,
    ProfileError: 8,
    ProfileLocked: 8,
    PrivateFileError: 8,
    ServerFull: 3,
    StorageError: 8,
    LocalFileError: 8,
    DiskFull: 8,
    HistoryInvalid: 5,
    DiskFailed: 8,
    StorageLocked: 8,
    NotMember: 5,
    FileDamaged: 5,
    FileGone: 5,
    FileInvalid: 5,
    NoFiles: 5,
    SlashError: 5,
    TextEmpty: 2,
    TextInvalid: 2,
}


class ExitsTests(SynchronousTestCase):
    """`clients.shared.exit_codes.exit_for`."""

    def test_codes(self) -> None:
        """Each error that a program can name has its code."""
        for kind, code in CODES.items():
            self.assertEqual(exit_for(kind("detail")).code, code, kind.__name__)

    def test_every_public_error(self) -> None:
        """Every error class of the library's public names is in this table."""
        public = [getattr(chatserv.client, name) for name in chatserv.client.__all__]
        errors = {one for one in public if isinstance(one, type) and issubclass(one, ChatError)}
        self.assertEqual(errors - {ChatError, WireError}, set(CODES))

    def test_wire_errors(self) -> None:
        """What may work later is a matter of the server (3), what will not is a refusal; both say what happened."""
        for code, kind in WireError.by_code.items():
            end = exit_for(kind("detail"))
            self.assertEqual(end.code == exit_codes.SERVER_AWAY, kind.retryable, code)
            self.assertNotEqual(end.code, exit_codes.DONE)

    def test_server_away(self) -> None:
        """Where nothing is known but that there is no answer, the person is asked about the server and its address."""
        for error in (None, OSError("refused"), WireError.by_code["timed_out"]()):
            end = exit_for(error)
            self.assertEqual(end.code, exit_codes.SERVER_AWAY)
            self.assertIn("cannot be reached", end.message)

    def test_texts(self) -> None:
        """Each text is made of whole sentences, on one line, without a trace of the program behind it."""
        kinds: list[type[ChatError]] = [*CODES, *WireError.by_code.values()]
        for kind in kinds:
            text = exit_for(kind()).message
            self.assertRegex(text, r"^[A-Z][^\n]{10,300}[.?]$", kind.__name__)
            for word in ("Error", "Exception", "None", "Traceback", "object at", kind.__name__ + ":"):
                self.assertNotIn(word, text)

    def test_wrong_server(self) -> None:
        """A wrong identity is told as what it may be, with what to do."""
        text = exit_for(PinMismatch("detail")).message
        for words in ("not the server", "in the middle", "Nothing was sent", "operator"):
            self.assertIn(words, text)

    def test_detail(self) -> None:
        """Errors of this machine name the file or the reason; those of the server's word do not."""
        self.assertIn("(here/keyring.json: damaged)", exit_for(PrivateFileError("here/keyring.json: damaged")).message)
        self.assertIn("(port out of range)", exit_for(LinkInvalid("port out of range")).message)
        self.assertNotIn("detail", exit_for(AuthFailed("detail")).message)

    def test_clean(self) -> None:
        """What is printed at the end moves no cursor; what is clean already keeps its isolates."""
        self.assertEqual(exit_codes.Exit(1, "a\x1b[2Jb").message, "a\ufffd[2Jb")
        self.assertEqual(exit_codes.Exit(1, "\u2068\u05d0\u2069", clean=True).message, "\u2068\u05d0\u2069")

    def test_why_offline(self) -> None:
        """Somebody in a talk is told what is known: the server's reason, else whether there was a connection before."""
        self.assertIn("server is full", why_offline(ServerFull(), was_online=True))
        self.assertEqual(why_offline(None, was_online=True), "Connection lost.")
        self.assertEqual(why_offline(OSError("refused"), was_online=False), "The server cannot be reached.")

    def test_documented(self) -> None:
        """Every code stands in the help, and none that does not exist."""
        output = io.StringIO()
        self.patch(sys, "stdout", output)
        with self.assertRaises(SystemExit):
            parse_arguments(["--help"])
        _, _, listed = output.getvalue().partition("Exit codes:")
        codes = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
        self.assertEqual({int(number) for number in re.findall(r"\b(\d+)\s+[a-z]", listed)}, codes)
