"""What files may be called here: whatever a member calls them, the name stays a name."""

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.file_names import INSTEAD, MAX_NAME_BYTES, numbered, safe_file_name
from chatserv.sanitize import clean_line

HOSTILE = st.text(
    st.sampled_from('a.é-_ /\\:*?"<>|~\0\n\u202e\u2066\u200b\u200d\ufeff\ud800\u0301\uffff\U0001f600 CONcon1')
)


class NameTests(SynchronousTestCase):
    """``safe_file_name``."""

    @given(st.text() | HOSTILE)
    @example("a" * 300 + ".tar.gz")
    @example("\u00e9" * 127 + "a.txt")
    @example("..\\..\\con.txt")
    def test_any(self, name: str) -> None:
        """A name, of one part, that is none of those that mean something; the same once more."""
        made = safe_file_name(name)
        self.assertEqual(safe_file_name(made), made)
        self.assertEqual(clean_line(made), made)
        self.assertTrue(made)
        self.assertLessEqual(len(made.encode()), MAX_NAME_BYTES)
        self.assertEqual(unicodedata.normalize("NFC", made), made)
        self.assertFalse(set(made) & set('/\\:*?"<>|'))
        self.assertNotIn(made[0], ".- ")
        self.assertNotIn(made[-1], ". ")
        self.assertFalse({unicodedata.category(each) for each in made} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
        self.assertNotIn(made.partition(".")[0].rstrip().upper(), {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"})

    def test_kept(self) -> None:
        """Names of people's files stay as they are."""
        for name in (
            "report.pdf",
            "Jörg's résumé (2).docx",
            "写真.png",
            "a.tar.gz",
            "_x",
            "naïve - copy.txt",
            "README",
        ):
            self.assertEqual(safe_file_name(name), unicodedata.normalize("NFC", name))

    def test_changed(self) -> None:
        """What hostile names become."""
        for name, wanted in {
            "../../.ssh/authorized_keys": "authorized_keys",
            "..\\..\\evil.exe": "evil.exe",
            "/etc/passwd": "passwd",
            "C:\\windows\\x.dll": "x.dll",
            "/dir/": "dir",
            ".bashrc": "bashrc",
            "-rf": "rf",
            "--option=x": "option=x",
            "a\0b": "ab",
            "x\n\r\ty": "x y",
            "photo\u202egnp.exe": "photognp.exe",
            'a:b*c?d"e<f>g|h': "abcdefgh",
            "CON": "_CON",
            "nul.txt": "_nul.txt",
            "com1 .txt": "_com1 .txt",
            "LPT\u00b9": "_LPT\u00b9",
            "conference.txt": "conference.txt",
            "trailing. . ": "trailing",
            "": INSTEAD,
            "..": INSTEAD,
            "\u200b\u2800": INSTEAD,
            "e\u0301": "\u00e9",
        }.items():
            self.assertEqual(safe_file_name(name), wanted, repr(name))

    def test_long(self) -> None:
        """The extension stays, and no character is cut in two."""
        for name in ("\u00e9" * 200 + ".png", "x" * 254 + ".p", "\U0001f600" * 63 + ".jpeg"):
            made = safe_file_name(name)
            self.assertTrue(made.endswith(name[name.rindex(".") :]), made)
            self.assertGreater(len(made.encode()), MAX_NAME_BYTES - 8)
        self.assertLessEqual(len(safe_file_name("a." + "b" * 300).encode()), MAX_NAME_BYTES)

    def test_numbered(self) -> None:
        """The number stands in front of the extension."""
        self.assertEqual([numbered("a.txt", 1), numbered("a.txt", 2)], ["a.txt", "a (2).txt"])
        self.assertEqual(numbered("README", 3), "README (3)")
