"""Every text that a user sees goes through `_`; the catalogues live in ``locale/``."""

import gettext
from pathlib import Path

_LOCALE_DIR = Path(__file__).parent / "locale"
_translations = gettext.translation("chatserv", _LOCALE_DIR, fallback=True)


def _(message: str) -> str:
    """The text in the language of ``LANGUAGE``, ``LC_ALL``, ``LC_MESSAGES`` or ``LANG``; as written where there is none."""
    return _translations.gettext(message)


def N_(message: str) -> str:  # noqa: N802 - the name that every extraction tool knows
    """Marks a text for extraction without translating it yet, for class attributes and tables."""
    return message
