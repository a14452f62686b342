"""An output that changes nothing back and forth while lines come: one write for lines and prompt together."""

from prompt_toolkit.output.vt100 import Vt100_Output


class SteadyOutput(Vt100_Output):
    """A terminal's output.

    The renderer ends bracketed paste each time it makes room for lines. A paste that came just then would be sent line by
    line without a question, so this output keeps it on until `leave`. It never asks where the cursor is either: the answer
    would come as typed characters, late over a slow line.
    """

    _held = False
    _left = False

    @property
    def responds_to_cpr(self) -> bool:
        """No."""
        return False

    def hold(self) -> None:
        """Writes nothing until `release`."""
        self._held = True

    def release(self) -> None:
        """Writes what was held back."""
        self._held = False
        self.flush()

    def leave(self) -> None:
        """Until `come_back`, paste is as the renderer wants it, which may believe that it is off already."""
        self._left = True
        super().disable_bracketed_paste()
        self.release()

    def come_back(self) -> None:
        """It is kept on again."""
        self._left = False

    def flush(self) -> None:
        """Writes, unless it is held back."""
        if not self._held:
            super().flush()

    def disable_bracketed_paste(self) -> None:
        """At the end only."""
        if self._left:
            super().disable_bracketed_paste()
