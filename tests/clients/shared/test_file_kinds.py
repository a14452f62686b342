"""What the system may be asked to show."""

from twisted.trial.unittest import SynchronousTestCase

from clients.shared.file_kinds import is_picture, may_be_opened


class KindTests(SynchronousTestCase):
    """By the name, and by how the file begins."""

    def test_names(self) -> None:
        """A few kinds; whatever might run, and what is not known, is not."""
        for name in ("a.pdf", "a.PNG", "two words.txt", "a.tar.mp3"):
            self.assertTrue(may_be_opened(name, b""), name)
        for name in (
            "a",
            "pdf",
            ".pdf",
            "a.exe",
            "a.sh",
            "a.desktop",
            "a.html",
            "a.svg",
            "a.xml",
            "a.py",
            "a.jar",
            "a.docm",
            "",
        ):
            self.assertFalse(may_be_opened(name, b""), name)

    def test_beginnings(self) -> None:
        """A program under another name is found out."""
        for head in (
            b"#!/bin/sh",
            b"\x7fELF\2",
            b"MZ\x90",
            b"[Desktop Entry]",
            b"\xef\xbb\xbf \n<HTML>",
            b"<!DOCTYPE html>",
            b"<svg ",
        ):
            self.assertFalse(may_be_opened("a.txt", head), head)
        for head in (b"", b"hello", b"%PDF-1.7"):
            self.assertTrue(may_be_opened("a.pdf", head), head)

    def test_pictures(self) -> None:
        """Those that the window reads."""
        self.assertTrue(is_picture(b"\x89PNG\r\n\x1a\n...") and is_picture(b"GIF89a"))
        self.assertFalse(is_picture(b"\xff\xd8\xff") or is_picture(b""))
