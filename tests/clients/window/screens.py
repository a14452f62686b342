"""A screen for widgets: one for the whole run of the tests, where Xvfb and Tk are installed."""

import atexit
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from chatserv.testing.display import Display, missing

if TYPE_CHECKING:
    import tkinter as tk


def needs_tk() -> str:
    """Why modules with widgets cannot be imported; empty where they can."""
    try:
        import tkinter  # noqa: F401
    except ImportError:
        return "not installed: tkinter (python3-tk)"
    return ""


class ScreenTestCase(SynchronousTestCase):
    """Tests that show widgets; ``self.root`` is an empty main window."""

    display: ClassVar[Display | None] = None
    interpreters: ClassVar[list[object]] = []
    """Of all windows, for good: Tcl aborts the process where one is cleared away in another thread than made it."""

    def setUp(self) -> None:
        """A window of Tk on the screen."""
        lacks = needs_tk() or ("not installed: Xvfb" if missing("Xvfb") else "")
        if lacks:
            raise SkipTest(lacks)
        self.errors: list[BaseException] = []
        self.root = self.new_root()
        self.addCleanup(self.close)

    def new_root(self) -> "tk.Tk":
        """An empty main window."""
        import tkinter as tk

        with self.screen().entered():
            root = tk.Tk()
        ScreenTestCase.interpreters.append(root.tk)
        root.report_callback_exception = lambda kind, error, trace: self.errors.append(error)  # noqa: ARG005
        return root

    @classmethod
    def screen(cls) -> Display:
        """Where it is."""
        if ScreenTestCase.display is None:
            ScreenTestCase.display = Display()
            ScreenTestCase.display.start()
            atexit.register(ScreenTestCase.display.stop)
        return ScreenTestCase.display

    def dense(self) -> None:
        """The screen has 192 dots an inch, until the test is over; what is there already is as it was."""
        self.addCleanup(self.root.tk.call, "tk", "scaling", self.root.tk.call("tk", "scaling"))
        self.root.tk.call("tk", "scaling", 192 / 72)

    def close(self) -> None:
        """The window goes; nothing has gone wrong in what widgets called."""
        self.root.focus_force()  # else Tk may keep a pointer to a part that dies, and follow it later
        self.root.update()
        for waiting in self.root.tk.splitlist(self.root.tk.call("after", "info")):
            self.root.tk.call("after", "cancel", waiting)  # Tk would complain that their window has gone
        self.root.destroy()
        self.assertEqual(self.errors, [])

    def update(self) -> None:
        """Lets Tk do what it has to."""
        self.root.update()

    def dialog(self) -> "tk.Toplevel | None":
        """The newest dialog."""
        import tkinter as tk

        found = [each for each in self.root.winfo_children() if isinstance(each, tk.Toplevel)]
        return found[-1] if found else None

    def press(self, label: str) -> None:
        """Presses a button of the newest dialog."""
        (wanted,) = [each for each in self.parts("TButton") if each.cget("text") == label]
        wanted.invoke()
        self.update()

    def key(self, key: str, widget: "tk.Misc | None" = None) -> None:
        """Presses a key in the newest dialog, by default where its keyboard is."""
        dialog = self.dialog()
        assert dialog is not None
        target = widget or dialog.focus_lastfor() or dialog
        target.focus_force()
        self.update()
        target.event_generate(key)
        self.update()

    def parts(self, kind: str, within: "tk.Misc | None" = None) -> "list[Any]":
        """All of a class of Tk's in the newest dialog, in the order of their making."""
        parent = within or self.dialog()
        assert parent is not None
        children = parent.winfo_children()
        return [
            found
            for child in children
            for found in (
                [child] if child.winfo_class() == kind else self.parts(kind, child) if child.winfo_children() else []
            )
        ]

    @property
    def dialog_text(self) -> str:
        """All that labels of the newest dialog say."""
        return "\n".join(str(each.cget("text")) for each in self.parts("TLabel"))

    @property
    def dialog_title(self) -> str:
        """Of the newest dialog; empty where there is none."""
        dialog = self.dialog()
        return "" if dialog is None else str(dialog.title())
