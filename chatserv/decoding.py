"""What msgspec says of bytes that are not what they should be: who decodes what others have written expects it all."""

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Not the form; a text that is not UTF-8; nested more deeply than Python's stack (what is skipped can be, too)."""
