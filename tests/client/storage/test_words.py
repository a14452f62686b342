"""Full-text search over the archive."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.storage import words as words_module
from chatserv.client.storage.database import Database
from chatserv.client.storage.rooms import Standing
from chatserv.client.storage.stored_message import StoredMessage
from chatserv.client.storage.vault import Vault
from chatserv.client.storage.words import INDEX, MAX_QUERY, MAX_WORDS, WordIndex, words_of
from chatserv.crypto.bodies import Text
from tests.client.storage.test_database import empty_log
from tests.client.storage.test_messages import OTHER, ROOM, message
from tests.client.storage.test_tables import ROW


def saying(seq: int, text: str, room_id: bytes = ROOM) -> StoredMessage:
    """A message of a room with this text."""
    return structs.replace(message(seq), body=Text(text).encode(), room_id=room_id)


class SearchCase(SynchronousTestCase):
    """A vault with two rooms."""

    def setUp(self) -> None:
        """Both are ours."""
        self.path = Path(self.mktemp()).absolute()
        self.vault = Vault.open(self.path)
        self.addCleanup(lambda: self.vault.close())  # noqa: PLW0108 - the vault of that moment
        self.archive = self.vault.archive
        for room_id in (ROOM, OTHER):
            self.vault.rooms.put(replace(ROW, room_id=room_id, standing=Standing.IN))

    def found(self, query: str, room_id: bytes | None = None, limit: int = 50) -> list[int]:
        """The places of what is found."""
        return [each.seq for each in self.archive.search(query, room_id, limit)]


class SearchTests(SearchCase):
    """What is found."""

    def test_words(self) -> None:
        """A message is found by beginnings of its words, whatever their case, accents and order; the newest first."""
        self.archive.add(saying(1, "The Café opens at nine"))
        self.archive.add(saying(2, "nothing at all"))
        self.archive.add(saying(3, "cafeteria, at noon"))
        self.assertEqual(self.found("cafe"), [3, 1])
        self.assertEqual(self.found("OPEN the"), [1])
        self.assertEqual(self.found("fe"), [])
        self.assertEqual(self.found("at", limit=2), [3, 2])

    def test_scripts_without_spaces(self) -> None:
        """A part of a run of Chinese, Japanese, Korean or Thai is found, in either form of the ideographs."""
        said = (
            "明日の会議は三時です",
            "오늘회의는세시입니다",
            "พรุ่งนี้ประชุมสามโมง",
            "室A会议改到three点",
            "東京",
            "ﾃｽﾄです",
            "図書館",
        )
        for seq, text in enumerate(said, 1):
            self.archive.add(saying(seq, text))
        found = {
            "会议": [4, 1], "會議": [4, 1], "会議 三時": [1], "회의": [2], "세시": [2], "ประชุม": [3], "A会": [4], "thr": [4],
            "东京": [5], "京": [5], "テスト": [6], "图书馆": [7], "圖書館": [7], "議会": [], "의회": [],
        }  # fmt: skip
        self.assertEqual({query: self.found(query) for query in found}, found)

    def test_pictures(self) -> None:
        """An emoji is found, alone and among words; the form in which it is drawn does not count."""
        self.archive.add(saying(1, "well done🎉🎉 ❤\ufe0f"))
        self.archive.add(saying(2, "family \U0001f469\u200d\U0001f467"))
        found = {"🎉": [1], "done🎉": [1], "❤": [1], "❤\ufe0f": [1], "\U0001f469\u200d\U0001f467": [2], "🔥": []}
        self.assertEqual({query: self.found(query) for query in found}, found)

    def test_joiners(self) -> None:
        """A word is found with its joiners and without them."""
        self.archive.add(saying(1, "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"))
        for query in (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc",
        ):
            self.assertEqual(self.found(query), [1])

    def test_rooms(self) -> None:
        """One room is searched or all that we are in; what is said in a room that we have not agreed to stays unseen."""
        self.archive.add(saying(1, "plan"))
        self.archive.add(saying(2, "plan", OTHER))
        self.assertEqual(self.found("plan"), [2, 1])
        self.assertEqual(self.found("plan", ROOM), [1])
        for standing in (Standing.OFFERED, Standing.OUT):
            self.vault.rooms.put(replace(ROW, room_id=OTHER, standing=standing))
            self.assertEqual(self.found("plan"), [1])

    def test_edited_and_deleted(self) -> None:
        """The newest text counts, and what was taken back is not found."""
        self.archive.add(saying(1, "first"))
        self.archive.mark_edited(ROOM, message(1).message_id, Text("second").encode(), 5)
        self.assertEqual((self.found("first"), self.found("second")), ([], [1]))
        self.archive.mark_deleted(ROOM, message(1).message_id)
        self.assertEqual(self.found("second"), [])

    def test_old_messages_leave(self) -> None:
        """What the archive drops is not found any more."""
        self.archive.retention._limit = 2
        for seq in (1, 2, 3):
            self.archive.add(saying(seq, "same"))
        self.assertEqual(self.found("same"), [3, 2])
        self.archive.clear(ROOM)
        self.assertEqual(self.found("same"), [])

    def test_nothing_to_search(self) -> None:
        """Signs alone find nothing."""
        self.archive.add(saying(1, '"* OR NEAR('))
        self.assertEqual(self.found('"*'), [])
        self.assertEqual(self.found("near or"), [1])

    def test_bounded(self) -> None:
        """Words above the bound are left out."""
        self.assertEqual(len(words_of("word " * (MAX_WORDS + 1))), MAX_WORDS)
        self.assertEqual(len(words_of("会" * (MAX_QUERY + 1))[0].split()), MAX_QUERY)

    @settings(max_examples=50, deadline=None)
    @given(st.text(max_size=40))
    def test_any_query(self, query: str) -> None:
        """No text breaks the search."""
        database = Database.open(None)
        try:
            index = WordIndex(database)
            index.put(1, query)
            expression = index.expression(query)
            if expression:
                database.all("SELECT rowid FROM words WHERE words MATCH ?", (expression,))
        finally:
            database.close()


class FileTests(SearchCase):
    """What stays in the file."""

    def test_indexed_later(self) -> None:
        """A file that nobody has indexed, or an earlier version, is indexed when it is opened."""
        for seq in range(1, 4):
            self.archive.add(saying(seq, f"会議{seq}"))
        for change in (
            "DELETE FROM facts WHERE key = 'words_indexed'",
            "UPDATE facts SET value = x'01' WHERE key = 'words_indexed'",
        ):
            self.vault.database.write("UPDATE words SET text = 'nothing'")
            self.vault.database.write(change)
            self.vault.close()
            self.vault = Vault.open(self.path)
            self.assertEqual([each.seq for each in self.vault.archive.search("会議2", None, 9)], [2])
            self.assertEqual(self.vault.facts.get("words_indexed"), INDEX)

    def test_taken_back_leaves_the_file(self) -> None:
        """After the program has ended, the words of what was taken back are nowhere in the file."""
        self.archive.add(saying(1, "xylophone"))
        self.archive.add(saying(2, "zeppelins"))
        self.archive.mark_deleted(ROOM, message(1).message_id)
        self.vault.close()
        kept = self.path.read_bytes()
        self.vault = Vault.open(self.path)
        self.assertEqual([word in kept for word in (b"xylophone", b"zeppelins")], [False, True])

    def test_taken_back_in_slices(self) -> None:
        """While the program runs the index is merged in slices; what is deleted between two of them is gone as well."""
        self.patch(words_module, "SLICE_PAGES", 1)
        said = ["xylophones", "yesterdays", "zeppelins"]
        for seq in range(1, 401):
            words = [f"{seq}word{each}" for each in range(20)]
            self.archive.add(saying(seq, " ".join(said[seq - 1 : seq] + words)))
        slices = 0
        for taken_back in (1, 2):
            self.archive.mark_deleted(ROOM, message(taken_back).message_id)
            self.assertEqual(self.kept(*said)[taken_back - 1 :], [True] * (4 - taken_back))
            while self.archive.words.clean_some():
                slices += 1
                if slices == 2:
                    break
        self.assertGreater(slices, 4)
        self.assertEqual(self.kept(*said), [False, False, True])

    def kept(self, *words: str) -> list[bool]:
        """Whether these are anywhere in the file."""
        empty_log(self.vault.database)
        kept = b"".join(each.read_bytes() for each in self.path.parent.glob(f"{self.path.name}*"))
        return [word.encode() in kept for word in words]
