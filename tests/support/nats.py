"""The bus servers of the tests."""

import os
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SkipTest

from chatserv.testing import nats

REQUIRED: Final = "CHATSERV_TEST_NATS"  # set where a server that is missing is a failure


def require_program() -> None:
    """Raises `SkipTest` where there is no bus server, or AssertionError where there has to be one."""
    if nats.program() is None:
        if os.environ.get(REQUIRED):
            raise AssertionError(nats.MISSING)
        raise SkipTest(nats.MISSING)


class NatsServer(nats.NatsServer):
    """One of them. Raises as `require_program`."""

    def __init__(self, directory: Path, *options: str) -> None:
        require_program()
        super().__init__(directory, *options)
