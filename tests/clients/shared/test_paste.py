"""What is pasted."""

from twisted.trial.unittest import SynchronousTestCase

from clients.shared.paste import MAX_LINE_CHARACTERS, PastedText, pasted_text


class PastedTextTests(SynchronousTestCase):
    """`clients.shared.paste.pasted_text`."""

    def test_lines(self) -> None:
        """Line breaks of any kind are one kind, those around the text go, and blank lines and spaces in it stay."""
        self.assertEqual(pasted_text("\r\none\r\n\r\n  two\rthree\n"), PastedText("one\n\n  two\nthree"))
        self.assertEqual(pasted_text("hello  x\n", "a", "b"), PastedText("hello  x"))
        self.assertEqual(pasted_text("\n"), PastedText())

    def test_no_command(self) -> None:
        """Several lines are text, also where they begin as a command; one line is what it is."""
        self.assertEqual(pasted_text("/quit\ny").text, "//quit\ny")
        self.assertEqual(pasted_text("//x\ny").text, "///x\ny")
        self.assertEqual(pasted_text("/x\ny", "/edit -1 ").text, "/x\ny")
        self.assertEqual(pasted_text("/quit\n").text, "/quit")

    def test_bounds(self) -> None:
        """With what stands around it, it is as long as the field may be; of one character more nothing is taken."""
        most = "x\n" * (MAX_LINE_CHARACTERS // 2 - 1) + "yz"
        self.assertEqual(pasted_text(most), PastedText(most))
        for before, after in (("a", ""), ("", "a")):
            found = pasted_text(most, before, after)
            self.assertEqual((found.text, "too long" in found.refusal), ("", True))
