"""All lies, by what they are about."""

from typing import Final

from tests.liar import accounts, keys, log, messages, rooms

LIES: Final = (*messages.LIES, *rooms.LIES, *keys.LIES, *log.LIES, *accounts.LIES)
