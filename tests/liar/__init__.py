"""A server that lies, one lie at a time, against real clients: who notices, after what, in which words."""
