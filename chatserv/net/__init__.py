"""The server's Twisted edge: listener, protocol, send queue, TLS."""
