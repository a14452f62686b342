"""The recovery code: what is forgiven, and what a typing error is told."""

from itertools import combinations

from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.e2e.recovery_code import (
    ALPHABET,
    CODE_BYTES,
    GROUP_LETTERS,
    GROUPS,
    CodeMistyped,
    code_qr_text,
    read_code,
    show_code,
)
from tests.support.mutations import Dice

CODE = bytes(range(CODE_BYTES))


class CodeTests(SynchronousTestCase):
    """Both ways."""

    def refused(self, typed: str) -> str:
        """Why a text is no code."""
        return str(self.assertRaises(CodeMistyped, read_code, typed).explain())

    def test_both_ways(self) -> None:
        """160 bits come back, whatever they are."""
        dice = Dice(self.id())
        for code in (bytes(20), b"\xff" * 20, *(bytes(dice.below(256) for _ in range(20)) for _ in range(200))):
            shown = show_code(code)
            self.assertRegex(shown, r"\A([0-9A-HJKMNP-TV-Z]{5}-){7}[0-9A-HJKMNP-TV-Z]{5}\Z")
            self.assertEqual(read_code(shown), code)

    def test_forgiven(self) -> None:
        """Small letters, O and I and L, other signs between or none, and the text of the QR code."""
        shown = show_code(CODE)
        letters = shown.replace("-", "")
        self.assertIn("0", shown)
        self.assertIn("1", shown)
        for typed in (
            shown.lower(),
            letters,
            " ".join(letters),
            "\n " + shown.replace("-", " \N{EN DASH} ") + " \r\n",
            shown.replace("0", "o").replace("1", "l"),
            shown.replace("0", "O").replace("1", "I"),
            code_qr_text(CODE),
            code_qr_text(CODE).lower(),
        ):
            self.assertEqual(read_code(typed), CODE, typed)

    def test_every_wrong_character(self) -> None:
        """One wrong character, anywhere, is found, and its group is named, alone."""
        letters = show_code(CODE).replace("-", "")
        for at, right in enumerate(letters):
            for wrong in ALPHABET.replace(right, ""):
                said = self.refused(letters[:at] + wrong + letters[at + 1 :])
                self.assertIn(f"group {at // GROUP_LETTERS + 1} of {GROUPS}", said)

    def test_every_exchange(self) -> None:
        """Two characters of a group that changed places are found, and so are two groups, whatever stands in them."""
        dice = Dice(self.id())
        for _ in range(20):
            groups = show_code(bytes(dice.below(256) for _ in range(20))).split("-")
            for number, group in enumerate(groups):
                for one, other in combinations(range(GROUP_LETTERS), 2):
                    swapped = list(group)
                    swapped[one], swapped[other] = group[other], group[one]
                    if swapped != list(group):
                        said = self.refused("-".join([*groups[:number], "".join(swapped), *groups[number + 1 :]]))
                        self.assertIn(f"group {number + 1} of", said)
            for one, other in combinations(range(GROUPS), 2):
                exchanged = list(groups)
                exchanged[one], exchanged[other] = groups[other], groups[one]
                self.assertIn(f"group {one + 1}, {other + 1} of", self.refused("-".join(exchanged)))

    def test_length_and_characters(self) -> None:
        """Too much, too little, nothing, and what is in no code are told as what they are, without the code."""
        shown = show_code(CODE)
        self.assertIn("39 characters; 40", self.refused(shown[:-1]))
        self.assertIn("41 characters; 40", self.refused(shown + "A"))
        self.assertIn("0 characters", self.refused(" - "))
        self.assertIn("“U”", self.refused(shown.replace(shown[0], "u", 1)))
        self.assertIn("“\N{CYRILLIC CAPITAL LETTER A}”", self.refused("\N{CYRILLIC SMALL LETTER A}" + shown[1:]))
        self.assertNotIn(shown[6:], self.refused(shown[:-1] + ("A" if shown[-1] != "A" else "B")))
