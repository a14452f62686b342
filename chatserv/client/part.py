"""What a program holds of a client: it may hold it for as long as it likes."""

from collections.abc import Callable

from chatserv.client.engine import Engine


class Part:
    """Part of a client in the hands of a program.

    Args:
        engine: Gives what does the work now, which may be another one later (see `chatserv.client.lifecycle.Lifecycle`).
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine_now = engine

    @property
    def _engine(self) -> Engine:
        return self._engine_now()
