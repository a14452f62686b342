"""Mentions: ``@name`` in a text."""

import re
from collections.abc import Iterable
from typing import Final

from chatserv.domain.names import user_name
from chatserv.errors import NameInvalid

MAX_MENTIONS: Final = 50
_CALL = re.compile(r"(?<![\w@])@([^\s@#/:,!*?]{1,64})")


def mentioned_names(text: str, users: Iterable[str]) -> tuple[str, ...]:
    """Those of ``users`` (canonical names) whom a text calls, in order of name, at most `MAX_MENTIONS`.

    Signs at the end of a name (``@bob.``) are not part of it unless somebody is called so.
    """
    there, found = set(users), set()
    for call in _CALL.findall(text):
        for name in (call, call.rstrip(".;)]}'\"")):
            try:
                canonical = user_name(name) if name else ""
            except NameInvalid:
                continue
            if canonical in there:
                found.add(canonical)
                break
    return tuple(sorted(found)[:MAX_MENTIONS])
