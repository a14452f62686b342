"""Tests of mentions."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.mentions import MAX_MENTIONS, mentioned_names

USERS = ("alice", "al", "alice-b", "bob", "émile", "謝謝", "田中", "김철수", "דניאל", "สมชาย", "nadia_k")

CALLS = {
    "@alice": "alice",
    "@alice's idea": "alice",
    "@alice\u2019s idea": "alice",
    "@alice…": "alice",
    "hello (@alice), and “@bob”": "alice bob",
    "谢谢@alice。": "alice",
    "谢谢@alice谢谢": "alice",
    "¡@alice! ¿@bob?": "alice bob",
    "@alice@bob": "alice",
    "@ALICE @Bob": "alice bob",
    "@alice, @bob": "alice bob",
    "＠alice": "alice",  # noqa: RUF001
    "@e\u0301mile @ÉMILE": "émile",
    "@alice-b @alice-c": "alice alice-b",
    "@al-": "al",
    "@alice—@bob": "alice bob",
    "**@alice** _x_ `@bob`": "alice bob",
    "<@alice>|@bob|": "alice bob",
    "@alice🔥@bob": "alice bob",
    "@田中さん、@田中様": "田中",
    "@김철수는 @alice님": "alice 김철수",
    "@สมชายครับ": "สมชาย",
    "@謝謝你": "謝謝",
    "@דניאל, שלום": "דניאל",
    "@nadia_k.": "nadia_k",
    "\u2068@alice\u2069 @bob\u200b": "alice bob",
}
NO_CALLS = (
    "@alicea @alic @ALICEÉ @alice_ @alice2",
    "mail@alice 1@alice x_@bob",
    "@@alice",
    "alice bob",
    "@",
    "@alice\u0301",  # another letter than e
    "@דניאלה",
    "@nadia_kk",
)


class MentionTests(SynchronousTestCase):
    """Who is called by a text."""

    def test_calls(self) -> None:
        """The longest known name that stands behind the sign, whatever stands around it."""
        for text, expected in CALLS.items():
            self.assertEqual(" ".join(mentioned_names(text, USERS)), expected, text)

    def test_no_calls(self) -> None:
        """Part of a longer word, an address, nobody known."""
        for text in NO_CALLS:
            self.assertEqual(mentioned_names(text, USERS), (), text)

    def test_bounded(self) -> None:
        """At most so many people."""
        users = [f"user{number}" for number in range(MAX_MENTIONS + 1)]
        self.assertEqual(len(mentioned_names(" ".join(f"@{user}" for user in users), users)), MAX_MENTIONS)

    @given(st.text(max_size=5), st.sampled_from(USERS), st.text(max_size=5))
    def test_any_text(self, before: str, user: str, after: str) -> None:
        """Only people who are known are called, in order and once, whatever the text."""
        found = mentioned_names(f"{before}@{user}{after}", USERS)
        self.assertLessEqual(set(found), set(USERS))
        self.assertEqual(list(found), sorted(set(found)))
