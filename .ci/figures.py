"""Turns the output of trial into one line, ``N passed, N failed, N skipped``. Fails where trial did not get to its end.

Before it stands each test that was not good, with the error's last line: a log that somebody cuts keeps its end.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

SUMMARY = re.compile(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", re.MULTILINE)
RAN = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)


def figures(output: str) -> str:
    """The line. Raises ValueError where the output has no summary, or one that does not add up."""
    ran, summaries = RAN.findall(output), list(SUMMARY.finditer(output))
    if not ran or not summaries:
        raise ValueError("trial did not get to its end")
    counts = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", summaries[-1][1] or "")}
    passed = counts.get("successes", 0) + counts.get("expectedFailures", 0)
    failed = sum(counts.get(name, 0) for name in ("failures", "errors", "unexpectedSuccesses"))
    return f"{passed} passed, {failed} failed, {counts.get('skips', 0)} skipped"


def not_good(output: str) -> Iterator[str]:
    """Each test that failed, with what it failed by, as trial's summary has them."""
    for kind, section in re.findall(
        r"^={70,}\n\[(FAIL|ERROR)\]\n(.*?)(?=^={70,}$|^-{70,}$)", output, re.MULTILINE | re.DOTALL
    ):
        names = re.findall(r"^tests\.\S+$", section, re.MULTILINE)
        said = [line for line in section.splitlines() if line.strip() and line not in names]
        yield from (f"{kind} {name}: {said[-1][:300] if said else ''}" for name in names)


if __name__ == "__main__":
    read = Path(sys.argv[1]).read_text(errors="replace")
    try:
        print(*not_good(read), figures(read), sep="\n")
    except ValueError as error:
        print(f"{error}\n0 passed, 1 failed, 0 skipped")
        sys.exit(1)
