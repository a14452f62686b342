"""The protocol without sockets: messages, framing, session."""
