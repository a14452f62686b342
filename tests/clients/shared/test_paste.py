"""What is pasted."""

from twisted.trial.unittest import SynchronousTestCase

from clients.shared.paste import MAX_LINE_CHARACTERS, MAX_PASTED_LINES, PastedText, pasted, pasted_text
from clients.shared.talk import MAX_WAITING


class PastingTests(SynchronousTestCase):
    """`clients.shared.paste.pasted`."""

    def test_one_line(self) -> None:
        """One line goes into the prompt as it is, its line break does not."""
        for data in ("hello  x", "hello  x\n", "hello  x\r\n", "\nhello  x\r"):
            found = pasted(data, "a", "b")
            self.assertEqual((found.lines, found.refusal), (("hello  x",), ""))
        self.assertEqual(pasted("\n").lines, ("",))

    def test_several(self) -> None:
        """Of several, what stands in the prompt is part of the first and the last."""
        found = pasted("one\r\n\r\ntwo\rthree", "x ", " y")
        self.assertEqual(found.lines, ("x one", "two", "three y"))

    def test_no_commands(self) -> None:
        """Nothing that is pasted in several lines is obeyed: it is sent as text."""
        self.assertEqual(pasted("/quit\n//x\ny").lines, ("//quit", "///x", "y"))
        self.assertEqual(pasted("/quit").lines, ("/quit",))

    def test_bounds(self) -> None:
        """So many lines, and so long, may be sent; one more, or one character more, is refused."""
        self.assertLess(MAX_PASTED_LINES, MAX_WAITING)  # all of them may wait for a command
        self.assertEqual(len(pasted("x\n" * MAX_PASTED_LINES).lines), MAX_PASTED_LINES)
        found = pasted("x\n" * (MAX_PASTED_LINES + 1))
        self.assertEqual(found.lines, ())
        self.assertIn("2001 lines were pasted, and are not sent", found.refusal)
        self.assertEqual(pasted("x" * MAX_LINE_CHARACTERS).refusal, "")
        self.assertIn("too long", pasted("x" * MAX_LINE_CHARACTERS, "y").refusal)


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
