"""Private team chat: the server, and the library that its clients share."""

from typing import Final

VERSION: Final = "0.1.0"
