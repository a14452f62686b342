"""Pins: first sight, verification, and changes that nobody can overlook."""

from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.state.pins import Pin, Pins, PinState
from chatserv.client.state.transparency_log import TransparencyLog
from chatserv.client.storage.vault import Vault
from chatserv.crypto.log_leaves import LeafType, user_leaf
from chatserv.errors import KeyChanged, NotFound
from tests.support.rooms import NOW_MS, SERVER_ID, World

FIRST, SECOND, THIRD = (bytes([number]) * 32 for number in (1, 2, 3))


class FakeCopy:
    """A log copy that has what a `World` logs."""

    def __init__(self) -> None:
        self.world = World()

    @property
    def facts(self) -> Any:
        """The table."""
        return self.world.facts

    @property
    def size(self) -> int:
        """All of it."""
        return self.world.size

    def name(self, user: str, fingerprint: bytes, kind: LeafType = LeafType.RESET) -> None:
        """Another identity for a user; the first one is a leaf of type 1 whatever is asked for."""
        known = self.world.facts.identities(user, self.size)
        self.world.log(user_leaf(kind if known else LeafType.UIK, SERVER_ID, user, fingerprint, b"", NOW_MS))

    def decide(self, *, signed: bool) -> None:
        """Whether the last rotation is signed."""
        self.world.facts.decide(*self.world.facts.undecided(self.size), signed=signed)


class PinTests(SynchronousTestCase):
    """`Pins`."""

    def setUp(self) -> None:
        """Somebody whose identity is in the log."""
        self.vault = Vault.open(None)
        self.addCleanup(self.vault.close)
        self.log = FakeCopy()
        self.log.name("bob", FIRST)
        self.pins = Pins(self.vault.pins, cast(TransparencyLog, self.log))

    def look(self, now_ms: int = 10) -> Pin:
        """Looks at bob."""
        pin = self.pins.look("bob", now_ms)
        assert pin is not None
        self.assertEqual(self.vault.pins.get("bob"), pin)
        return pin

    def test_first_sight(self) -> None:
        """The identity that the log names is pinned at first sight, and the pin stays as it is."""
        self.assertEqual(self.look(10), Pin("bob", FIRST, PinState.UNVERIFIED, 10))
        self.assertEqual(self.look(20).seen_ms, 10)

    def test_nobody(self) -> None:
        """Somebody whom the log does not know has no pin."""
        self.assertIsNone(self.pins.look("carol", 10))
        self.assertEqual(self.vault.pins.all(), [])
        self.assertRaises(NotFound, self.pins.verify, "carol")
        self.assertRaises(NotFound, self.pins.accept, "carol")

    def test_verify(self) -> None:
        """Whoever was compared is verified, and stays so."""
        self.look()
        self.assertEqual(self.pins.verify("bob"), Pin("bob", FIRST, PinState.VERIFIED, 10))
        self.assertEqual(self.look(20).state, PinState.VERIFIED)

    def test_change(self) -> None:
        """A reset, or a rotation that nobody signed, makes the pin CHANGED until it is accepted; nothing may be sent."""
        for kind in (LeafType.RESET, LeafType.ROTATE):
            for verified in (False, True):
                self.setUp()
                self.look()
                if verified:
                    self.pins.verify("bob")
                self.log.name("bob", SECOND, kind)
                if kind is LeafType.ROTATE:
                    self.log.decide(signed=False)
                changed = Pin("bob", FIRST, PinState.CHANGED, 20, SECOND, verified)
                self.assertEqual((self.look(20), self.look(30)), (changed, changed))
                self.assertEqual(self.pins.changed_among(["bob"]), ["bob"])
                self.assertRaises(KeyChanged, self.pins.verify, "bob")

    def test_rotation(self) -> None:
        """The pin goes along with a rotation that is signed, in the state that it was in; until that is known it stays."""
        for verified in (False, True):
            self.setUp()
            before = self.look()
            if verified:
                before = self.pins.verify("bob")
            self.log.name("bob", SECOND, LeafType.ROTATE)
            self.assertEqual((self.look(20), self.pins.changed_among(["bob"])), (before, ["bob"]))
            self.log.decide(signed=True)
            self.assertEqual(self.look(30), Pin("bob", SECOND, before.state, 30))
            self.assertEqual([], self.pins.changed_among(["bob"]))

    def test_rotation_at_first_sight(self) -> None:
        """Somebody whose rotation is not known to be signed is not pinned yet."""
        self.log.name("carol", FIRST)
        self.log.name("carol", SECOND, LeafType.ROTATE)
        self.assertIsNone(self.pins.look("carol", 10))
        self.log.decide(signed=True)
        self.assertEqual(self.pins.look("carol", 10), Pin("carol", SECOND, PinState.UNVERIFIED, 10))

    def test_change_before_a_look(self) -> None:
        """A change counts as soon as the log has it: nothing may be sent, and nobody can be marked verified."""
        self.look()
        self.assertEqual(self.pins.changed_among(["bob"]), [])
        self.log.name("bob", SECOND)
        self.assertEqual(self.pins.changed_among(["bob"]), ["bob"])
        self.assertRaises(KeyChanged, self.pins.verify, "bob")

    def test_accept(self) -> None:
        """An accepted identity is the pin, unverified even where the old one was verified."""
        self.look()
        self.pins.verify("bob")
        self.log.name("bob", SECOND)
        self.look(20)
        accepted = Pin("bob", SECOND, PinState.UNVERIFIED, 20)
        self.assertEqual(self.pins.accept("bob"), accepted)
        self.assertEqual((self.look(30), self.pins.changed_among(["bob"])), (accepted, []))
        self.assertEqual(self.pins.verify("bob").fingerprint, SECOND)

    def test_accept_nothing(self) -> None:
        """Where nothing has changed there is nothing to accept."""
        self.look()
        self.assertRaises(NotFound, self.pins.accept, "bob")

    def test_what_was_looked_at(self) -> None:
        """An identity that came after the one that a person looked at is neither accepted nor verified in its place."""
        self.look()
        self.assertRaises(KeyChanged, self.pins.verify, "bob", SECOND)
        self.log.name("bob", SECOND)
        self.look(20)
        self.log.name("bob", THIRD)
        self.assertEqual(self.look(30), Pin("bob", FIRST, PinState.CHANGED, 30, THIRD))
        self.assertRaises(KeyChanged, self.pins.accept, "bob", SECOND)
        self.assertEqual(self.pins.accept("bob", THIRD).fingerprint, THIRD)
        self.assertEqual(self.pins.verify("bob", THIRD).state, PinState.VERIFIED)

    def test_change_again_after_accepting(self) -> None:
        """A third identity after an accepted second one is a change again."""
        self.look()
        self.log.name("bob", SECOND)
        self.look(20)
        self.log.name("bob", THIRD)
        self.pins.accept("bob")
        self.assertEqual(self.pins.changed_among(["bob"]), ["bob"])
        self.assertEqual(self.look(30), Pin("bob", SECOND, PinState.CHANGED, 30, THIRD))

    def test_change_back(self) -> None:
        """The pinned identity in force again restores what the pin was; what was seen in between was no accident."""
        for verified in (False, True):
            self.setUp()
            self.look()
            if verified:
                self.pins.verify("bob")
            self.log.name("bob", SECOND)
            self.assertEqual(self.look(20).state, PinState.CHANGED)
            self.log.name("bob", THIRD)
            self.look(30)
            self.log.name("bob", FIRST)
            state = PinState.VERIFIED if verified else PinState.UNVERIFIED
            self.assertEqual(self.look(40), Pin("bob", FIRST, state, 40))
            self.assertEqual(self.pins.changed_among(["bob"]), [])

    def test_gone(self) -> None:
        """An account that is gone changes no pin."""
        pin = self.look()
        self.log.world.gone("bob")
        self.assertEqual((self.look(20), self.pins.changed_among(["bob"])), (pin, []))
        self.assertIsNone(Pins(Vault.open(None).pins, cast(TransparencyLog, self.log)).look("bob", 30))

    def test_among(self) -> None:
        """Of several users those who have changed are named, in the order in which they were asked about."""
        for user in ("alice", "carol"):
            self.log.name(user, FIRST)
            self.pins.look(user, 10)
        self.look()
        for user in ("carol", "bob"):
            self.log.name(user, SECOND)
        self.assertEqual(self.pins.changed_among(["bob", "nobody", "alice", "carol"]), ["bob", "carol"])

    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.sampled_from(("look", "accept", "verify", FIRST, SECOND, THIRD)), max_size=12))
    def test_never_silent(self, steps: list[str | bytes]) -> None:
        """Whatever happens, something may be sent only while the log names the identity that was seen first or accepted."""
        vault, log = Vault.open(None), FakeCopy()
        pins = Pins(vault.pins, cast(TransparencyLog, log))
        log.name("bob", FIRST)
        pins.look("bob", 0)
        named = agreed = FIRST
        offered: bytes | None = None
        for step in steps:
            if isinstance(step, bytes):
                log.name("bob", step)
                named = step
            elif step == "look":
                pins.look("bob", 0)
                offered = None if named == agreed else named
            elif step == "verify":
                if offered is None and named == agreed:
                    pins.verify("bob")
                else:
                    self.assertRaises(KeyChanged, pins.verify, "bob")
            elif offered is None:
                self.assertRaises(NotFound, pins.accept, "bob")
            else:
                agreed, offered = pins.accept("bob").fingerprint, None
            self.assertEqual(pins.changed_among(["bob"]), [] if named == agreed and offered is None else ["bob"])
        vault.close()
