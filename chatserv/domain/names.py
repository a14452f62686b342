"""User and room names: one spelling each (PRECIS), one script each, and none that looks like another (UTS 39)."""

import bisect
import json
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from precis_i18n import get_profile

from chatserv.errors import NameInvalid

LOBBY: Final = "lobby"  # the room that a server has from the first day, and everybody comes into
MAX_CHARACTERS = 32
MAX_BYTES = 64

_MAX_RAW_CHARACTERS = 8 * MAX_CHARACTERS  # composing shortens a text, but never by more than that
_RESERVED = frozenset("@#/:,!*?")  # mentions, rooms, slash commands, lists, masks of bans
_NO_SCRIPT = frozenset({"COMMON", "INHERITED"})
_WRITTEN_TOGETHER = (
    frozenset({"HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"HAN", "HANGUL"}),
    frozenset({"HAN", "BOPOMOFO"}),
)
_KEPT: Final = 1024  # names that were asked for last: a registration asks for its own again and again
_USERNAME = get_profile("UsernameCaseMapped")


@lru_cache(_KEPT)
def user_name(text: str) -> str:
    """The canonical form of a user name; two texts name the same account exactly if their canonical forms are equal.

    UsernameCaseMapped of RFC 8265 section 3.3, then 1 to 32 characters and at most 64 bytes of UTF-8, one script (UTS 39
    section 5.2, level "single script": Japanese, Korean and Bopomofo count as one each), digits of one system (section
    5.3), no combining mark in front (RFC 5891 section 4.2.3.2), and none of ``@ # / : , ! * ?``, which mean something to
    clients. Feeding a result back gives the same result.

    Args:
        text: What a person typed or a peer sent; lone surrogates and any length are refused, not an accident.

    Raises:
        NameInvalid: The detail says which rule refused it, and never repeats the text.
    """
    if len(text) > _MAX_RAW_CHARACTERS:
        raise NameInvalid(f"{len(text)} characters, at most {MAX_CHARACTERS} allowed")
    try:
        name = _USERNAME.enforce(text)
        size_bytes = len(name.encode())
    except UnicodeEncodeError as error:  # also what precis_i18n raises; "DISALLOWED/bidi_rule" and the like
        raise NameInvalid(f"PRECIS: {error.reason}") from None
    if len(name) > MAX_CHARACTERS:
        raise NameInvalid(f"{len(name)} characters, at most {MAX_CHARACTERS} allowed")
    if size_bytes > MAX_BYTES:
        raise NameInvalid(f"{size_bytes} bytes, at most {MAX_BYTES} allowed")
    if not _RESERVED.isdisjoint(name):
        raise NameInvalid("holds one of @ # / : , ! * ?")
    if unicodedata.category(name[0])[0] == "M":
        raise NameInvalid("starts with a combining mark")
    _check_scripts(name)
    return name


def room_name(text: str) -> str:
    """The canonical form of a public room's name, without the ``#`` that people write before it.

    The rules are those of `user_name`, and a tilde is no part of it: clients put one between a name that they have twice
    and a part of the room's id.

    Raises:
        NameInvalid: As `user_name`.
    """
    name = user_name(text.removeprefix("#"))
    if "~" in name:
        raise NameInvalid("a tilde")
    return name


def new_room_name(text: str) -> str:
    """`room_name`, for a room that is to have a name of its own from now on: see `check_beginning`.

    Raises:
        NameInvalid: As `room_name`, or for how it begins. Rooms that have such a name from before keep it.
    """
    name = room_name(text)
    check_beginning(name)
    return name


def check_beginning(name: str) -> None:
    """Raises `NameInvalid` unless a new name begins with a letter or a digit.

    Other systems take signs in front of a name for a rank, a target or an option.
    """
    category = unicodedata.category(name[0])
    if category[0] != "L" and category != "Nd":
        raise NameInvalid("begins with neither a letter nor a digit")


@lru_cache(_KEPT)
def skeleton(name: str) -> str:
    """What a name looks like: two names with the same skeleton can be taken for each other.

    The skeleton of UTS 39 section 4 (NFD, each character replaced by its prototype, NFD), taken to a fixed point with each
    character lower-cased, so that confusables collide in either case. To be stored beside a canonical name under a
    unique index; it is not a name and is never shown. Depends on the version of the confusables data: after an update of
    ``confusable-homoglyphs`` the stored ones are computed anew.

    Args:
        name: A result of `user_name` or `room_name`. (Another text works as well; ``I`` then looks like ``l``, although
            its lower case does not.)
    """
    prototypes = _prototypes()
    before, after = "", unicodedata.normalize("NFD", name)
    while after != before:
        before = after
        mapped = "".join(prototypes.get(character, character) for character in before)
        after = unicodedata.normalize("NFD", "".join(character.lower() for character in mapped))
    return after


def _check_scripts(name: str) -> None:
    scripts = {_script(character) for character in name} - _NO_SCRIPT
    if len(scripts) > 1 and not any(scripts <= together for together in _WRITTEN_TOGETHER):
        raise NameInvalid(f"mixes scripts: {', '.join(sorted(scripts))}")
    zeros = {ord(character) - unicodedata.decimal(character) for character in name if character.isdecimal()}
    if len(zeros) > 1:
        raise NameInvalid("mixes digits of several systems")


@cache
def _prototypes() -> dict[str, str]:
    """Each confusable character and its prototype; read when first asked for, so that clients which never ask do not pay.

    The package keeps each line ``source -> prototype`` of confusables.txt in both directions. A source has one prototype,
    and no prototype has one of its own, so the end with several partners is the prototype; where both have one partner,
    the source came first. Right-to-left entries stand between U+200E marks.
    """
    partners: dict[str, list[str]] = {
        key: [entry["c"] for entry in entries] for key, entries in _data("confusables.json").items()
    }
    position = {key: number for number, key in enumerate(partners)}
    prototypes = {}
    for source, (prototype, *others) in partners.items():
        bare = source.replace("\u200e", "")
        later = len(partners[prototype]) > 1 or position[source] < position[prototype]
        if not others and later and len(bare) == 1:
            prototypes[bare] = prototype.replace("\u200e", "")
    return prototypes


@cache
def _script_ranges() -> tuple[list[int], list[int], list[str]]:
    data = _data("categories.json")
    ranges = sorted(data["code_points_ranges"])
    names = data["iso_15924_aliases"]
    return (
        [first for first, *_ in ranges],
        [last for _, last, *_ in ranges],
        [names[alias] for _, _, alias, _ in ranges],
    )


@lru_cache(4096)  # names come from strangers
def _script(character: str) -> str:
    firsts, lasts, names = _script_ranges()
    at = bisect.bisect_right(firsts, ord(character)) - 1
    return names[at] if at >= 0 and ord(character) <= lasts[at] else "UNKNOWN"


def _data(file: str) -> dict[str, Any]:
    """A data file of confusable_homoglyphs, without the package's own loader, which obeys an environment variable."""
    parsed = json.loads(files("confusable_homoglyphs").joinpath(file).read_text("utf-8"))
    assert isinstance(parsed, dict)
    return parsed
