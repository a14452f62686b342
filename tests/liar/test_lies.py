"""Each lie is noticed, by whom and in time as its row says; and with its one check switched off it is not."""

import re
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.liar.rows import LIES
from tests.liar.stage import Lie


class LieTests(SynchronousTestCase):
    """A test for each row."""

    def test_names(self) -> None:
        """No two rows have one name, and each says who notices, or why nobody can."""
        self.assertEqual(len(LIES), len({lie.name for lie in LIES}))
        for lie in LIES:
            self.assertNotEqual(bool(lie.by), bool(lie.why), lie.name)
            self.assertEqual(bool(lie.by), bool(lie.says), lie.name)


def _noticed(lie: Lie) -> Callable[[LieTests], None]:
    def test(case: LieTests) -> None:
        found, others = lie.run(case.mktemp())
        if not lie.by:
            case.assertEqual([], others)
        case.assertEqual(bool(lie.by), found is not None, others)

    test.__doc__ = f"A server that does this: {lie.name}."
    return test


def _blind(lie: Lie) -> Callable[[LieTests], None]:
    def test(case: LieTests) -> None:
        found, _ = lie.run(case.mktemp(), blind=True)
        case.assertIsNone(found)

    test.__doc__ = f"Without the check nobody notices: {lie.name}."
    return test


for _lie in LIES:
    _name = re.sub(r"\W+", "_", _lie.name)
    setattr(LieTests, f"test_{_name}", _noticed(_lie))
    if _lie.by:
        setattr(LieTests, f"test_without_check_{_name}", _blind(_lie))
