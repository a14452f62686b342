"""What the system says, in the language of the person (Spanish is the other one that there is)."""

import errno
import gettext
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv import i18n
from chatserv.client.files.failures import FileInvalid
from chatserv.client.files.spool import open_source
from chatserv.local_errors import of_system
from chatserv.owners import _TEXTS, system_text
from chatserv.private_files import PrivateFileError, make_directory
from tests.support import catalogues


class SystemTextTests(SynchronousTestCase):
    """`system_text`, and what is said with it."""

    def spanish(self) -> None:
        """Texts are Spanish from now on."""
        self.patch(i18n, "_translations", gettext.translation("chatserv", catalogues.LOCALE, ["es"]))

    def test_english(self) -> None:
        """As the system itself says it in English."""
        for number, text in _TEXTS.items():
            self.assertEqual((system_text(OSError(number, "?")), os.strerror(number)), (text, text))

    def test_others(self) -> None:
        """What has no text of ours is as the system says it; what is no error of the system, as it says itself."""
        self.spanish()
        self.assertEqual(system_text(OSError(errno.EXDEV, os.strerror(errno.EXDEV))), os.strerror(errno.EXDEV))
        self.assertEqual(system_text(OSError("no number")), "no number")
        self.assertEqual(system_text(ValueError("embedded null byte")), "embedded null byte")

    def test_spanish(self) -> None:
        """No English in a Spanish sentence, whatever has met it."""
        self.spanish()
        for number, text in _TEXTS.items():
            self.assertNotEqual(system_text(OSError(number, text)), text)
        missing = Path(self.mktemp())
        said = "No existe el archivo o directorio"
        self.assertIn(said, str(of_system(FileNotFoundError(errno.ENOENT, "No such file or directory", str(missing)))))
        with self.assertRaises(FileInvalid) as invalid:
            open_source(str(missing))
        self.assertEqual(invalid.exception.detail, said)
        missing.write_text("a file")
        with self.assertRaises(PrivateFileError) as private:
            make_directory(missing / "below")
        self.assertIn("No es un directorio", private.exception.detail)
