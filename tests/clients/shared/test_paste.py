"""What is pasted."""

from twisted.trial.unittest import SynchronousTestCase

from clients.shared.paste import MAX_LINE_CHARACTERS, MAX_PASTED_LINES, pasted
from clients.shared.talk import MAX_WAITING


class PastingTests(SynchronousTestCase):
    """`clients.shared.paste.pasted`."""

    def test_one_line(self) -> None:
        """One line goes into the prompt as it is, its line break does not."""
        for data in ("hello  x", "hello  x\n", "hello  x\r\n", "\nhello  x\r"):
            found = pasted(data, "a", "b")
            self.assertEqual((found.lines, found.question, found.refusal), (("hello  x",), "", ""))
        self.assertEqual(pasted("\n").lines, ("",))

    def test_several(self) -> None:
        """Several are asked about; what stands in the prompt is part of the first and the last."""
        found = pasted("one\r\n\r\ntwo\rthree", "x ", " y")
        self.assertEqual(found.lines, ("x one", "two", "three y"))
        self.assertEqual(found.question, "3 lines were pasted: send them? y/n")

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
