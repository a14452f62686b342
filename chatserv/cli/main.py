"""The command: reads its line, takes the way that leads to the operation, and prints what came of it.

Exit codes: 0 done, 1 not done, 2 a command line or settings that cannot be used. What is needed for a way is imported when
it is taken; so ``--help`` is there at once.
"""

import os
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, cast

from chatserv.cli.output import print_error, print_progress, print_result
from chatserv.cli.parser import make_parser
from chatserv.errors import ChatError
from chatserv.local_errors import SettingsError, of_system, words
from chatserv.operations.registry import Operation, Result, Way
from chatserv.operations.table import OPERATIONS
from chatserv.streams import mend_streams


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, by default those of the process. Returns the exit code."""
    mend_streams()
    given = vars(make_parser().parse_args(arguments))
    operation, as_json = OPERATIONS[given.pop("operation")], bool(given.pop("json", False))
    directory = given.pop("state_dir", os.environ.get("CHATSERV_STATE_DIR"))
    named, said = given.pop("config", os.environ.get("CHATSERV_CONFIG")), tuple(given.pop("set", ()))
    try:
        result = _carry_out(operation, given, named, said, directory)
    except Refused as error:
        print_error(error.refused, str(error), as_json=as_json)
        return 2 if error.refused == SettingsError.code else 1
    except OSError as error:
        refused = of_system(error)
        print_error(refused.code, words(refused), as_json=as_json)
        return 1
    except ChatError as error:
        print_error(error.code, words(error), as_json=as_json)
        return 2 if isinstance(error, SettingsError) else 1
    except KeyboardInterrupt:
        return 1
    print_result(operation, result, as_json=as_json)
    return result.code


def _carry_out(
    operation: Operation, given: dict[str, Any], named: str | None, said: tuple[str, ...], directory: str | None
) -> Result:
    from chatserv.state_directory import StatePaths, default_directory  # noqa: PLC0415 - as said above

    paths = StatePaths(Path(directory) if directory else default_directory())
    if Way.SOCKET in operation.ways and not given.get(operation.here):
        from chatserv.operations.remote import NoServer, ask  # noqa: PLC0415

        try:
            answer = ask(paths.control, operation.name, given, print_progress)
        except NoServer:
            if not operation.ways & {Way.STORE, Way.ALONE}:
                raise
        else:
            return _received(answer)
    from chatserv.operations.world import World  # noqa: PLC0415

    way = Way.STORE if Way.STORE in operation.ways else Way.ALONE
    world = World(way, who(), paths, named, said, progress=print_progress)
    if way is Way.STORE:
        from chatserv.operations.direct import carry_out  # noqa: PLC0415

        return carry_out(world, operation.name, given)
    from chatserv.operations.performing import perform  # noqa: PLC0415

    return _at_once(perform(world, operation.name, given))


def _at_once(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """What an operation gives that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast(Result, done.value)
    raise AssertionError("an operation alone has nothing to wait for")


class Refused(ChatError):
    """What a server has refused, in its words, and under its code."""

    def __init__(self, refused: str, text: str) -> None:
        super().__init__(text)
        self.refused = refused


def _received(answer: Any) -> Result:
    if "error" in answer:
        raise Refused(str(answer["error"]["code"]), str(answer["error"]["text"]))
    return Result(answer["result"], int(answer["code"]))


def who() -> str:
    """Who runs the command, for the audit log."""
    return f"uid {os.getuid()}"
