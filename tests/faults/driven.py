"""Tests of the suite that a row runs as well, since they hold what it is about."""

import unittest
from contextlib import chdir

from twisted.trial.runner import TestLoader

from tests.faults.rows import Ground, check


def driven(ground: Ground, *names: str) -> int:
    """Runs these modules, classes or methods; how many tests that were. Fails the row where one fails or none is there."""
    result, loader = unittest.TestResult(), TestLoader()
    with chdir(ground.directory):
        for name in names:
            loader.loadByName(name).run(result)
    broken = [f"{test}: {text}" for test, text in (*result.failures, *result.errors)]
    check(not broken and result.testsRun >= len(names), f"{result.testsRun} tests run, {broken}")
    return result.testsRun
