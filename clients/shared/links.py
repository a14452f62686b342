"""Links in what people write: where they stand, and what may be given to the program that opens them."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

import idna

MAX_URL_CHARACTERS: Final = 2048  # longer ones are text
MAX_LINKS: Final = 20  # of one text
WEB: Final = ("http", "https")
MAIL: Final = "mailto"

# Not in a link: spaces, what encloses links in texts, and what cannot be seen or changes the direction of what follows.
_LINK: Final = re.compile(
    r"(?<![A-Za-z0-9_@/.])(?:https?://|mailto:)[^\s<>\"`\\^{}|\x00-\x20\x7f-\xa0\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffc\ufffd]+",
    re.IGNORECASE,
)
_LAST: Final = "/#&%@*"  # signs that a link may end with, though sentences do so, too
_ENDS_SENTENCES: Final = ("Po", "Pf", "Pi")  # by their general category
_BRACKETS: Final = {")": "(", "]": "["}
_SAFE: Final = "/:@%&=+,;?~-._!*"  # of RFC 3986; what means something to a shell is escaped although none is asked


@dataclass(frozen=True)
class Link:
    """A link that may be opened.

    Attributes:
        url: In ASCII, without any sign that could be an option or an order.
        goes_to: The host or the address, as a person has to know it: in ASCII, so that no letter looks like another one.
    """

    url: str
    goes_to: str

    @property
    def mail(self) -> bool:
        """Whether it is written to rather than looked at."""
        return self.url.startswith(f"{MAIL}:")


def links(text: str) -> list[tuple[int, int]]:
    """Where links stand in a text that is clean already, as (begin, end), in order; `MAX_LINKS` at most."""
    found = []
    for match in _LINK.finditer(text):
        if (
            len(match[0]) > MAX_URL_CHARACTERS
        ):  # or somebody's brackets, which are counted one by one, hold the screen up
            continue
        begin, end = match.start(), _end(match[0]) + match.start()
        if link(text[begin:end]) is not None:
            found.append((begin, end))
        if len(found) == MAX_LINKS:
            break
    return found


def _end(text: str) -> int:
    """Where a link ends: signs of the sentence around it are none of it, brackets that it has opened are."""
    end = len(text)
    while end:
        last = text[end - 1]
        opening = _BRACKETS.get(last)
        kind = unicodedata.category(last)
        inside = text[:end].count(opening) >= text[:end].count(last) if opening is not None else kind != "Pe"
        if inside and (kind not in _ENDS_SENTENCES or last in _LAST):
            break
        end -= 1
    return end


def link(text: str) -> Link | None:
    """What a link leads to; None for one that is not opened: of another scheme, without a host, with a name before it."""
    if len(text) > MAX_URL_CHARACTERS:
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme == MAIL:
        address = quote(parts.path, safe="@+-._~,")
        return Link(f"{MAIL}:{address}", address) if re.fullmatch(r"[^@,]+@[^@,]+", address) else None
    if scheme not in WEB or "@" in parts.netloc:
        return None
    ascii_host = _ascii(host)
    if not ascii_host:
        return None
    where = ascii_host if port is None else f"{ascii_host}:{port}"
    path, query, fragment = (quote(each, safe=_SAFE) for each in (parts.path, parts.query, parts.fragment))
    url = f"{scheme}://{where}{path}" + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")
    return Link(url, where)


def _ascii(host: str) -> str:
    """A host as it is asked for in the DNS; empty for none."""
    if ":" in host:
        return f"[{host}]" if re.fullmatch(r"[0-9a-fA-F:.]+", host) else ""
    try:
        found = idna.encode(host, uts46=True).decode() if not host.isascii() else host
    except idna.IDNAError:
        return ""
    return found.lower() if re.fullmatch(r"[0-9A-Za-z_]([0-9A-Za-z._-]*[0-9A-Za-z_.])?", found) else ""
