"""Completion for shells, made from the command line itself by shtab."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from chatserv.cli.parser import make_parser
from chatserv.operations.registry import Result
from chatserv.operations.table import OPERATIONS
from chatserv.operations.world import World


async def completion(_world: World, arguments: Mapping[str, Any]) -> Result:
    """What a shell needs."""
    import shtab  # noqa: PLC0415 - help does without

    parser = make_parser()
    files = {argument.key for operation in OPERATIONS.values() for argument in operation.arguments if argument.path}
    kinds = {"config": shtab.FILE, "state_dir": shtab.DIRECTORY, **dict.fromkeys(files, shtab.FILE)}
    for each in every_parser(parser):
        for action in each._actions:
            if action.dest in kinds:
                vars(action)["complete"] = kinds[action.dest]
    return Result({"lines": shtab.complete(parser, arguments["shell"]).splitlines()})


def every_parser(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser, and those of all commands below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from every_parser(below)
