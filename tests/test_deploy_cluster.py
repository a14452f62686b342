"""The examples in ``deploy/cluster/`` are what the programs that read them understand."""

import re
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.settings_loading import load
from chatserv.settings_sources import Sources
from tests.support.postgres import cluster

DEPLOY = Path(__file__).parents[1] / "deploy"
HERE = DEPLOY / "cluster"


class SettingsTests(SynchronousTestCase):
    """``node.toml`` and ``node.conf``."""

    def test_settings(self) -> None:
        """They are understood without a warning; the node's own address is among those of all."""
        loaded = load(Sources(HERE / "node.toml"))
        self.assertEqual((), loaded.warnings)
        config = loaded.config
        self.assertEqual(config.addresses, config.cluster.addresses)
        self.assertEqual(config.server.advertise, config.cluster.advertise[0])
        self.assertTrue(config.cluster.is_set)

    def test_drop_in(self) -> None:
        """It changes nothing of the unit but where settings and state are, each instance its own."""
        unit, drop_in = (path.read_text() for path in (DEPLOY / "chatserv.service", HERE / "node.conf"))
        (starts,) = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
        self.assertIn(f"ExecStart=\nExecStart={starts.replace('settings.toml', '%i.toml')}\n", drop_in)
        for name, value in re.findall(r"^(\w+)=(.+)$", drop_in, re.MULTILINE):
            self.assertRegex(unit, rf"(?m)^{name}=")
            self.assertTrue("%i" in value or name == "RestartSec", name)


class PostgresTests(SynchronousTestCase):
    """``postgresql.conf`` and ``pg_hba.conf``."""

    def test_settings(self) -> None:
        """PostgreSQL knows each of them, and what has to be on is on."""
        found = dict(re.findall(r"^(\w+) = (\S.*?)(?: +#.*)?$", (HERE / "postgresql.conf").read_text(), re.MULTILINE))
        known = str(cluster().ask("SELECT string_agg(name, ' ') FROM pg_settings")).split()
        self.assertEqual([], sorted(found.keys() - set(known)))
        self.assertEqual({found[name] for name in ("fsync", "full_page_writes", "synchronous_commit", "ssl")}, {"on"})
        self.assertTrue(found["synchronous_standby_names"].startswith("'ANY 1 ("))

    def test_access(self) -> None:
        """Nobody gets in without TLS and a password."""
        lines = [line.split() for line in (HERE / "pg_hba.conf").read_text().splitlines() if line[:1] not in {"#", ""}]
        self.assertEqual({(line[0], line[-1]) for line in lines}, {("hostssl", "scram-sha-256")})


class RestartTests(SynchronousTestCase):
    """``rolling-restart``, with a command in place of ssh."""

    def restart(self, answers: str) -> tuple[int, list[str]]:
        """Its exit code, and what was done where; ``answers``: the hosts whose node comes back."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        remote = directory / "remote"
        remote.write_text(
            f'#!/bin/sh\necho "$*" >>{directory}/done\ncase "$2" in systemctl) exit 0;; esac\n'
            f"case ' {answers} ' in *\" $1 \"*) exit 0;; esac\nexit 1\n"
        )
        remote.chmod(0o700)
        script = (HERE / "rolling-restart").read_text().replace("sleep 1", "sleep 0")
        done = subprocess.run(
            ["sh", "-s", "a", "b", "c"],
            input=script,
            env={"RUN": str(remote), "PAUSE": "0", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, list(dict.fromkeys((directory / "done").read_text().splitlines()))

    def test_in_turn(self) -> None:
        """Each node is restarted once the one before serves again."""
        code, done = self.restart("a b c")
        self.assertEqual(code, 0)
        both = "systemctl restart chatserv", "/opt/chatserv/bin/chatserv status"
        self.assertEqual(done, [f"{host} {what}" for host in "abc" for what in both])

    def test_one_does_not_come_back(self) -> None:
        """Then the others stay as they are."""
        code, done = self.restart("a")
        self.assertEqual((code, done[-1]), (1, "b /opt/chatserv/bin/chatserv status"))
