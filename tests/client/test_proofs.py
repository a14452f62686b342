"""Everything that a device keeps can be proved to somebody who was not there, and nothing else."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.storage.proofs import KeptProof
from chatserv.client.storage.stored_message import StoredMessage
from chatserv.client.verification.proofs import ProofVerifier
from chatserv.crypto.bodies import decode_body
from chatserv.crypto.content import Content, ContentType
from chatserv.crypto.e2e.proof import Proof
from chatserv.errors import Reject
from chatserv.testing.world import Person, World

MOVES = ("say", "edit", "delete", "react", "unreact", "anew")
WORDS = "the eagle lands at nine"


class ProofCase(SynchronousTestCase):
    """Alice and bob in the lobby."""

    def setUp(self) -> None:
        """Both are there."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.people = [
            self.world.person(name, admin=name == "alice") for name in ("alice", "bob")
        ]

    def verifier(self, person: Person) -> ProofVerifier:
        """What somebody checks with, who has the certificates."""
        context = person.client.engine.context
        verifier = ProofVerifier(context.server_id, context.log.facts)
        for (cert_hash,) in context.vault.database.all("SELECT cert_hash FROM certificates"):
            stored = person.client.engine.certificates.stored(cert_hash)
            self.assertEqual(verifier.learn(stored.certificate, stored.identity_spki), cert_hash)
        return verifier

    def kept(self, person: Person, room: str = "lobby") -> Iterator[tuple[StoredMessage, list[KeptProof]]]:
        """Each message of a room, with what proves it."""
        vault, room_id = person.client.engine.context.vault, person.room(room)._room.room_id
        for position, seq in vault.database.all("SELECT position, seq FROM messages WHERE room_id = ?", (room_id,)):
            message = vault.archive.get(room_id, seq)
            assert message is not None
            yield message, vault.archive.proofs.of(position)

    def check(self, person: Person) -> None:
        """What is shown follows from what is proved."""
        verifier, archive = self.verifier(person), person.client.engine.context.vault.archive
        for message, proofs in self.kept(person):
            said = {}
            for each in proofs:
                proven = verifier.verify(each.proof, message.room_id)
                self.assertEqual((proven.sender, proven.content.ctype), (each.sender, each.ctype))
                said[each.sender, each.ctype, each.detail] = decode_body(each.ctype, proven.content.body)
            if message.deleted:
                self.assertEqual([each.ctype for each in proofs], [ContentType.DELETE])
                continue
            first, edit = (message.sender, int(ContentType.TEXT), ""), (message.sender, int(ContentType.EDIT), "")
            self.assertEqual(said.pop(first), decode_body(ContentType.TEXT, message.body))
            if message.edited_body is not None:
                self.assertEqual(said.pop(edit).text.encode(), message.edited_body)  # type: ignore[union-attr]
            shown = {
                (user, on)
                for on, users in archive.reactions(message.room_id, message.message_id).items()
                for user in users
            }
            proved = {(user, emoji) for (user, _, emoji), body in said.items() if body.on}  # type: ignore[union-attr]
            self.assertEqual(shown, proved)


class KeptTests(ProofCase):
    """What is kept of what is said."""

    @settings(max_examples=15, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(MOVES)), max_size=8))
    def test_proved(self, moves: list[tuple[int, str]]) -> None:
        """Whatever two people do, both keep proofs of what they are shown: of others, and of their own."""
        for who, move in moves:
            person = self.people[who]
            lobby = person.room("lobby")
            last = next((each for each in reversed(lobby.history()) if not each.deleted), None)
            if move == "anew":
                person.leave_the_machine()
                person.come_back()
            elif move == "say" or last is None:
                person.say("lobby", "something")
            elif move == "edit" and last.own:
                person.do(lobby.edit(last.message_id, f"{last.text}!"))
            elif move == "delete" and (last.own or who == 0):
                person.do(lobby.delete(last.message_id))
            elif move in {"react", "unreact"}:
                person.do(lobby.react(last.message_id, "+1", on=move == "react"))
            self.world.settle()
        for person in self.people:
            self.check(person)

    def test_first_of_an_epoch(self) -> None:
        """A message that carries the sender's view of the log proves itself with it, byte for byte."""
        self.bob.say("lobby", "first")
        self.world.settle()
        (message, (kept,)), *_ = self.kept(self.alice)
        self.assertIsNotNone(Content.decode(kept.proof.content).head)
        self.assertEqual(Proof.decode(kept.proof.encode()), kept.proof)
        (own, (of_bob,)), *_ = self.kept(self.bob)
        self.assertEqual((own.message_id, of_bob.proof), (message.message_id, kept.proof), "both keep the same bytes")

    def test_no_words(self) -> None:
        """What was taken back is in no proof."""
        self.bob.say("lobby", WORDS)
        self.world.settle()
        lobby = self.bob.room("lobby")
        said = lobby.message("-1", own=True).message_id
        self.bob.do(lobby.edit(said, f"{WORDS} and a quarter"))
        self.bob.do(lobby.delete(said))
        self.world.settle()
        for person in self.people:
            rows = person.client.engine.context.vault.database.all("SELECT proof FROM proofs")
            self.assertEqual([len(rows), any(WORDS.encode() in proof for (proof,) in rows)], [1, False])


class VerifyTests(ProofCase):
    """What does not stand up to the check."""

    def setUp(self) -> None:
        """Bob has said something."""
        super().setUp()
        self.bob.say("lobby", "hello")
        self.world.settle()
        (self.message, (kept,)), *_ = self.kept(self.alice)
        self.proof, self.room_id = kept.proof, self.message.room_id

    def test_each_byte(self) -> None:
        """No byte of a proof can be another one, but for the reuse guard, which nobody signs."""
        verifier, encoded = self.verifier(self.alice), self.proof.encode()
        self.assertEqual(verifier.verify(self.proof, self.room_id).sender, "bob")
        guard = range(33, 37)
        for at in (at for at in range(len(encoded)) if at not in guard):
            changed = encoded[:at] + bytes([encoded[at] ^ 1]) + encoded[at + 1 :]
            with self.assertRaises(Reject, msg=f"byte {at}"):
                verifier.verify(Proof.decode(changed), self.room_id)

    def test_another(self) -> None:
        """Of another room, of another's device, or without its certificate."""
        verifier = self.verifier(self.alice)
        self.assertRaises(Reject, verifier.verify, self.proof, bytes(16))
        others = replace(self.proof, cert_hash=self.alice.client.engine.context.cert_hash)
        self.assertRaises(Reject, verifier.verify, others, self.room_id)
        empty = ProofVerifier(self.alice.client.engine.context.server_id, self.alice.client.engine.context.log.facts)
        self.assertRaises(Reject, empty.verify, self.proof, self.room_id)

    def test_not_in_the_log(self) -> None:
        """A certificate that was made for somebody and never logged counts for nothing."""
        other = World(self.mktemp())
        self.addCleanup(other.close)
        other.person("alice", admin=True)
        stored = self.bob.client.keyring
        facts = other.people[0].client.engine.context.log.facts
        verifier = ProofVerifier(stored.server_id, facts)
        error = self.assertRaises(Reject, verifier.learn, stored.certificate, stored.identity_spki())
        self.assertIn("the log has no such device of bob", error.detail)
