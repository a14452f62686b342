"""Tests of `clients.window.actions.devices` and its dialogs, in the whole window."""

from chatserv.client import DeviceAsks, DeviceGone, RotationDone
from chatserv.client.device_list import OwnDevice
from chatserv.client.errors import Interrupted, NotFound
from chatserv.client.recovery.approvals import DeviceRequest
from clients.window.dialogs.approval import HOLD_SECONDS
from tests.client.slash_fakes import AT_MS, DEVICE_IDS
from tests.clients.window.test_application import ApplicationTestCase

WORDS = "ice turkey dish hundred butter until"
GUEST = DeviceRequest(b"g" * 16, WORDS, "CHATSERV-ENROL:AAAA", AT_MS)
OTHER = DeviceRequest(b"h" * 16, "abandon ability able about above absent", "CHATSERV-ENROL:BBBB", AT_MS)


class DeviceCase(ApplicationTestCase):
    """Alice's window, which is connected; no device waits."""

    def setUp(self) -> None:
        """Whoever has a recovery code is not told of it."""
        super().setUp()
        self.online()
        self.client.devices.waiting = ()
        self.client.account.recovery = "set"


class ListTests(DeviceCase):
    """The list of devices."""

    def setUp(self) -> None:
        """It is open."""
        super().setUp()
        self.show()

    def show(self) -> None:
        """Opens it."""
        self.application.actions.devices.show()
        self.update()

    def mark(self, at: int) -> None:
        """Marks a row."""
        (tree,) = self.parts("Treeview")
        tree.selection_set(tree.get_children()[at])
        self.update()

    @property
    def rows(self) -> list[str]:
        """What stands in the list."""
        (tree,) = self.parts("Treeview")
        return [str(tree.item(each, "text")) for each in tree.get_children()]

    def test_facts(self) -> None:
        """Each with its name and state; below what is known of the marked one: at first of this device."""
        self.assertEqual(self.rows, ["aa0 · this device", "aa1"])
        for words in ("First seen: 2025-10-09", "Last seen: now", "Has your identity key", "Id: aa110000"):
            self.assertIn(words, self.dialog_text)
        self.mark(1)
        for words in ("Last seen: 2025-10-09", "Does not have your identity key", "Id: aa220000"):
            self.assertIn(words, self.dialog_text)

    def test_open_rotation(self) -> None:
        """A key that has still to be renewed is told; when it has been, no more."""
        self.client.devices.rotation_open = ("old phone",)
        self.show()
        self.assertIn("The identity key that old phone had is still in use", self.dialog_text)
        self.client.devices.rotation_open = ()
        self.tell(RotationDone())
        self.assertNotIn("still in use", self.dialog_text)

    def test_rename(self) -> None:
        """This one; what is refused is told."""
        self.press("Rename this device…")
        (field,) = self.parts("TEntry")
        self.assertEqual(field.get(), "aa0")
        field.delete(0, "end")
        field.insert(0, "laptop ")
        self.key("<Return>", field)
        self.assertEqual((self.client.calls[-1], self.dialog_title), (("rename", "laptop"), "Devices"))

    def test_revoke(self) -> None:
        """It asks, with what it means; Delete asks too, and Escape is no answer."""
        self.mark(1)
        self.press("Revoke…")
        self.assertIn("Revoke aa1? It can never log in again", self.dialog_text)
        self.assertIn("could know your password, change that too", self.dialog_text)
        self.assertNotIn("identity key", self.dialog_text)
        self.key("<Escape>")
        self.assertNotIn(("revoke", DEVICE_IDS[1]), self.client.calls)
        self.key("<Delete>", self.parts("Treeview")[0])
        self.press("Revoke")
        self.assertEqual(self.client.calls[-1], ("revoke", DEVICE_IDS[1]))
        self.pass_time()
        self.assertIn("aa1 is revoked", self.chat)

    def test_meanings(self) -> None:
        """A holder of the identity key, this very device, one's only one with and without a recovery code."""
        self.mark(0)
        self.press("Revoke…")
        for words in ("using now", "gets renewed", "new recovery code"):
            self.assertIn(words, self.dialog_text)
        self.key("<Escape>")
        self.client.people.device_ids = DEVICE_IDS[:1]
        for recovery, words in (("set", "only with your recovery code"), ("none", "nothing brings it back")):
            self.client.account.recovery = recovery
            self.show()
            self.press("Revoke…")
            self.assertIn("ONLY device", self.dialog_text)
            self.assertNotIn("your password", self.dialog_text)
            self.assertIn(words, self.dialog_text)
            self.key("<Escape>")
        self.client.people.indispensable = True
        self.press("Revoke…")
        self.press("Revoke it anyway")
        self.assertIn("without an administrator", self.dialog_text)

    def test_not_connected(self) -> None:
        """Why there is no list stands where it would."""

        async def fail() -> list[OwnDevice]:
            raise Interrupted

        self.client.devices.list = fail  # type: ignore[method-assign]
        self.show()
        self.assertIn("connection", self.dialog_text.lower())
        self.assertEqual(self.rows, [])


class ApprovalTests(DeviceCase):
    """New devices that ask."""

    def ask(self, *requests: DeviceRequest) -> None:
        """They do."""
        self.client.devices.waiting = requests
        self.tell(*(DeviceAsks(each.device_id, each.words) for each in requests))

    def read(self) -> None:
        """As long as nobody can answer a dialog that has come by itself."""
        self.pass_time(HOLD_SECONDS + 0.1)

    def settle(self, device_id: bytes) -> None:
        """One waits no more."""
        self.client.devices.waiting = tuple(each for each in self.client.devices.waiting if each.device_id != device_id)
        self.tell(DeviceGone(device_id))

    def test_words_and_code(self) -> None:
        """They are shown at once; Return alone approves nothing, and the identity key stays here unless it is wanted."""
        self.ask(GUEST)
        self.assertEqual(self.dialog_title, "A new device")
        self.assertIn(WORDS, " ".join(self.dialog_text.split()))
        self.assertEqual(len(self.parts("Canvas")), 1)
        self.key("<Return>", self.dialog())
        self.assertEqual((self.dialog_title, self.client.calls), ("A new device", []))
        self.key("<Escape>", self.dialog())
        self.application.actions.devices.show_waiting()
        self.key("<Return>", self.dialog())
        self.assertEqual((self.dialog_title, self.client.calls), ("", []))
        self.application.actions.devices.show_waiting()
        self.press("They are the same: approve")
        self.assertEqual(self.client.calls[-1], ("approve", GUEST.device_id, False))
        self.pass_time()
        self.assertIn("enters your rooms by itself", self.chat)

    def test_identity_key(self) -> None:
        """It is handed over where that is asked for."""
        self.ask(GUEST)
        self.assertIn("whoever takes it", self.dialog_text)
        (check,) = self.parts("TCheckbutton")
        check.invoke()
        self.read()
        self.press("They are the same: approve")
        self.assertEqual(self.client.calls[-1], ("approve", GUEST.device_id, True))

    def test_refuse(self) -> None:
        """That says what else to do."""
        self.ask(GUEST)
        self.read()
        self.press("Refuse")
        self.assertEqual(self.client.calls[-1], ("refuse_device", GUEST.device_id))
        self.pass_time()
        self.assertIn("change your password", self.chat)

    def test_put_off(self) -> None:
        """It is not shown again by itself, the menu does; the line of the menu is there while somebody waits."""
        self.ask(GUEST)
        self.press("Later")
        label = "New device that is waiting…"
        fill = self.application.menus.of_account.fill
        self.assertEqual(self.menu(fill)[label], "normal")
        self.application.actions.devices.show_waiting()
        self.assertEqual(self.dialog_title, "A new device")
        self.settle(GUEST.device_id)
        self.assertEqual((self.dialog_title, self.menu(fill)[label]), ("", "disabled"))

    def test_several(self) -> None:
        """One after the other; one that is gone gives way to the next, and words that change are shown."""
        self.ask(GUEST, OTHER)
        self.assertIn("ice", self.dialog_text)
        changed = DeviceRequest(GUEST.device_id, "zoo " * 5 + "zone", GUEST.qr, AT_MS)
        self.client.devices.waiting = (changed, OTHER)
        self.tell(DeviceAsks(changed.device_id, changed.words))
        self.assertIn("zone", self.dialog_text)
        self.settle(GUEST.device_id)
        self.assertIn("abandon", self.dialog_text)
        self.settle(OTHER.device_id)
        self.assertIsNone(self.dialog())

    def held(self) -> list[bool]:
        """Whether the answers of the dialog cannot be given at the moment: approve, refuse, later."""
        dialog = self.application.actions.devices.approving
        assert dialog is not None
        return [each.instate(["disabled"]) for each in dialog.made_buttons]

    def test_a_click_meant_for_another(self) -> None:
        """A dialog that comes by itself, above all in the place of another, takes no answer for a moment; then it does."""
        held, free = [True, True, False], [False] * 3
        self.client.devices.waiting = (GUEST, OTHER)
        self.client.tell(DeviceAsks(GUEST.device_id, GUEST.words))
        self.update()
        self.assertEqual(self.held(), held)
        self.read()
        self.assertEqual(self.held(), free)
        self.client.devices.waiting = (OTHER,)
        self.client.tell(DeviceGone(GUEST.device_id))
        self.update()
        self.assertIn("abandon", self.dialog_text)
        self.press("They are the same: approve")
        self.press("Refuse")
        self.assertEqual((self.held(), self.client.calls), (held, []))
        self.pass_time(HOLD_SECONDS - 0.2)
        self.assertEqual(self.held(), held)
        self.pass_time(0.4)
        self.press("They are the same: approve")
        self.assertEqual(self.client.calls[-1], ("approve", OTHER.device_id, False))

    def test_one_after_the_other(self) -> None:
        """The second click of a pair, new words, and the menu while one is there: held. What the menu opens alone is not."""
        self.ask(GUEST, OTHER)
        changed = DeviceRequest(GUEST.device_id, "zoo " * 5 + "zone", GUEST.qr, AT_MS)
        self.read()
        self.client.devices.waiting = (changed, OTHER)
        self.client.tell(DeviceAsks(changed.device_id, changed.words))
        self.assertEqual(self.held()[:2], [True, True])
        self.read()
        self.application.actions.devices.show_waiting()
        self.assertEqual(self.held()[:2], [True, True])
        self.read()
        self.press("They are the same: approve")
        self.assertIn("abandon", self.dialog_text)
        self.assertEqual(self.held()[:2], [True, True])
        self.press("Later")
        self.read()
        self.application.actions.devices.show_waiting()
        self.assertEqual(self.held(), [False] * 3)

    def test_closed_while_held(self) -> None:
        """Nothing is left to be done to a dialog that is no more."""
        before = self.reactor.getDelayedCalls()
        self.client.devices.waiting = (GUEST,)
        self.client.tell(DeviceAsks(GUEST.device_id, GUEST.words))
        self.update()
        self.press("Later")
        soon = self.reactor.seconds() + HOLD_SECONDS * 0.75
        new = [each for each in self.reactor.getDelayedCalls() if each not in before and each.getTime() > soon]
        self.assertEqual(new, [])

    def test_gone_meanwhile(self) -> None:
        """What cannot be done is told in the dialog."""

        async def gone(device_id: bytes, *, hand_over: bool = False) -> None:
            del device_id, hand_over
            raise NotFound("device")

        self.client.devices.approve = gone  # type: ignore[method-assign]
        self.ask(GUEST)
        self.read()
        self.press("They are the same: approve")
        self.assertIn("does not wait any more", self.dialog_text)
        self.press("Later")

    def test_whoever_types_is_not_interrupted(self) -> None:
        """The dialog comes without the keyboard; none of its parts has it."""
        self.context.layout.entry.focus_in()
        self.update()
        self.ask(GUEST)
        self.assertNotIn(self.root.focus_get(), self.parts("TButton") + self.parts("TCheckbutton"))
