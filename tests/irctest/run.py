"""``make irctest IRCTEST=checkout``: runs irctest's tests and compares what comes of them with ``cases.toml``.

irctest is no part of this project: a checkout of https://github.com/progval/irctest lies where one likes, and ``PYTEST`` is
a pytest that can import what it needs (its ``requirements.txt``). Nothing is written into the checkout.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as Xml

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
CASES: Final = HERE / "cases.toml"
GROUPS: Final = (
    "messages", "pingpong", "connection_registration", "cap", "join", "names", "kick", "topic", "who", "whois", "isupport",
    "labeled_responses", "echo_message", "message_tags", "multiline", "redact", "read_marker", "chathistory", "away",
    "away_notify", "monitor", "utf8", "list", "buffering", "chmodes/operator", "chmodes/ban", "time",
)  # fmt: skip
_MARKS: Final = "not implementation-specific and not strict"


def known() -> tuple[dict[str, str], dict[str, str]]:
    """From ``cases.toml``: what passes, with our own test of the same, and what does not, with the reason."""
    found = tomllib.loads(CASES.read_text(encoding="utf-8"))
    return found["passes"], found["fails"]


def outcomes(report: Path) -> tuple[set[str], dict[str, str], int]:
    """What passed, what failed with its message, and how many irctest did not try; of a report in JUnit's format."""
    passed, failed, skipped = set[str](), dict[str, str](), 0
    for case in Xml.parse(report).getroot().iter("testcase"):  # noqa: S314 - our own child has written it
        group = case.get("classname", "").removeprefix("irctest.server_tests.")
        name = f"{group}.{case.get('name')}"
        bad = [each for each in case if each.tag in {"failure", "error"}]
        if bad:
            failed[name] = " ".join(bad[0].get("message", "").split())
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed.add(name)
    return passed, failed, skipped


def judged(passed: set[str], failed: dict[str, str]) -> list[str]:
    """Prints each failure with its reason. Gives what is not as ``cases.toml`` says."""
    passes, fails = known()
    for name in sorted(failed):
        print(f"{name}: {fails.get(name, 'NOT IN THE LIST')}")
    return [
        *(f"fails: {name}: {failed[name]}" for name in sorted(failed.keys() - fails.keys())),
        *(f"is listed as failing, and does not: {name}" for name in sorted(fails.keys() - failed.keys())),
        *(f"passes, and is not listed: {name}" for name in sorted(passed - passes.keys())),
        *(f"is listed as passing, and does not: {name}" for name in sorted(passes.keys() - passed)),
    ]


def main() -> int:
    """Gives the exit code: 0 where everything is as listed."""
    parser = argparse.ArgumentParser(prog="make irctest")
    parser.add_argument("checkout", type=Path, help="of https://github.com/progval/irctest")
    parser.add_argument("--pytest", default="pytest", help="the pytest that runs it")
    parser.add_argument(
        "--only", nargs="*", default=GROUPS, choices=GROUPS, metavar="GROUP", help="some groups; judges nothing"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        command = [given.pytest, "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", f"--junitxml={report}"]
        command += ["--controller", "chatserv_controller", "-m", _MARKS]
        command += [f"irctest/server_tests/{group}.py" for group in given.only]
        environment = {
            **os.environ,
            "CHATSERV_PYTHON": sys.executable,
            "CHATSERV_ROOT": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": f"{HERE}:.",
            "TMPDIR": directory,
        }
        subprocess.run(command, cwd=given.checkout, env=environment, stdout=subprocess.DEVNULL, check=False)
        if not report.exists():
            print("irctest did not run", file=sys.stderr)
            return 2
        passed, failed, skipped = outcomes(report)
    wrong = judged(passed, failed)
    print(f"passed {len(passed)}, failed {len(failed)}, not tried by irctest {skipped}")
    if given.only != GROUPS:
        return 0
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
