"""The recovery code: 160 random bits as people write them down, with a check in each group (docs/crypto.rst).

Eight groups of five characters of Crockford's base 32, which has no I, L, O and U. Four of a group are 20 bits of the code;
the fifth is ``place + 2 a + 4 b + 8 c + 16 d`` in GF(32) (by x^5 + x^2 + 1), where ``place`` is that of the group, from 0.
So one wrong character in a group, two that changed places, and two groups that did are found, and where. Small letters, O
for 0, I and L for 1, and signs between do no harm.
"""

from typing import Final

from chatserv.errors import ChatError
from chatserv.i18n import N_, _

CODE_BYTES: Final = 20
GROUPS: Final = 8
GROUP_LETTERS: Final = 5
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PREFIX: Final = "CHATSERV-RECOVERY:"

_LETTERS: Final = GROUPS * GROUP_LETTERS
_DATA_LETTERS: Final = GROUP_LETTERS - 1
_POLYNOMIAL: Final = 0b100101
_APART: Final = " -\t\r\n.,_" + "".join(map(chr, (0x00A0, 0x2010, 0x2013, 0x2014)))  # a no-break space, three dashes
_READ_AS: Final = str.maketrans("OIL", "011", _APART)


class CodeMistyped(ChatError):
    """A recovery code that nobody was shown; the detail says where it is wrong, and never what it is."""

    code = "code_mistyped"
    text = N_("There is a typing error in the recovery code: {what}.")

    def explain(self) -> str:
        """What is wrong, and where."""
        return super().explain().format(what=self.detail)


def _times_two(value: int, times: int) -> int:
    for _again in range(times):
        value <<= 1
        if value > 31:
            value ^= _POLYNOMIAL
    return value


def _check(place: int, values: list[int]) -> int:
    check = place
    for at, value in enumerate(values):
        check ^= _times_two(value, at + 1)
    return check


def show_code(code: bytes) -> str:
    """The code as it is shown: eight groups with a hyphen between, 47 characters."""
    number = int.from_bytes(code, "big")
    values = [number >> 5 * at & 31 for at in reversed(range(GROUPS * _DATA_LETTERS))]
    groups = [values[at : at + _DATA_LETTERS] for at in range(0, len(values), _DATA_LETTERS)]
    return "-".join(
        "".join(ALPHABET[value] for value in (*group, _check(place, group))) for place, group in enumerate(groups)
    )


def read_code(text: str) -> bytes:
    """The 20 bytes of a code that somebody typed, pasted or scanned.

    Raises:
        CodeMistyped: It is none; says which group is wrong, or how many characters are missing.
    """
    typed = text.strip().upper().removeprefix(PREFIX).translate(_READ_AS)
    strange = next((each for each in typed if each not in ALPHABET), None)
    if strange is not None:
        raise CodeMistyped(_("“{character}” is in no recovery code").format(character=strange))
    if len(typed) != _LETTERS:
        wanted = _("it has {count} characters; {wanted} are needed")
        raise CodeMistyped(wanted.format(count=len(typed), wanted=_LETTERS))
    values = [ALPHABET.index(each) for each in typed]
    number, wrong = 0, []
    for place in range(GROUPS):
        *group, check = values[place * GROUP_LETTERS : (place + 1) * GROUP_LETTERS]
        if check != _check(place, group):
            wrong.append(str(place + 1))
        for value in group:
            number = number << 5 | value
    if wrong:
        raise CodeMistyped(_("look at group {groups} of {all}").format(groups=", ".join(wrong), all=GROUPS))
    return number.to_bytes(CODE_BYTES, "big")


def code_qr_text(code: bytes) -> str:
    """The code for a QR code of capitals and digits."""
    return PREFIX + show_code(code).replace("-", "")
