"""Fuzzes targets with Atheris, one after the other: ``python -m tests.fuzz --seconds 60 record server_link``.

Each starts from what is kept in ``tests/fuzz/corpus``, and goes on from what it found the last time in ``build/fuzz``. The
input behind a find lies there too. The exit code is 1 where there is one.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
BUILD: Final = HERE.parents[1] / "build" / "fuzz"
INPUT_SECONDS: Final = 10  # one input that takes longer is a find
MEMORY_MB: Final = 2048
LENGTH_BYTES: Final = 65_536
NOT_INSTALLED: Final = 2


def fuzz(name: str) -> None:
    """In a process of its own, which libFuzzer ends: fuzzes one target, with its options behind the name."""
    import atheris

    with atheris.instrument_imports(include=["chatserv", "clients", "tarfile", "tomllib", "idna", "json"]):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([name, *sys.argv[3:]], TARGETS[name])
    atheris.Fuzz()


def run(name: str, seconds: int) -> str:
    """Fuzzes one target for so long. The line that tells of it."""
    found, finds = BUILD / "corpus" / name, BUILD / "finds" / name
    found.mkdir(parents=True, exist_ok=True)
    finds.mkdir(parents=True, exist_ok=True)
    before = set(finds.iterdir())
    limits = [f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MB}"]
    options = [*limits, f"-max_len={LENGTH_BYTES}", f"-artifact_prefix={finds}/", "-print_final_stats=1"]
    command = [sys.executable, "-m", "tests.fuzz", "--one", name, *options, str(found), str(HERE / "corpus" / name)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    executions = re.search(r"stat::number_of_executed_units: +(\d+)", done.stderr)
    new = sorted(set(finds.iterdir()) - before)
    if done.returncode != 0:
        sys.stderr.write(done.stderr[-8000:])
    said = " ".join(str(each) for each in new) or ("none" if done.returncode == 0 else "it did not run to its end")
    return f"{name:20} {executions[1] if executions else 0:>9} executions, finds: {said}"


def main() -> int:
    """The command line."""
    if sys.argv[1:2] == ["--one"]:
        fuzz(sys.argv[2])
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600, help="for all targets together")
    parser.add_argument("targets", nargs="*", help="which (all)")
    asked = parser.parse_args()
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("not run: Atheris is not installed: pip install 'chatserv[fuzz]'")
        return NOT_INSTALLED
    from tests.fuzz.targets import TARGETS

    names = asked.targets or list(TARGETS)
    if unknown := sorted(set(names) - set(TARGETS)):
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    lines = []
    for name in names:
        lines.append(run(name, max(1, asked.seconds // len(names))))
        print(lines[-1], flush=True)
    return int(any(not line.endswith("finds: none") for line in lines))


if __name__ == "__main__":
    sys.exit(main())
