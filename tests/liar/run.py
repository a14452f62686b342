"""``make liar``: plays every lie of a server, and says who notices, after what, and in which words."""

import sys
import tempfile
from pathlib import Path

from tests.liar.rows import LIES
from tests.liar.stage import Lie


def line(lie: Lie, directory: str) -> tuple[bool, str]:
    """Whether all is as it should be, and what is printed."""
    found, others = lie.run(directory)
    if not lie.by:
        told = ", ".join(f"{each.who}: {each.words}" for each in others)
        return not others, f"{lie.name}: nobody: {lie.why}" if not others else f"{lie.name}: FALSELY TOLD: {told}"
    if found is None:
        return False, f"{lie.name}: UNDETECTED"
    return (
        True,
        f"{lie.name}: {lie.by}'s client, {lie.when} ({found.seconds} s): {type(found.event).__name__} {found.words!r}",
    )


def main() -> int:
    """Prints a line for each. Returns 1 where one is not detected that could be, or somebody is told what is not so."""
    good = 0
    with tempfile.TemporaryDirectory(prefix="chatserv-liar-") as directory:
        for number, lie in enumerate(LIES):
            right, said = line(lie, str(Path(directory, str(number))))
            good += right
            print(said, flush=True)
    noticed = sum(bool(lie.by) for lie in LIES)
    print(f"{good} of {len(LIES)} as they should be; {noticed} are noticed, {len(LIES) - noticed} cannot be")
    return 0 if good == len(LIES) else 1


if __name__ == "__main__":
    sys.exit(main())
