"""The PostgreSQL of the tests: one cluster for each process that asks, a database for each test."""

import os
from functools import cache
from typing import Final

from twisted.trial.unittest import SkipTest

from chatserv.testing.postgres import Cluster, Missing, programs

REQUIRED: Final = "CHATSERV_TEST_POSTGRES"  # set where a PostgreSQL that is missing is a failure


def require_programs() -> None:
    """Raises `SkipTest` where there is no PostgreSQL, or AssertionError where there has to be one."""
    if programs() is None:
        if os.environ.get(REQUIRED):
            raise AssertionError(Missing.TEXT)
        raise SkipTest(Missing.TEXT)


def new_cluster() -> Cluster:
    """Another one. Raises as `require_programs`."""
    require_programs()
    return Cluster()


@cache
def cluster() -> Cluster:
    """That of this process. Raises as `require_programs`."""
    return new_cluster()
