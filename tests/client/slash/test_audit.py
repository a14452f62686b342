"""``/audit``: the words for everything that the log can say, and the bounds."""

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Audit, AuditEntry, PersonAudit, Slash, SlashError
from chatserv.client.slash.audit import MAX_ENTRIES, MAX_LINES
from chatserv.clocks import now_ms
from tests.client.slash_fakes import AT_MS, FakeClient

DEVICE = b"\xdd" * 16
PRINT = b"\xf1" * 32


def entry(kind: str, **fields: Any) -> AuditEntry:
    """Something that the log says."""
    return AuditEntry(kind, 1, AT_MS, PRINT, **fields)


class AuditTests(SynchronousTestCase):
    """Alice asks."""

    def setUp(self) -> None:
        """Somebody of whom the log says nothing."""
        self.client = FakeClient()
        self.me = PersonAudit("alice", "", ())
        self.others: list[PersonAudit] = []
        self.fields: dict[str, Any] = {}

    def lines(self, line: str = "/audit") -> list[str]:
        """What is shown."""

        async def audit() -> Audit:
            made = Audit(7, b"\xab" * 32, now_ms(), (), False, "", (self.me, *self.others))
            return replace(made, **self.fields)

        async def person(user: str) -> PersonAudit:
            return next(each for each in (self.me, *self.others) if each.user == user)

        self.patch(self.client, "audit", audit)
        self.patch(self.client.people, "audit", person)
        found: list[str] = []
        slash = Slash(self.client)  # type: ignore[arg-type]
        Deferred.fromCoroutine(slash.run(line)).addCallback(found.extend)
        return found

    def said(self, each: AuditEntry, *, own: bool = False) -> str:
        """The words for one thing."""
        if own:
            self.me = PersonAudit("alice", "", (each,))
            return self.lines()[-1]
        self.others = [PersonAudit("bob", "verified", (each,))]
        return self.lines("/audit bob")[-1]

    def test_others(self) -> None:
        """What the log says about somebody else; a warning where nobody but the server says so."""
        for wanted, each in (
            ("identity f1f1f1f1f1f1f1f1, the first one", entry("identity")),
            ("device dddddddd, certificate f1f1f1f1f1f1f1f1", entry("device", device_id=DEVICE)),
            ("certificate f1f1f1f1f1f1f1f1  (this one)", entry("device", device_id=DEVICE, current=True)),
            ("device ?, certificate f1f1f1f1f1f1f1f1", entry("device")),
            ("device dddddddd revoked, certificate f1f1f1f1f1f1f1f1", entry("revoked", device_id=DEVICE)),
            ("identity f1f1f1f1f1f1f1f1, signed with the previous one", entry("rotated", signed=True)),
            ("WARNING: identity f1f1f1f1f1f1f1f1, NOT signed", entry("rotated", signed=False)),
            ("whether it is signed with the previous one is not known yet", entry("rotated")),
            ("WARNING: identity f1f1f1f1f1f1f1f1, new by an administrator's word: compare", entry("reset")),
            ("the account was deleted by its owner", entry("gone", signed=True)),
            ("the server says so, its owner did not sign it", entry("gone", signed=False)),
            ("who says so is not known yet", entry("gone")),
        ):
            self.assertIn(wanted, self.said(each))

    def test_ourselves(self) -> None:
        """What we did not do ourselves has a warning each."""
        for wanted, each in (
            ("certificate f1f1f1f1f1f1f1f1: a device that this device did not know", entry("device", known=False)),
            ("which is not the one of this device", entry("identity", known=False)),
            ("which this device did not know, NOT signed", entry("rotated", known=False, signed=False)),
            ("which this device did not know, by an administrator's word", entry("reset", known=False)),
            ("this device was revoked", entry("revoked", known=False)),
            ("the account was deleted", entry("gone", known=False)),
        ):
            text = self.said(each, own=True)
            self.assertIn(wanted, text)
            self.assertIn("WARNING: ", text)
        self.assertNotIn("WARNING", self.said(entry("reset"), own=True))

    def test_log(self) -> None:
        """Size, root and age; a key that is announced; what was found out."""
        self.assertRegex(self.lines()[0], "^The server's log: 7 entries, signed .*, root abababababababab$")
        self.assertEqual(2, len(self.lines()))
        self.fields = {"signed_ms": AT_MS, "server_ids": (bytes(32),), "proven": True, "file": "/home/a/evidence.json"}
        text = "\n".join(self.lines())
        for wanted in ("WARNING: that is more than a day ago", "another key of the server: 0000-", "proven to break"):
            self.assertIn(wanted, text)
        self.assertIn("/home/a/evidence.json", text)

    def test_order(self) -> None:
        """People of whom the log says something out of the ordinary come first."""
        usual = (entry("identity"), entry("device"))
        self.others = [PersonAudit(name, "unverified", usual) for name in ("bob", "carol")]
        self.others += [PersonAudit("dave", "changed", usual), PersonAudit("eve", "verified", (entry("revoked"),))]
        headings = [line.split(" ")[0] for line in self.lines()[2:] if not line.startswith(" ")]
        self.assertEqual(["dave", "eve", "bob", "carol"], headings)

    def test_bounds(self) -> None:
        """So many entries of a person, and so many lines of all; the rest is counted."""
        self.me = PersonAudit("alice", "", (entry("device"),) * (MAX_ENTRIES + 1))
        lines = self.lines()
        self.assertEqual("  (older entries: 1)", lines[2])
        self.assertEqual(3 + MAX_ENTRIES, len(lines))
        self.me = PersonAudit("alice", "", ())
        self.others = [PersonAudit(f"user{n}", "unverified", (entry("device"),) * 2) for n in range(MAX_LINES // 3 + 1)]
        self.assertEqual(2 + MAX_LINES + 1, len(self.lines()))
        self.assertEqual("People who are not shown here: 1. /audit USER", self.lines()[-1])
        self.fields = {"omitted": 9}
        self.assertEqual("People who are not shown here: 10. /audit USER", self.lines()[-1])
        self.others.pop()
        self.assertEqual("People who are not shown here: 9. /audit USER", self.lines()[-1])

    def test_hostile_names(self) -> None:
        """Nothing in a name can forge a line."""
        self.others = [PersonAudit("bob\n\x1b[2JYou:", "unverified", ())]
        self.assertEqual(1, sum(line.startswith("You:") for line in self.lines()))
        self.assertNotIn("\x1b", "".join(self.lines()))

    def test_nobody(self) -> None:
        """Somebody of whom the log says nothing."""
        slash, errors = Slash(FakeClient()), list[Any]()  # type: ignore[arg-type]
        Deferred.fromCoroutine(slash.run("/audit zoe")).addErrback(errors.append)
        self.assertIsInstance(errors[0].value, SlashError)
        self.assertIn("nobody named zoe", errors[0].value.explain())
