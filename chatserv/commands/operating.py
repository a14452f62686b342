"""An administrator's way from inside the chat to the operations of the server, which are carried out elsewhere."""

import json
from typing import Final

from chatserv.commands.context import Context
from chatserv.domain.hub import LiveSession
from chatserv.errors import ChatError, Forbidden, TooLarge
from chatserv.local_errors import words
from chatserv.wire import messages
from chatserv.wire.replies import RESULT_CHARACTERS

NOT_HERE: Final = "operate: not by this server"


async def operate(context: Context, session: LiveSession, command: messages.Operate) -> messages.Operated:
    """Has an operation carried out; where it is refused, the answer says so in words, as that of the operator's socket.

    Raises:
        Forbidden: Nobody carries operations out here.
        TooLarge: The result is longer than an answer may be.
    """
    carry_out = context.desk.operate
    if carry_out is None:
        raise Forbidden(NOT_HERE)
    try:
        answer = await carry_out(command.name, command.arguments, session.name)
    except ChatError as error:
        answer = {"error": {"code": error.code, "text": words(error)}}
    result = json.dumps(answer)
    if len(result) > RESULT_CHARACTERS:
        raise TooLarge("operate: the result")
    return messages.Operated(command.label, result)
