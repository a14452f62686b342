"""docs/library.rst: its examples run, and use every public name."""

import doctest
import io
import re
from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.internet.selectreactor import SelectReactor
from twisted.trial.unittest import SynchronousTestCase

import chatserv.client

DOCUMENT = Path(__file__).parent.parent / "docs" / "library.rst"


class LibraryDocumentTests(SynchronousTestCase):
    """The page about ``chatserv.client``."""

    def test_examples(self) -> None:
        """Every example gives what it says."""
        text = DOCUMENT.read_text(encoding="utf-8")
        vectors = DOCUMENT.parent.parent / "tests" / "vectors"
        names = {"maybeDeferred": maybeDeferred, "SelectReactor": SelectReactor, "vectors": vectors}
        examples = doctest.DocTestParser().get_doctest(text, names, DOCUMENT.name, str(DOCUMENT), 0)
        told = io.StringIO()
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
        runner.run(examples, out=told.write)
        self.assertEqual(runner.failures, 0, told.getvalue())
        self.assertGreater(runner.tries, 100)

    def test_every_name(self) -> None:
        """Every public name is used in an example that runs."""
        text = DOCUMENT.read_text(encoding="utf-8")
        examples = doctest.DocTestParser().get_examples(text)
        used = set(re.findall(r"\w+", "\n".join(example.source for example in examples)))
        self.assertEqual([name for name in chatserv.client.__all__ if name not in used], [])
