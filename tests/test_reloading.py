"""Reading settings and certificate anew: all of it or nothing, and what is said of it."""

import json
import socket
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.task import Clock
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from chatserv import reloading
from chatserv.errors import ChatError
from chatserv.live_settings import LiveSettings
from chatserv.local_errors import SettingsError
from chatserv.net.certificates import Certified, ServedCertificate, load_certified
from chatserv.net.keys import load_tls
from chatserv.reloading import LOOK_SECONDS, Reloaded, Reloading
from chatserv.settings_loading import load
from chatserv.settings_sources import Sources
from chatserv.state_directory import StateDirectory
from tests.support.authority import Authority, certificate, ec_key, pem

NOTHING = Reloaded((), (), "", ())


class ReloadingCase(SynchronousTestCase):
    """A server's settings, certificate and state directory."""

    def setUp(self) -> None:
        """Starts from a file."""
        self.state = StateDirectory(Path(self.mktemp()))
        self.addCleanup(self.state.release)
        self.authority = Authority(self.state.path / "authority")
        self.authority.issue()
        self.file = self.state.path / "settings.json"
        self.own = {"certificate": str(self.authority.chain), "key": str(self.authority.private)}
        self.lines: list[tuple[LogLevel, str]] = []
        self.patch(reloading.log, "observer", self._note)
        self.clock = Clock()
        self.begin(tls=self.own, limits={"rooms": 5})

    def _note(self, event: Any) -> None:
        self.lines.append((event["log_level"], event["log_format"].format(**event)))

    def begin(self, **tables: Any) -> None:
        """A start with these settings."""
        self.write(**tables)
        sources = Sources(self.file)
        config = load(sources).config
        self.settings = LiveSettings(config)
        self.served = ServedCertificate(load_certified(config, self.state))
        self.reloading = Reloading(sources, self.settings, self.served, self.state, self.clock)

    def write(self, **tables: Any) -> None:
        """Changes the file."""
        self.file.write_text(json.dumps(tables))

    def refused(self) -> ChatError:
        """The error; nothing has changed, and the log has one line of it."""
        config, certified, waiting = self.settings.config, self.served.certified, self.settings.waiting
        self.lines.clear()
        error: ChatError = self.assertRaises(ChatError, self.reloading.reload)
        self.assertEqual((config, waiting), (self.settings.config, self.settings.waiting))
        self.assertIs(certified, self.served.certified)
        said = f"settings are not taken, everything stays as it was: {error}"
        self.assertEqual([(LogLevel.error, said)], self.lines)
        return error


class ReloadTests(ReloadingCase):
    """What is taken."""

    def test_nothing_new(self) -> None:
        """The same files again change nothing."""
        self.assertEqual(NOTHING, self.reloading.reload())
        self.assertEqual([(LogLevel.info, "settings are read anew; changed: nothing")], self.lines)

    def test_changes(self) -> None:
        """What holds from now on, and what waits, are told apart; the log has both."""
        self.write(tls=self.own, limits={"rooms": 6, "counters": 9}, server={"host": "127.0.0.1", "port": 1})
        waits = ("server.host", "server.port", "limits.counters")
        problem = "the next start could not listen on 127.0.0.1:1: Permission denied"
        self.patch(reloading, "listen_problem", lambda _: "127.0.0.1:1: Permission denied")
        self.assertEqual(Reloaded(("limits.rooms",), waits, "", (problem,)), self.reloading.reload())
        self.assertEqual((6, waits), (self.settings.limits.rooms, self.settings.waiting))
        self.assertEqual(
            [
                (LogLevel.warn, problem),
                (LogLevel.info, "settings are read anew; changed: limits.rooms"),
                (LogLevel.warn, "until the next start wait: server.host, server.port, limits.counters"),
            ],
            self.lines,
        )

    def test_port_in_use(self) -> None:
        """A port of the next start that somebody has is told now; the one that we have ourselves is none of these."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.write(tls=self.own, limits={"rooms": 5}, server={"host": "127.0.0.1", "port": port})
            (warning,) = self.reloading.reload().warnings
            self.assertIn(f"127.0.0.1:{port}: Address already in use", warning)
            self.begin(tls=self.own, server={"host": "127.0.0.1", "port": port})
            self.assertEqual(NOTHING, self.reloading.reload())

    def test_certificate(self) -> None:
        """A renewed certificate at the same path is shown; certbot changes both files behind the same names."""
        issued = self.authority.issue()
        self.assertEqual(Reloaded((), (), str(self.authority.chain), ()), self.reloading.reload())
        self.assertEqual(issued, self.served.certified.certificate)
        self.assertEqual(NOTHING, self.reloading.reload())

    def test_certificate_and_settings(self) -> None:
        """Another path, and back to the server's own."""
        other = Authority(self.state.path / "other")
        other.issue(ends=3)
        self.write(tls={"certificate": str(other.chain), "key": str(other.private)}, limits={"rooms": 5})
        reloaded = self.reloading.reload()
        self.assertEqual(("tls.certificate", "tls.key"), reloaded.applied)
        self.assertIn("in 2 days", reloaded.warnings[0])
        self.write(limits={"rooms": 5})
        self.assertEqual(str(self.state.tls_certificate), self.reloading.reload().certificate)
        self.write(limits={"rooms": 5}, server={"advertise": "chat.example"})
        reloaded = self.reloading.reload()
        self.assertEqual(("server.advertise",), reloaded.applied)
        self.assertEqual(str(self.state.tls_certificate), reloaded.certificate)

    def test_log_file(self) -> None:
        """Another log file is tried before it is taken."""
        self.write(tls=self.own, limits={"rooms": 5}, logging={"file": "elsewhere/server.log"})
        self.assertEqual(("logging.file",), self.reloading.reload().applied)
        self.assertTrue((self.state.path / "elsewhere" / "server.log").exists())


class RefusedTests(ReloadingCase):
    """What is refused changes nothing."""

    def test_settings(self) -> None:
        """Wrong settings, though the rest of the file is good, and though the certificate is new."""
        self.authority.issue()
        for tables, key in (
            ({"limits": {"rooms": 7, "accounts": 0}}, "limits.accounts"),
            ({"limits": {"rooms": 7}, "sever": {}}, "sever"),
            ({"limits": {"rooms": 7}, "server": {"listen": ["nonsense:1"]}}, "server.listen"),
            ({"limits": {"rooms": 7}, "logging": {"file": "settings.json/server.log"}}, "logging.file"),
            ({"limits": {"rooms": 7, "sendq_hard_bytes": 70_000}}, "limits.sendq_soft_bytes"),
        ):
            self.write(tls=self.own, **tables)
            error = self.refused()
            assert isinstance(error, SettingsError)
            self.assertEqual(key, error.key)
        self.file.write_text("{\n")
        self.assertIn(f"{self.file}: line 2", str(self.refused()))
        self.file.unlink()
        self.assertIn("cannot be read", str(self.refused()))

    def test_certificate(self) -> None:
        """A certificate that does not fit its key, or has ended, or is gone; the settings that came with it wait too."""
        self.write(tls=self.own, limits={"rooms": 7})
        for spoil, words in (
            (lambda: self.authority.private.write_bytes(pem(ec_key())), "not the key of"),
            (lambda: self.authority.issue(begins=-9, ends=-1), "ended on"),
            (lambda: self.authority.issue(begins=1), "not valid before"),
            (self.authority.chain.unlink, "cannot be read"),
        ):
            spoil()
            self.assertIn(words, str(self.refused()))
        self.assertEqual(5, self.settings.limits.rooms)
        self.authority.issue()
        self.assertEqual(("limits.rooms",), self.reloading.reload().applied)

    def test_gone(self) -> None:
        """A file that was found at the start, and is gone, does not mean the defaults; one elsewhere takes its place."""
        places = self.state.path / "own", self.state.path / "system"
        for place in places:
            place.mkdir()
        own = places[0] / "settings.toml"
        own.write_text("limits.rooms = 5")
        sources = Sources(None, places)
        self.settings = LiveSettings(load(sources).config)
        self.served = ServedCertificate(load_certified(self.settings.config, self.state))
        self.reloading = Reloading(sources, self.settings, self.served, self.state, self.clock)
        own.unlink()
        self.assertIn(f"{own}: (file): is gone", str(self.refused()))
        (places[1] / "settings.json").write_text('{"limits": {"rooms": 6}}')
        self.assertEqual(("limits.rooms",), self.reloading.reload().applied)

    def test_own_certificate(self) -> None:
        """The server's own key, damaged, is told as at the start."""
        self.begin()
        self.state.tls_key.write_bytes(b"nothing")
        self.assertIn("does not parse", str(self.refused()))

    def test_ended_meanwhile(self) -> None:
        """The certificate that is shown already may have ended: settings are taken all the same, with a warning."""
        self.authority.issue(begins=-9, ends=-1)
        self.begin(tls=self.own, limits={"rooms": 5})
        self.write(tls=self.own, limits={"rooms": 6})
        reloaded = self.reloading.reload()
        self.assertEqual(("limits.rooms",), reloaded.applied)
        self.assertIn("ended on", reloaded.warnings[0])


class LookTests(ReloadingCase):
    """The daily look at the certificate."""

    def test_ends_soon(self) -> None:
        """From the start on, and each day, there is a warning in the log while it ends soon."""
        self.authority.issue(ends=5)
        self.begin(tls=self.own)
        self.reloading.start()
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual([LogLevel.warn] * 2, [level for level, _ in self.lines])
        self.assertIn("in 4 days; renew it", self.lines[0][1])
        self.reloading.stop()
        self.reloading.stop()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_own(self) -> None:
        """One of ours is made anew by itself, and shown, without a word of warning."""
        key, made = load_tls(self.state, [])
        name = made.subject.rfc4514_string().removeprefix("CN=")
        self.begin()
        old = certificate(name, key, name, key, ends=20)
        self.served.replace(Certified(key, old, (), self.state.tls_certificate, is_ours=True))
        self.state.tls_certificate.write_bytes(old.public_bytes(Encoding.PEM))
        self.reloading.start()
        self.assertNotEqual(old, self.served.certified.certificate)
        self.assertEqual([], self.lines)
        self.state.tls_key.write_bytes(b"nothing")
        self.clock.advance(LOOK_SECONDS)
        self.assertIn("cannot be made anew", self.lines[0][1])
        self.reloading.stop()
