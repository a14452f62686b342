"""The file that evidence goes into: written with the alarm, and checked by somebody else."""

import stat
from collections.abc import Sequence
from pathlib import Path

from chatserv.client import Alarm, Verdict, check_evidence
from chatserv.client.verification import evidence
from chatserv.client.verification.evidence import MAX_FILES
from chatserv.testing.memory_server import server_id
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import AttackCase, Tap, idle_leaf, log_leaf, signed_head


class FileTests(AttackCase):
    """A server shows alice two logs."""

    def shows(self, person: Person, leaves: Sequence[bytes]) -> bytes:
        """A head over these leaves, signed for one person."""
        head = signed_head(leaves, self.world.server.now_ms())
        Tap(person).send(messages.LogHead(len(leaves), b"", head))
        self.world.settle(2)
        return head

    def other_log(self, size: int | None = None) -> list[bytes]:
        """The log with another leaf at the second place; of this size."""
        leaves = list(self.world.server.store._leaves)
        leaves[1] = idle_leaf("other").encode()
        return leaves[:size]

    def file(self, person: Person) -> Path:
        """The file that the alarm names."""
        alarm, *_ = [each for each in person.events(Alarm) if each.what == "log_forked"]
        return Path(alarm.file)

    def checked(self, size: int | None, verdict: Verdict) -> None:
        """Shows alice another log of this size; her file is for her alone, and proves to anybody what it is."""
        theirs = self.shows(self.alice, self.other_log(size))
        path = self.file(self.alice)
        self.assertEqual(self.alice.profile.directory, path.parent)
        self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))
        finding = check_evidence(path.read_bytes())
        self.assertEqual((verdict, server_id()), (finding.verdict, finding.server_id))
        self.assertIn(theirs[8:40], [head.root for head in finding.heads])

    def test_checked_by_somebody(self) -> None:
        """It is a file for us alone, in the profile, and proves to anybody which server has signed what."""
        self.checked(None, Verdict.TWO_ROOTS)

    def test_shorter_log_checked_by_somebody(self) -> None:
        """The same of a log that is not as long as the other."""
        self.checked(3, Verdict.REWRITTEN)

    def test_everybody(self) -> None:
        """Whoever is shown the heads by a member has a file of their own."""
        self.shows(self.alice, self.other_log())
        self.world.settle(40)
        for person in (self.bob, self.carol):
            self.assertTrue(check_evidence(self.file(person).read_bytes()).verdict.proves)

    def test_after_a_restart(self) -> None:
        """The alarm of an earlier run names the same file; one that was moved away is not named."""
        self.shows(self.alice, self.other_log())
        path = self.file(self.alice)
        self.alice.leave_the_machine()
        self.alice.come_back()
        self.assertEqual(path, self.file(self.alice))
        self.alice.leave_the_machine()
        path.unlink()
        self.alice.come_back()
        (alarm,) = self.alice.events(Alarm)
        self.assertEqual(("", 2), (alarm.file, len(alarm.evidence)))

    def test_what_nobody_can_check(self) -> None:
        """Leaves that do not give a signed root are found by us alone: there is no file that would prove nothing."""
        leaves = list(self.world.server.store._leaves)
        head = signed_head([*leaves, idle_leaf("signed").encode()], self.world.server.now_ms())
        Tap(self.alice).send(messages.LogHead(len(leaves), idle_leaf("shown").encode(), head))
        self.world.settle(2)
        (alarm,) = self.alice.events(Alarm)
        self.assertEqual(("log_forked", ""), (alarm.what, alarm.file))

    def shown_another(self) -> None:
        """Alice is on another log than the others, who go on; she finds that by a commit that was checked against theirs."""
        own = list(self.world.server.store._leaves)
        other = [*own, idle_leaf("for alice").encode()]
        tap = Tap(self.alice, lambda message: () if isinstance(message, messages.LogHead) else (message,))
        tap.send(messages.LogHead(len(own), other[-1], signed_head(other, self.world.server.now_ms())))
        log_leaf(self.world, idle_leaf("for the others"))
        self.bob.do(self.bob.room("lobby").rotate())
        self.world.settle(3)

    def test_gathered(self) -> None:
        """Who finds it by somebody's commit, which is no proof for others, asks for the other log: that is one."""
        self.shown_another()
        first, *_, second = self.alice.events(Alarm)
        self.assertEqual(("log_forked", "log_forked", ""), (first.what, second.what, first.file))
        finding = check_evidence(Path(second.file).read_bytes())
        self.assertEqual(Verdict.REWRITTEN, finding.verdict)
        self.assertEqual(2, len(second.evidence))

    def test_gathered_no_more_than_that(self) -> None:
        """A log without end is not gathered."""
        self.patch(evidence, "MAX_GATHERED", 3)
        self.shown_another()
        self.assertEqual([""] * 2, [alarm.file for alarm in self.alice.events(Alarm)])

    def test_bound(self) -> None:
        """So many files are in a profile; with one more than that nothing is written, and the alarm comes."""
        for number in range(MAX_FILES):
            (self.alice.profile.directory / f"evidence-{number}.json").touch()
        self.shows(self.alice, self.other_log())
        (alarm,) = self.alice.events(Alarm)
        self.assertEqual("", alarm.file)
        self.assertEqual(MAX_FILES, len(list(self.alice.profile.directory.glob("evidence-*"))))

    def test_not_written(self) -> None:
        """A disk that takes no file costs the file alone."""
        self.patch(Path, "replace", _refuse)
        self.shows(self.alice, self.other_log())
        self.assertEqual(["log_forked"], [alarm.what for alarm in self.alice.events(Alarm)])
        self.assertEqual("", self.alice.events(Alarm)[0].file)


def _refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")
