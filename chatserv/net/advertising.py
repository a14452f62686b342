"""Where links lead that bring people to this server."""

from chatserv.config import Config, Server
from chatserv.listening import ANY_ADDRESS
from chatserv.net.keys import handed_over, reachable_address
from chatserv.wire.link import ServerLink
from chatserv.wire.parameters import ServerIdentity


def advertised_link(config: Config, identity: ServerIdentity, invite: bytes = b"") -> ServerLink | None:
    """The link that leads here: to what is advertised, else to the first TCP listener; None: nobody knows where that is."""
    named = config.addresses
    place = named[0] if named else _found(config.server)
    key = identity.key_id if identity.rotations else b""
    return None if place is None else ServerLink(*place, identity.server_id, invite, key, named[1:])


def _found(server: Server) -> tuple[str, int] | None:
    for listener in server.listeners:
        host, port = listener.host, listener.port
        if listener.kind == "systemd":
            host, port = handed_over(listener.index)
        if port and not listener.fronted:
            elsewhere = host in ANY_ADDRESS or "%" in host  # a scope id means nothing to others
            return (reachable_address() if elsewhere else host), port
    return None
