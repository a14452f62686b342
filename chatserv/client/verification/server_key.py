"""What a server says of itself first: the key by which it has shown that it is ours, and where it can be reached."""

from chatserv.client.connection.addresses import keep_addresses
from chatserv.client.events import ServerKeyChanged
from chatserv.client.state.context import ClientContext
from chatserv.wire import messages


def meet_server(context: ClientContext, welcome: messages.Welcome) -> None:
    """Takes key and addresses, and remembers them; tells the person of a new key. Raises `PinMismatch` for another's."""
    if context.log.set_server_key(welcome.server_key):
        context.emit(ServerKeyChanged(context.log.keys.key_id))
    keep_addresses(context, welcome.addresses)
