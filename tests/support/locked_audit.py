"""Asks pip-audit's service for holes that are known in what is locked: ``python -m tests.support.locked_audit``.

A network that does not reach it, or a mirror that knows no package, is no reason to fail: it says ``not run`` then.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

REQUIREMENTS: Final = Path(__file__).parents[2] / "requirements"
SECONDS: Final = 60


def judged(name: str, output: str) -> tuple[bool, str]:
    """Whether a set of requirements may pass, and the line that tells of it.

    Args:
        name: Of the set.
        output: What pip-audit wrote; empty where it came to nothing.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return True, f"pip-audit {name}: not run: its service was not reached"
    asked = [each for each in packages if "skip_reason" not in each]
    holes = [f"{each['name']} {each['version']}: {hole['id']}" for each in asked for hole in each["vulns"]]
    if holes:
        return False, f"pip-audit {name}: {'; '.join(holes)}"
    if not asked:
        return True, f"pip-audit {name}: not run: its service knows none of {len(packages)} packages"
    return True, f"pip-audit {name}: {len(asked)} of {len(packages)} packages looked up, no known holes"


def audit(name: str) -> tuple[bool, str]:
    """Asks for one set."""
    given = ["--requirement", str(REQUIREMENTS / f"{name}.txt"), "--require-hashes", "--disable-pip"]
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        *given,
        "--format",
        "json",
        "--progress-spinner",
        "off",
        "--timeout",
        "5",
    ]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return judged(name, "")
    return judged(name, done.stdout)


def main() -> int:
    """What people install, and what develops it: the second holds the first. 1 where there is a hole."""
    good, line = audit("dev")
    print(line)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
