"""docs/protocol.rst and the code say the same."""

import inspect
import re
from pathlib import Path
from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto import commits
from chatserv.errors import WireError
from chatserv.wire import messages
from chatserv.wire.session import EARLY_ERRORS

ELSEWHERE = (commits.BadCommit,)  # codes whose classes are not in chatserv.errors: imported, so that they are listed
DOCUMENT = (Path(__file__).parents[1] / "docs" / "protocol.rst").read_text(encoding="utf-8")


class DocumentTests(SynchronousTestCase):
    """The document is complete."""

    def test_every_error_is_listed_with_its_meaning(self) -> None:
        """The table of errors holds each code, whether it is retryable, and the first line of its class."""
        rows = {
            code: (again, meaning)
            for code, again, meaning in re.findall(r"\* - ``(\w+)``\n     - (yes|no)\n     - (.+)", DOCUMENT)
        }
        expected = {
            code: ("yes" if cls.retryable else "no", (inspect.getdoc(cls) or "").splitlines()[0])
            for code, cls in WireError.by_code.items()
        }
        self.assertEqual(rows, expected)

    def test_every_message_is_listed_with_its_fields(self) -> None:
        """Each message type stands in a table with all of its fields."""
        tables = DOCUMENT[DOCUMENT.index(".. list-table:: Commands") : DOCUMENT.index("\nDelivery\n")]
        rows = re.findall(r"\* - ``(\w+)``\n     - (.*?)\n     - ", tables, re.DOTALL)
        for union in (messages.ClientMessage, messages.ServerMessage):
            for struct in get_args(union):
                tag = struct.__struct_config__.tag
                described = " ".join(fields for name, fields in rows if name == tag)
                for field in struct.__struct_fields__:
                    self.assertRegex(described, rf"\b{field}\b", f"{tag}.{field}")

    def test_the_errors_before_keys_are_listed_in_their_order(self) -> None:
        """``ERR n`` means the same on both sides of the page."""
        for number, code in enumerate(EARLY_ERRORS, 1):
            self.assertIn(f"{number} ``{code}``", DOCUMENT.replace("\n", " "))
