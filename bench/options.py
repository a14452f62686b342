"""The command line: which parts, and how large."""

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What a part may be told; the command line's defaults.

    Attributes:
        core: The core that the server is pinned to.
    """

    seconds: float = 5.0
    members: int | None = None
    senders: int | None = None
    outstanding: int = 16
    rate: float | None = None
    messages: int = 1_000_000
    rounds: int = 10
    runs: int = 1
    full: bool = False
    directory: Path | None = None
    profile: Path | None = None
    core: int | None = None

    def pick(self, small: int, full: int) -> int:
        """A number of people: what was asked for, or that of this length of the run."""
        return self.members or (full if self.full else small)


def parser(program: str, description: str) -> argparse.ArgumentParser:
    """The options that are in `Options`."""
    found, default = argparse.ArgumentParser(prog=program, description=description), Options()
    found.add_argument("--full", action="store_true", help="the sizes that take long, see bench/README.rst")
    found.add_argument(
        "--seconds", type=float, default=default.seconds, help="of what is measured, at most 60 (%(default)g)"
    )
    found.add_argument("--members", type=int, help="people, other than a part has by itself")
    found.add_argument("--senders", type=int, help="S1: connections that send (10, and then 1)")
    found.add_argument(
        "--outstanding", type=int, default=default.outstanding, help="S1: messages under way a sender (16)"
    )
    found.add_argument("--rate", type=float, help="S1: a load in place of a window; S2: messages a second in all (50)")
    found.add_argument("--messages", type=int, default=default.messages, help="start: of the full store (%(default)s)")
    found.add_argument("--rounds", type=int, default=default.rounds, help="start: starts with each store (%(default)s)")
    found.add_argument("--runs", type=int, default=default.runs, help="of each part, each with a fresh server (1)")
    found.add_argument("--directory", type=Path, help="where the temporary state goes; its disk takes the commits")
    found.add_argument("--profile", type=Path, help="py-spy writes collapsed stacks of the server there")
    return found


def checked(found: argparse.ArgumentParser, values: argparse.Namespace) -> Options:
    """The options, or the end of the program where they make no sense."""
    options = Options(**{name: getattr(values, name) for name in Options.__dataclass_fields__ if hasattr(values, name)})
    if not 0.1 <= options.seconds <= 60:
        found.error("--seconds: 0.1 to 60")
    if min(options.members or 1, options.senders or 1, options.outstanding, options.runs) < 1:
        found.error("counts begin at 1")
    return options
