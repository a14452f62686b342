"""Every shell example of the handbook and of the tutorial, in order, in a fresh home, with what it prints."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.processes import free_port

TOP: Final = Path(__file__).resolve().parents[2]
PROGRAMS: Final = Path(sys.executable).parent
SECONDS: Final = 900
MARK: Final = "\x01"

# What needs root, systemd, cron or a package index. Paths of the machine (/etc, /opt, ...) lie below $MACHINE.
STAND_INS: Final = {
    "sudo": r"""
        for word; do
            case $word in /opt/* | /etc/* | /var/* | /usr/*) word=$MACHINE$word ;; esac
            set -- "$@" "$word"; shift
        done
        export CHATSERV__SERVER__PORT=$OTHER_PORT CHATSERV__METRICS__LISTEN=127.0.0.1:$OTHER_METRICS
        export XDG_CONFIG_HOME=$MACHINE/etc
        exec "$@"
        """,
    "useradd": r"""
        [ "$1 ${*: -1}" = "--system chatserv" ]
        """,
    "apt-get": r"""
        [ "$*" = "install --yes python3-venv curl" ]
        """,
    # An environment is what this checkout's programs are in; its pip looks at what it is told to install.
    "python3": r"""
        [ "$1 $2 $#" = "-m venv 3" ] || exit 64
        mkdir -p "$3/bin"
        for program in chatserv chatserv-client twistd; do ln -sf "$PROGRAMS/$program" "$3/bin/"; done
        ln -sf "$STAND_INS/pip" "$3/bin/pip"
        """,
    "pip": r"""
        [ "$1 $2" = "install --quiet" ] || exit 64
        case "${*:3}" in
            "--no-deps .") [ -f pyproject.toml ] ;;
            "--require-hashes --requirement "*) grep -q sha256: "$5" ;;
            *) exit 64 ;;
        esac
        """,
    # It runs what a unit of the tree runs, with the unit's paths below $MACHINE.
    "systemctl": r"""
        units=$MACHINE/etc/systemd/system
        line() { sed -n "s#^$1=##p" "$units/$2" | sed "s# /# $MACHINE/#g; s#^/#$MACHINE/#"; }
        case "$*" in
            daemon-reload) ls "$units"/*.service >/dev/null ;;
            "enable --now "*)
                for unit in "${@:3}"; do cmp "$units/$unit" "deploy/$unit" || exit 1; done
                start=$(line ExecStart chatserv.service)
                mkdir -p -m 700 "$MACHINE/var/lib/chatserv"
                STATE_DIRECTORY=$MACHINE/var/lib/chatserv nohup $start >"$MACHINE/journal" 2>&1 &
                echo $! >"$MACHINE/systemd.pid"
                until "$MACHINE/opt/chatserv/bin/chatserv" --state-dir "$MACHINE/var/lib/chatserv" status >/dev/null 2>&1
                do kill -0 $! || exit 1; sleep 0.2; done ;;
            "start chatserv-backup.service")
                $(line ExecStart chatserv-backup.service) >"$MACHINE/journal-backup" || exit 1
                post=$(line ExecStartPost chatserv-backup.service)
                ${post/"$MACHINE"/} ;;
            *) exit 64 ;;
        esac
        """,
    # Each line but the @reboot ones is run once, as cron runs it: from the home directory, with cron's PATH.
    "crontab": r"""
        [ "$*" = - ] || exit 64
        while read -r line; do
            case $line in
                PIDFILE=*) ;;
                @reboot\ *) command=${line#@reboot }; test -x "$HOME/${command%% *}" || exit 1 ;;
                "0 4 * * * "*)
                    command=${line#0 4 \* \* \* }
                    (cd && PATH=/usr/bin:/bin sh -c "$command") >"$MACHINE/mail" || exit 1
                    grep -q 'made and verified' "$MACHINE/mail" || exit 1 ;;
                "0 5 * * * "*)
                    command=${line#0 5 \* \* \* }
                    (cd && PATH=/usr/bin:/bin sh -c "$command") || exit 1 ;;
                *) exit 64 ;;
            esac
        done
        """,
}


@dataclass(frozen=True)
class Example:
    """A command of a page, and what it prints."""

    line: int
    command: str
    prints: str


def examples(page: str) -> list[Example]:
    """The commands of the ``console`` blocks of a page: ``$`` begins one, ``>`` goes on, the rest is what it prints."""
    found: list[tuple[int, list[str], list[str]]] = []
    inside = False
    for number, line in enumerate(page.splitlines(), 1):
        if line.strip() == ".. code-block:: console":
            inside = True
        elif line and not line.startswith("   "):
            inside = False
        elif inside and line.startswith("   $ "):
            found.append((number, [line[5:]], []))
        elif inside and line.startswith("   > "):
            found[-1][1].append(line[5:])
        elif inside and line.strip():
            found[-1][2].append(line[3:])
    return [Example(number, "\n".join(command), "\n".join(prints)) for number, command, prints in found]


def agrees(expected: str, printed: str) -> bool:
    """Whether it is what stands there; ``...`` alone in a line stands for lines, and else for anything in its line."""
    pattern = "".join(
        r"(?:[^\n]*\n)*" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + "\n"
        for line in expected.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


class ExamplesTests(SynchronousTestCase):
    """A page is followed from its top to its end."""

    def follow(self, page: str) -> None:
        """Run a page's examples in one shell. Raises what `fail` raises at the first that does not do what it says."""
        home = Path(tempfile.mkdtemp(prefix="handbook-"))
        self.addCleanup(shutil.rmtree, home, True)
        stand_ins, machine = home / "stand-ins", home / "machine"
        stand_ins.mkdir()
        (machine / "usr/local/bin").mkdir(parents=True)
        for name, text in STAND_INS.items():
            (stand_ins / name).write_text(f"#!/bin/bash\n{text}")
            (stand_ins / name).chmod(0o755)
        ports = {"5000": str(free_port()), "9464": str(free_port())}

        def here(text: str) -> str:
            return re.sub("|".join(ports), lambda found: ports[found[0]], text)

        steps = examples((TOP / "docs" / page).read_text("utf-8"))
        self.assertGreater(len(steps), 10)
        script = "".join(
            f"{{ {here(step.command)}\n}} </dev/null\ncode=$?; echo '{MARK}'$code; [ $code = 0 ] || exit 1\n"
            for step in steps
        )
        environment = {
            "HOME": str(home),
            "PATH": f"{stand_ins}:{PROGRAMS}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "STAND_INS": str(stand_ins),
            "MACHINE": str(machine),
            "PROGRAMS": str(PROGRAMS),
            "OTHER_PORT": str(free_port()),
            "OTHER_METRICS": str(free_port()),
        }
        self.addCleanup(self.end, home)
        output = home / "output"
        with output.open("wb") as file:
            run = ["/bin/bash", "-c", script]
            subprocess.run(run, cwd=TOP, env=environment, stdout=file, stderr=file, timeout=SECONDS, check=False)
        told = output.read_text("utf-8").split(MARK)
        wrong = []
        for step, printed, after in zip(steps, told, told[1:], strict=False):
            code = after.split("\n", 1)[0]
            words = printed.split("\n", 1)[1] if step is not steps[0] else printed
            if code != "0" or not agrees(here(step.prints), words):
                wrong.append(f"docs/{page}:{step.line}: $ {step.command}\nended with {code} and printed\n{words}")
        self.assertEqual(wrong, [], "\n".join(wrong))
        self.assertEqual(len(told) - 1, len(steps), told[-1])

    def end(self, home: Path) -> None:
        """End what the page has left running, by the process ids that it wrote, and wait for it."""
        for name in ("chatserv/supervised.pid", "machine/systemd.pid", "first-server.pid"):
            with contextlib.suppress(OSError, ValueError):
                process = int((home / name).read_text())
                os.kill(process, signal.SIGTERM)
                for _ in range(200):
                    os.kill(process, 0)
                    time.sleep(0.1)

    def test_handbook(self) -> None:
        """The operator's handbook does what it says."""
        self.follow("handbook.rst")

    def test_tutorial(self) -> None:
        """So does the tutorial."""
        self.follow("tutorial.rst")

    def test_what_does_not_agree(self) -> None:
        """The comparison tells what is printed from what is not."""
        self.assertTrue(agrees("a ... b\n...\nend", "a 1 b\nx\ny\nend\n"))
        self.assertTrue(agrees("", ""))
        for expected, printed in (("", "x\n"), ("a", ""), ("a ...", "b 1\n"), ("a\n...", "b\n"), ("a", "a\nb\n")):
            self.assertFalse(agrees(expected, printed), (expected, printed))
