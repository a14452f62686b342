"""``make procmon-drill``: the server under procmon, killed again and again; says how long it was away each time."""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import psutil

from chatserv.testing.processes import ProgramError, child_environment, free_port, listens
from tests.support.processes import command_of

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "supervised"
BACK_SECONDS = 3.0
WAIT_SECONDS = 60.0


class Supervised:
    """``deploy/supervised`` in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.output = directory / "output"
        settings = directory / "settings.toml"
        settings.write_text('[server]\nhost = "127.0.0.1"\n')
        options = ["--config", str(settings), "--state-dir", str(directory / "state")]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [str(SCRIPT), sysconfig.get_path("scripts"), *options],
                cwd=directory,
                env={**child_environment(directory), "CHATSERV__SERVER__PORT": str(self.port)},
                stdout=output,
                stderr=output,
            )

    def server(self) -> int:
        """The process id of the server. Raises `ProgramError` where there is none for a while."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children():
                if " chatserv " in command_of(child):
                    return child.pid
            time.sleep(0.01)
        raise ProgramError(f"no server:\n{self.output.read_text(errors='replace')}")

    def serves(self) -> None:
        """Waits until somebody who connects is taken. Raises `ProgramError`."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            if listens(self.port):
                return
            time.sleep(0.01)
        raise ProgramError(f"nobody listens:\n{self.output.read_text(errors='replace')}")

    def kill(self) -> float:
        """Kills the server, and gives the seconds until the next one serves."""
        pid = self.server()
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], WAIT_SECONDS)
        self.serves()
        return time.monotonic() - killed

    def stop(self) -> int:
        """SIGTERM; gives the exit code, when both are gone."""
        server = self.server()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(WAIT_SECONDS)  # procmon only tells the server to stop
        if psutil.pid_exists(server) and psutil.wait_procs([psutil.Process(server)], WAIT_SECONDS)[1]:
            raise ProgramError("the server has outlived who looks after it")
        return code

    def give_up(self) -> None:
        """Ends both, where `stop` did not."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(WAIT_SECONDS)


def main() -> int:
    """Runs the drill."""
    parser = argparse.ArgumentParser(description="Kills a server under procmon, and says how long it was away.")
    parser.add_argument("--kills", type=int, default=10, help="how often")
    with tempfile.TemporaryDirectory(prefix="chatserv-procmon-") as directory:
        supervised = Supervised(Path(directory))
        try:
            began = time.monotonic()
            supervised.serves()
            sys.stdout.write(f"serves after {time.monotonic() - began:.2f} s\n")
            away = []
            for number in range(parser.parse_args().kills):
                time.sleep(1.2)  # procmon takes who ends within a second for one that cannot start
                away.append(supervised.kill())
                sys.stdout.write(f"killed, {number + 1}: serves again after {away[-1]:.2f} s\n")
                sys.stdout.flush()
            supervised.stop()
        finally:
            supervised.give_up()
    worst = max(away)
    sys.stdout.write(f"median {statistics.median(away):.2f} s, longest {worst:.2f} s; SIGTERM ended both\n")
    sys.stdout.write(f"procmon drill: {'pass' if worst <= BACK_SECONDS else f'FAIL: above {BACK_SECONDS:g} s'}\n")
    return int(worst > BACK_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
