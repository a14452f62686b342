"""Every target, over what is kept for it and over broken copies of that; what the fuzzer found once is among it."""

import os
import sys
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.fuzz import __main__ as program
from tests.fuzz.targets import TARGETS
from tests.support.mutations import mutations

CORPUS: Final = Path(__file__).parent / "corpus"
BROKEN: Final = int(os.environ.get("CHATSERV_FUZZ_COPIES", "3"))  # of each file
MAX_FILES, MAX_BYTES = 200, 500_000


class CorpusTests(SynchronousTestCase):
    """What is kept."""

    def test_targets(self) -> None:
        """Each target takes all that is kept for it, and broken copies of it, as it says."""
        for name, target in TARGETS.items():
            for path in sorted((CORPUS / name).iterdir()):
                data = path.read_bytes()
                for each in (data, *mutations(data, f"fuzz {name} {path.name}", BROKEN)):
                    try:
                        target(each)
                    except Exception as error:
                        raise AssertionError(f"{name}, {path.name}: {each[:400]!r}") from error

    def test_kept(self) -> None:
        """There is something for each target, of no other one, and not too much."""
        self.assertEqual(set(TARGETS), {path.name for path in CORPUS.iterdir()})
        files = [path for path in CORPUS.rglob("*") if path.is_file()]
        self.assertLessEqual(len(files), MAX_FILES)
        self.assertLessEqual(sum(path.stat().st_size for path in files), MAX_BYTES)

    def test_program(self) -> None:
        """``make fuzz`` says so where Atheris is not installed, and which targets there are."""
        try:
            import atheris  # noqa: F401
        except ImportError:
            pass
        else:
            raise SkipTest("Atheris is installed")
        self.patch(sys, "argv", ["fuzz", "--seconds", "1"])
        self.assertEqual(program.NOT_INSTALLED, program.main())
