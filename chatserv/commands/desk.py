"""Where the server puts what carries operations out, when it has come up; administrators reach it from inside the chat."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any


class OperatorDesk:
    """``operate``: given an operation, its arguments and who asks, gives what came of it; None: nobody is there."""

    def __init__(self) -> None:
        self.operate: Callable[[str, Mapping[str, str], str], Awaitable[Mapping[str, Any]]] | None = None
