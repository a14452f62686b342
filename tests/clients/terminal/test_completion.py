"""The Tab key."""

from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Client, Slash
from clients.terminal.completion import MAX_CANDIDATES, Completion, candidates
from tests.client.slash_fakes import FakeClient, member


class CandidatesTests(SynchronousTestCase):
    """`clients.terminal.completion.candidates`."""

    def setUp(self) -> None:
        """Alice's client."""
        self.client = FakeClient()
        self.slash = Slash(cast(Client, self.client))

    def lines(self, line: str) -> list[str]:
        """What the line may become."""
        replaced, found = candidates(line, self.slash)
        return [line[: len(line) - replaced] + each for each in found]

    def test_commands(self) -> None:
        """Commands and their arguments come from the table."""
        self.assertEqual(self.lines("/inv"), ["/invite ", "/invite-link "])
        self.assertEqual(self.lines("/room #p"), ["/room #plans"])

    def test_users(self) -> None:
        """A word may become the name of a member: with a colon where the line begins; never one's own."""
        self.assertEqual(self.lines("b"), ["bob: "])
        self.assertEqual(self.lines("ask Bo"), ["ask bob "])
        self.assertEqual(self.lines("@bo"), ["@bob "])
        self.assertEqual(self.lines("/me greets bo"), ["/me greets bob "])
        self.assertEqual(self.lines("al"), [])

    def test_users_elsewhere(self) -> None:
        """A command may name somebody who is in another room of ours; a text may not."""
        self.client.there["plans"].people.append(member("carol"))
        self.assertEqual(self.lines("/invite ca"), ["/invite carol"])
        self.assertEqual(self.lines("hello ca"), [])

    def test_rooms(self) -> None:
        """A word with a hash becomes a room."""
        self.assertEqual(self.lines("see #pl"), ["see #plans "])

    def test_spelling(self) -> None:
        """Case, width and composition do not count, nor does a sign in front of a name that has none."""
        self.client.there["plans"].people.append(member("émile"))
        self.client.add("Äpfel")
        found = {
            "/INV": ["/invite ", "/invite-link "],
            "/msg @b": ["/msg @bob"],
            "/MSG B": ["/msg bob"],
            "/room PL": ["/room #plans"],
            "/room #PL": ["/room #plans"],
            "/room B": ["/room @bob"],
            "/room #B": [],
            "/msg E\u0301M": ["/msg émile"],
            "/msg \uff22": ["/msg bob"],
            "see #a\u0308P": ["see #Äpfel "],
            "@BO": ["@bob "],
        }
        self.assertEqual({line: self.lines(line) for line in found}, found)

    def test_nothing(self) -> None:
        """An empty word becomes nothing, and there is no member where there is no room."""
        self.assertEqual([self.lines(line) for line in ("", "hello ", "/nonsense")], [[], [], []])
        self.client.there.clear()
        self.assertEqual(self.lines("bo"), [])

    def test_hostile(self) -> None:
        """A name that cannot be drawn as it is, is not offered."""
        self.client.add("x\x1b[2J")
        self.client.add("x\u202ey")
        self.assertEqual(self.lines("see #x"), [])

    def test_bounded(self) -> None:
        """So many are offered, and no more."""
        self.client.there["lobby"].people += [member(f"u{number:03}") for number in range(MAX_CANDIDATES + 1)]
        self.assertEqual(len(self.lines("u")), MAX_CANDIDATES)


class CompletionTests(SynchronousTestCase):
    """`clients.terminal.completion.Completion`."""

    def completion(self, *words: str) -> Completion:
        """Completes the last word."""

        def find(line: str) -> tuple[int, list[str]]:
            word = line.rpartition(" ")[2]
            return len(word), [each for each in words if each.startswith(word)]

        return Completion(find)

    def test_one(self) -> None:
        """One candidate is taken, none changes nothing."""
        self.assertEqual(self.completion("plans ").tab("see pl"), "see plans ")
        self.assertEqual(self.completion("x").tab("see pl"), "see pl")

    def test_several(self) -> None:
        """Of several, what they have in common is taken first; then each in turn, and again from the start."""
        completion = self.completion("bob", "bobby", "bona")
        line = "b"
        made = []
        for _ in range(5):
            line = completion.tab(line)
            made.append(line)
        self.assertEqual(made, ["bo", "bob", "bobby", "bona", "bob"])
        self.assertEqual(completion.tab("bob", -1), "bona")

    def test_backwards(self) -> None:
        """Shift-Tab begins with the last one."""
        completion = self.completion("ba", "bb")
        completion.tab("b")
        self.assertEqual(completion.tab("b", -1), "bb")

    def test_changed(self) -> None:
        """Where the line was changed in between, it begins anew."""
        completion = self.completion("bob", "bona", "carol")
        completion.tab("b")
        self.assertEqual(completion.tab("c"), "carol")
